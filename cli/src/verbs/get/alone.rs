//! What to do, and what to say, when nobody is left to fetch an item from. Pure: the time is handed in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::exit::Code;

/// How long to wait for a peer that is there but has another version by now, or sent bad content: it may only have touched
/// the files, and another peer may turn up.
const CHANGED_GRACE: Duration = Duration::from_secs(10);

/// Why a source was given up, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    /// It went away, or was too slow.
    Away,
    /// It does not let us any more.
    Refused,
    /// It has another version now.
    Changed,
    /// It sent bytes that are not the item's.
    BadContent,
}

/// Follows one download through times with and without sources.
#[derive(Debug)]
pub(super) struct Watch {
    timeout: Duration,
    /// Losses since bytes last came from a source: of each kind the latest, as who and why.
    losses: BTreeMap<Loss, String>,
    alone_since: Option<Instant>,
}

impl Watch {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, losses: BTreeMap::new(), alone_since: None }
    }

    /// A source was given up: who, and why, safe to print.
    pub(super) fn lost(&mut self, loss: Loss, who_and_why: String) {
        self.losses.insert(loss, who_and_why);
    }

    /// Nobody is left.
    pub(super) fn alone(&mut self, now: Instant) {
        self.alone_since.get_or_insert(now);
    }

    /// Somebody is at work. `true` when nobody was before.
    pub(super) fn at_work(&mut self) -> bool {
        let was_alone = self.alone_since.take().is_some();
        if was_alone {
            self.losses.clear();
        }
        was_alone
    }

    /// When to give up, if nobody comes. `still_here`: a peer that had the item is connected and does not offer it any more.
    pub(super) fn deadline(&self, still_here: bool) -> Option<Instant> {
        let patience = match self.worst(still_here) {
            Loss::Changed | Loss::BadContent => CHANGED_GRACE.min(self.timeout),
            Loss::Away | Loss::Refused => self.timeout,
        };
        self.alone_since.map(|since| since + patience)
    }

    /// What stands in the way, as exit code, sentence and advice.
    pub(super) fn verdict(&self, still_here: bool) -> (Code, String, &'static str) {
        let worst = self.worst(still_here);
        let (code, sentence, advice) = match worst {
            Loss::BadContent => (
                Code::BadContent,
                "a peer sent content that failed verification, and nobody else has the item",
                "What was verified is kept. Fetch it from another peer with --from, or tell the owner of that machine.",
            ),
            Loss::Changed => (
                Code::BadContent,
                "the item was changed or withdrawn by its peer while it was fetched",
                "`moorline list` shows what is on offer now; fetch the new version with the same command.",
            ),
            Loss::Refused => (
                Code::NotPermitted,
                "the peers that have the item do not let this one fetch it any more",
                "Ask for the passphrase, or to be put on the list of allowed peers.",
            ),
            Loss::Away => (
                Code::Unreachable,
                "all peers that have the item are gone",
                "What was fetched is kept: give the same command again when they are back.",
            ),
        };
        let details = self.losses.get(&worst).map(|latest| format!(" ({latest})")).unwrap_or_default();
        (code, format!("{sentence}{details}"), advice)
    }

    fn worst(&self, still_here: bool) -> Loss {
        let worst = self.losses.last_key_value().map_or(Loss::Away, |(worst, _)| *worst);
        if still_here { worst.max(Loss::Changed) } else { worst }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(600);

    #[test]
    fn a_peer_that_went_away_is_waited_for() {
        let now = Instant::now();
        let mut watch = Watch::new(TIMEOUT);
        assert_eq!(watch.deadline(false), None);
        watch.lost(Loss::Away, "alice: it stalled".to_owned());
        watch.alone(now);
        watch.alone(now + Duration::from_secs(5));
        assert_eq!(watch.deadline(false), Some(now + TIMEOUT));
        assert_eq!(watch.verdict(false).0, Code::Unreachable);
        assert_eq!(watch.verdict(false).1, "all peers that have the item are gone (alice: it stalled)");
    }

    #[test]
    fn changed_and_bad_content_are_not_waited_for_long() {
        for (loss, still_here) in [(Loss::Changed, false), (Loss::BadContent, false), (Loss::Away, true)] {
            let now = Instant::now();
            let mut watch = Watch::new(TIMEOUT);
            watch.lost(loss, String::new());
            watch.alone(now);
            assert_eq!(watch.deadline(still_here), Some(now + CHANGED_GRACE), "{loss:?}");
            assert_eq!(watch.verdict(still_here).0, Code::BadContent, "{loss:?}");
        }
    }

    #[test]
    fn a_short_timeout_is_kept_also_for_changed_content() {
        let now = Instant::now();
        let mut watch = Watch::new(Duration::from_secs(1));
        watch.lost(Loss::Changed, String::new());
        watch.alone(now);
        assert_eq!(watch.deadline(false), Some(now + Duration::from_secs(1)));
    }

    #[test]
    fn a_source_that_works_makes_earlier_losses_forgotten() {
        let now = Instant::now();
        let mut watch = Watch::new(TIMEOUT);
        watch.lost(Loss::BadContent, String::new());
        assert!(!watch.at_work());
        watch.alone(now);
        assert!(watch.at_work());
        assert_eq!(watch.deadline(false), None);
        watch.alone(now);
        assert_eq!(watch.verdict(false).0, Code::Unreachable);
    }

    #[test]
    fn a_refusal_has_its_own_code() {
        let mut watch = Watch::new(TIMEOUT);
        watch.lost(Loss::Refused, "alice: no".to_owned());
        watch.lost(Loss::Away, "bob: gone".to_owned());
        assert_eq!(watch.verdict(false).0, Code::NotPermitted);
        assert!(watch.verdict(false).1.ends_with(" (alice: no)"), "{:?}", watch.verdict(false));
    }
}
