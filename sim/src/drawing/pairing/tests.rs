use super::*;

fn arrows(lines: &[&str], end_us: u64) -> Vec<Arrow> {
    let (mut pairing, mut names) = (Pairing::default(), Names::default());
    names.host("ann");
    names.host("bob");
    for line in lines {
        pairing.take(&Record::read(line).unwrap_or_else(|| panic!("{line}")), &mut names);
    }
    pairing.finish(end_us)
}

/// What a test looks at: fate, cause, when it was sent and when it ended.
fn fates(lines: &[&str], end_us: u64) -> Vec<(Fate, &'static str, u64, Option<u64>)> {
    arrows(lines, end_us).into_iter().map(|arrow| (arrow.fate, arrow.cause, arrow.sent_us, arrow.ended_us)).collect()
}

const SEND: &str = r#"{"t_us":10,"host":"ann","kind":"udp.send","to":"bob","id":7,"len":3,"hash":"aa"}"#;
const RECV: &str = r#"{"t_us":30,"host":"bob","kind":"udp.recv","from":"ann","id":7,"len":3,"hash":"aa"}"#;

#[test]
fn a_datagram_that_is_late_arrives_when_it_does_and_one_that_others_overtake_is_itself() {
    let other =
        r#"{"t_us":11,"host":"ann","kind":"udp.send","to":"bob","id":8,"len":3,"hash":"ab","packet":"initial"}"#;
    let came = r#"{"t_us":20,"host":"bob","kind":"udp.recv","from":"ann","id":8,"len":3,"hash":"ab"}"#;
    let seen = arrows(&[SEND, other, came, RECV], 100);
    let kinds: Vec<_> = seen.iter().map(|a| (a.id, a.kind, a.fate, a.ended_us, a.from, a.to)).collect();
    assert_eq!(
        kinds,
        [(7, Kind::Datagram, Fate::Arrived, Some(30), 0, 1), (8, Kind::Handshake, Fate::Arrived, Some(20), 0, 1)]
    );
}

#[test]
fn a_lost_datagram_has_a_cause() {
    let lost = r#"{"t_us":10,"host":"ann","kind":"udp.send","to":"bob","id":7,"len":3,"hash":"aa","fate":"burst"}"#;
    assert_eq!(fates(&[lost], 100), [(Fate::Lost, "burst", 10, None)]);
    let cut = r#"{"t_us":30,"host":"bob","kind":"udp.lost","from":"ann","id":7,"len":3,"hash":"aa"}"#;
    assert_eq!(fates(&[SEND, cut], 100), [(Fate::Lost, "cut", 10, Some(30))]);
}

#[test]
fn a_doubled_datagram_is_two_arrows_and_one_with_other_bytes_is_damaged() {
    let twice = r#"{"t_us":10,"host":"ann","kind":"udp.send","to":"bob","id":7,"len":3,"hash":"aa","fate":"twice"}"#;
    let again = r#"{"t_us":40,"host":"bob","kind":"udp.recv","from":"ann","id":7,"len":3,"hash":"aa"}"#;
    let damaged = r#"{"t_us":40,"host":"bob","kind":"udp.recv","from":"ann","id":7,"len":3,"hash":"bb"}"#;
    assert_eq!(fates(&[twice, RECV, again], 100), [(Fate::Arrived, "", 10, Some(30)), (Fate::Twice, "", 10, Some(40))]);
    assert_eq!(
        fates(&[twice, RECV, damaged], 100),
        [(Fate::Arrived, "", 10, Some(30)), (Fate::Damaged, "", 10, Some(40))]
    );
    assert_eq!(fates(&[SEND, RECV, again], 100).len(), 1, "what was not sent is no arrow");
}

#[test]
fn the_end_of_the_trace_is_no_loss_but_long_silence_is() {
    assert_eq!(fates(&[SEND], 100), [(Fate::Open, "", 10, None)]);
    assert_eq!(fates(&[SEND], 11 + PATIENCE_US), [(Fate::Lost, "never heard of again", 10, None)]);
}

#[test]
fn a_cut_loses_what_is_under_way_and_what_is_sent_into_it() {
    let cut = r#"{"t_us":15,"host":"bob","kind":"partition","to":"ann"}"#;
    let write = r#"{"t_us":16,"host":"ann","kind":"tcp.write","peer":"bob","conn":1,"len":3,"hash":"aa"}"#;
    let heal = r#"{"t_us":17,"host":"ann","kind":"heal","to":"bob"}"#;
    let later = r#"{"t_us":18,"host":"ann","kind":"udp.send","to":"bob","id":8,"len":3,"hash":"aa"}"#;
    assert_eq!(
        fates(&[SEND, cut, write, heal, later], 100),
        [(Fate::Lost, "cut", 10, Some(15)), (Fate::Lost, "cut", 16, None), (Fate::Open, "", 18, None)]
    );
    let one_way = r#"{"t_us":15,"host":"bob","kind":"partition_oneway","to":"ann"}"#;
    assert_eq!(fates(&[SEND, one_way, RECV], 100), [(Fate::Arrived, "", 10, Some(30))]);
}

#[test]
fn a_host_that_is_down_hears_nothing_until_it_has_started() {
    let crash = r#"{"t_us":15,"host":"bob","kind":"crash"}"#;
    let during = r#"{"t_us":16,"host":"ann","kind":"udp.send","to":"bob","id":8,"len":3,"hash":"aa"}"#;
    let started = r#"{"t_us":20,"host":"bob","kind":"host","life":1,"what":"started"}"#;
    let after = r#"{"t_us":21,"host":"ann","kind":"udp.send","to":"bob","id":9,"len":3,"hash":"aa"}"#;
    let lines = [SEND, crash, during, started, after];
    let expected =
        [(Fate::Lost, "host down", 10, Some(15)), (Fate::Lost, "host down", 16, None), (Fate::Open, "", 21, None)];
    assert_eq!(fates(&lines, 100), expected);
    let came = r#"{"t_us":22,"host":"bob","kind":"udp.recv","from":"ann","id":8,"len":3,"hash":"aa"}"#;
    let seen = fates(&[SEND, crash, during, started, after, came], 100);
    assert_eq!(seen[1], (Fate::Arrived, "", 16, Some(22)), "what arrives was not lost");
}

fn tcp(t_us: u64, host: &str, kind: &str, len: Option<u64>) -> String {
    let peer = if host == "ann" { "bob" } else { "ann" };
    let len = len.map(|len| format!(r#","len":{len}"#)).unwrap_or_default();
    format!(r#"{{"t_us":{t_us},"host":"{host}","kind":"tcp.{kind}","peer":"{peer}","to":"{peer}","conn":5{len}}}"#)
}

fn stream(lines: &[String]) -> Vec<(Kind, Fate, &'static str, u64, Option<u64>)> {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let seen = arrows(&lines, 100);
    seen.into_iter().map(|arrow| (arrow.kind, arrow.fate, arrow.cause, arrow.sent_us, arrow.ended_us)).collect()
}

#[test]
fn what_is_written_arrives_when_its_last_byte_is_read() {
    let lines = [
        tcp(1, "ann", "connect", None),
        tcp(2, "bob", "accepted", None),
        tcp(3, "ann", "connected", None),
        tcp(4, "ann", "write", Some(10)),
        tcp(5, "ann", "write", Some(5)),
        tcp(6, "bob", "read", Some(12)),
        tcp(7, "bob", "read", Some(3)),
        tcp(8, "ann", "shutdown", None),
        tcp(9, "bob", "end", None),
        tcp(9, "bob", "close", None),
        tcp(10, "ann", "close", None),
    ];
    let expected = [
        (Kind::Connect, Fate::Arrived, "", 1, Some(2)),
        (Kind::Stream, Fate::Arrived, "", 4, Some(6)),
        (Kind::Stream, Fate::Arrived, "", 5, Some(7)),
        (Kind::Close, Fate::Arrived, "", 8, Some(9)),
    ];
    assert_eq!(stream(&lines), expected);
}

#[test]
fn what_nobody_reads_before_the_end_is_lost_and_a_new_connection_of_the_same_number_starts_afresh() {
    let lines = [
        tcp(1, "ann", "write", Some(10)),
        tcp(2, "bob", "close", None),
        tcp(3, "ann", "write", Some(4)),
        tcp(4, "ann", "connected", None),
        tcp(5, "ann", "write", Some(6)),
        tcp(6, "bob", "read", Some(6)),
    ];
    let expected = [
        (Kind::Stream, Fate::Lost, "closed", 1, Some(2)),
        (Kind::Stream, Fate::Lost, "closed", 3, Some(4)),
        (Kind::Stream, Fate::Arrived, "", 5, Some(6)),
    ];
    assert_eq!(stream(&lines), expected);
}

#[test]
fn a_connection_that_is_refused_is_lost_and_so_is_one_that_is_never_answered() {
    let seen =
        stream(&[tcp(1, "ann", "connect", None), tcp(1, "ann", "refused", None), tcp(9, "ann", "connect", None)]);
    let expected =
        [(Kind::Connect, Fate::Lost, "refused", 1, None), (Kind::Connect, Fate::Lost, "never heard of again", 9, None)];
    assert_eq!(seen, expected);
}
