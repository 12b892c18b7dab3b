#[path = "behaviour/support.rs"]
#[allow(dead_code)]
mod support;
use moorline_transport::{CloseReason, ConnectionEnd};
use support::*;
#[tokio::test]
async fn goodbye() {
    tracing_subscriber::fmt().with_env_filter("quinn=trace,quinn_proto=trace").with_writer(std::io::stderr).with_ansi(false).init();
    for reason in ["shutting down", "", "", ""] {
        let pair = pair(config(1), config(2)).await;
        eprintln!("=====CLOSING {reason:?}");
        pair.dialler.close(&CloseReason::Goodbye(reason.to_owned()));
        let end = soon(pair.dialled.closed()).await;
        eprintln!("=====ENDED {end:?}");
        if end != ConnectionEnd::Goodbye(reason.to_owned()) { std::process::exit(3); }
    }
}
