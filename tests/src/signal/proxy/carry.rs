//! Carries bytes between two sockets, as the weather allows.

use std::{collections::VecDeque, io, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Direction, Weather};

/// What may wait in one direction before nothing more is read.
const WAITING: usize = 1 << 20;

/// Carries both ways until both sides are done, one breaks, or the connection is cut: then both get a reset.
pub(super) async fn between(
    mut client: TcpStream,
    mut server: TcpStream,
    weather: &watch::Receiver<Weather>,
    cut: &CancellationToken,
    record: impl Fn(Direction, &[u8]),
) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let was_cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = one_way(from_client, to_server, weather.clone(), Direction::ToServer, &record);
        let back = one_way(from_server, to_client, weather.clone(), Direction::ToClient, &record);
        tokio::select! {
            biased;
            () = cut.cancelled() => true,
            _ = async { tokio::try_join!(there, back) } => false,
        }
    };
    if was_cut {
        for side in [&client, &server] {
            // Closing such a socket sends a reset, and whatever it held is gone.
            let _ = SockRef::from(side).set_linger(Some(Duration::ZERO));
        }
    }
}

async fn one_way(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut weather: watch::Receiver<Weather>,
    direction: Direction,
    record: impl Fn(Direction, &[u8]),
) -> io::Result<()> {
    let mut waiting: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 64 << 10];
    let mut ended = false;
    loop {
        let (held, delay) = {
            let weather = weather.borrow_and_update();
            (weather.holds(direction), weather.delay)
        };
        if ended && waiting.is_empty() && !held {
            return to.shutdown().await;
        }
        let due = waiting.front().map_or_else(Instant::now, |(came, _)| *came + delay);
        tokio::select! {
            biased;
            changed = weather.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            () = sleep_until(due), if !held && !waiting.is_empty() => {
                if let Some((_, piece)) = waiting.pop_front() {
                    bytes -= piece.len();
                    to.write_all(&piece).await?;
                }
            }
            read = from.read(&mut buffer), if !ended && bytes < WAITING => {
                let piece = &buffer[..read?];
                record(direction, piece);
                ended = piece.is_empty();
                bytes += piece.len();
                if !ended {
                    waiting.push_back((Instant::now(), piece.to_vec()));
                }
            }
        }
    }
}
