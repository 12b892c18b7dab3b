use super::Scenario;

/// The files in `sim/scenarios`.
const FILES: &[&str] = &[
    include_str!("../../scenarios/share-and-fetch.toml"),
    include_str!("../../scenarios/sender-dies-and-returns.toml"),
    include_str!("../../scenarios/receiver-dies-and-returns.toml"),
    include_str!("../../scenarios/many-sources.toml"),
    include_str!("../../scenarios/peers-flap.toml"),
    include_str!("../../scenarios/cut-in-mid-handshake.toml"),
    include_str!("../../scenarios/all-peers-gone.toml"),
    include_str!("../../scenarios/goodbye-against-reset.toml"),
    include_str!("../../scenarios/disk-full.toml"),
    include_str!("../../scenarios/called-off.toml"),
    include_str!("../../scenarios/reconnect.toml"),
    include_str!("../../scenarios/back-after-the-window.toml"),
    include_str!("../../scenarios/gone-for-good.toml"),
    include_str!("../../scenarios/server-restarts.toml"),
    include_str!("../../scenarios/go-away.toml"),
    include_str!("../../scenarios/go-away-nowhere.toml"),
    include_str!("../../scenarios/half-open-up.toml"),
    include_str!("../../scenarios/half-open-down.toml"),
    include_str!("../../scenarios/herd.toml"),
    include_str!("../../scenarios/slow-consumer.toml"),
    include_str!("../../scenarios/wakes-up.toml"),
    include_str!("../../scenarios/panic-in-a-transfer.toml"),
    include_str!("../../scenarios/panic-in-a-dialler.toml"),
    include_str!("../../scenarios/panic-in-the-feed.toml"),
    include_str!("../../scenarios/panic-in-a-session.toml"),
    include_str!("../../scenarios/panic-while-coming-back.toml"),
    include_str!("../../scenarios/required-service-dies.toml"),
    include_str!("../../scenarios/stop-in-mid-transfer.toml"),
    include_str!("../../scenarios/stop-while-coming-back.toml"),
    include_str!("../../scenarios/rooms-and-a-transfer-in-chaos.toml"),
    include_str!("../../scenarios/met-in-a-room.toml"),
    include_str!("../../scenarios/many-sources-one-liar.toml"),
    include_str!("../../scenarios/receiver-power-loss.toml"),
    include_str!("../../scenarios/token-expires-during-outage.toml"),
    include_str!("../../scenarios/clocks-disagree.toml"),
    include_str!("../../scenarios/crossing-dials.toml"),
    include_str!("../../scenarios/unnoticed-cut.toml"),
];

/// The scenarios that come with this crate.
///
/// # Panics
/// Never: a test reads all of them.
#[must_use]
pub fn all() -> Vec<Scenario> {
    FILES.iter().map(|text| Scenario::parse(text).unwrap_or_else(|error| panic!("{error} in:\n{text}"))).collect()
}

/// The one of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.name == name)
}
