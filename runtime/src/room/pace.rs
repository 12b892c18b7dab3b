use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use moorline_proto::PeerId;
use moorline_signaling::ParticipantId;
use tokio::time::Instant;

/// How long a participant's next announcement waits once one was acted on. The newest one counts then.
const INTERVAL: Duration = Duration::from_secs(5);

/// What a participant says of its node: who it is, and where.
pub(super) type Announced = (PeerId, Vec<SocketAddr>);

/// When to act on what the participants of a room announce: the first time at once, and from then on once in [`INTERVAL`] each, however
/// often it changes. Pure: the time is handed in.
#[derive(Debug, Default)]
pub(super) struct Pace {
    people: BTreeMap<ParticipantId, Person>,
}

#[derive(Debug, Default)]
struct Person {
    /// What was acted on last, unless it was taken back.
    current: Option<Announced>,
    /// What is to be acted on, and from when on.
    waiting: Option<(Instant, Announced)>,
    /// When the next one may be acted on.
    next: Option<Instant>,
}

impl Pace {
    /// A participant says this now. Nothing new is nothing to do.
    pub(super) fn told(&mut self, now: Instant, id: ParticipantId, announced: Announced) {
        let person = self.people.entry(id).or_default();
        if person.current.as_ref() == Some(&announced) {
            person.waiting = None;
            return;
        }
        // Who changes its mind keeps its place.
        let from =
            person.waiting.take().map_or_else(|| person.next.map_or(now, |next| next.max(now)), |(from, _)| from);
        person.waiting = Some((from, announced));
    }

    /// It says nothing of a node any more. When it does again, that is a change like any other.
    pub(super) fn silent(&mut self, id: ParticipantId) {
        if let Some(person) = self.people.get_mut(&id) {
            (person.current, person.waiting) = (None, None);
        }
    }

    /// It has left.
    pub(super) fn gone(&mut self, id: ParticipantId) {
        self.people.remove(&id);
    }

    /// What is to be acted on now: whoever has waited longest.
    pub(super) fn due(&mut self, now: Instant) -> Option<(ParticipantId, Announced)> {
        let waiting = |(id, person): (&ParticipantId, &Person)| person.waiting.as_ref().map(|(from, _)| (*from, *id));
        let (_, id) = self.people.iter().filter_map(waiting).min().filter(|(from, _)| *from <= now)?;
        let person = self.people.get_mut(&id)?;
        let (_, announced) = person.waiting.take()?;
        person.current = Some(announced.clone());
        person.next = Some(now + INTERVAL);
        Some((id, announced))
    }

    /// There was no room for what was due: it waits again.
    pub(super) fn refused(&mut self, now: Instant, id: ParticipantId) {
        self.put_off(now + INTERVAL, id);
    }

    /// What was due could not be acted on: it is from then on.
    pub(super) fn put_off(&mut self, until: Instant, id: ParticipantId) {
        let Some(person) = self.people.get_mut(&id) else { return };
        if let Some(announced) = person.current.take() {
            person.waiting = Some((until, announced));
        }
    }

    /// When there is something to be acted on next.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.people.values().filter_map(|person| person.waiting.as_ref().map(|(from, _)| *from)).min()
    }

    /// Everybody of whom anything is known.
    pub(super) fn people(&self) -> impl Iterator<Item = ParticipantId> {
        self.people.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(number: u16) -> Announced {
        (PeerId::from_bytes([7; 32]), vec![SocketAddr::from(([192, 0, 2, 1], number))])
    }

    /// What was acted on, with when.
    fn acted(pace: &mut Pace, start: Instant, now: Instant) -> Vec<(Duration, u64, u16)> {
        std::iter::from_fn(|| pace.due(now)).map(|(id, (_, addrs))| (now - start, id.0, addrs[0].port())).collect()
    }

    #[test]
    fn a_thousand_changes_in_a_second_are_acted_on_twice_and_the_newest_counts() {
        let (start, mut pace, mut all) = (Instant::now(), Pace::default(), Vec::new());
        for number in 1..=1000 {
            let now = start + Duration::from_millis(u64::from(number));
            pace.told(now, ParticipantId(1), announced(number));
            all.extend(acted(&mut pace, start, now));
        }
        let first = Duration::from_millis(1);
        assert_eq!(all, [(first, 1, 1)]);
        let wake = pace.wake().expect("the newest one waits");
        assert_eq!(wake, start + first + INTERVAL);
        assert_eq!(acted(&mut pace, start, wake), [(first + INTERVAL, 1, 1000)]);
        assert_eq!(pace.wake(), None);
    }

    #[test]
    fn neither_silence_nor_a_return_to_what_was_is_a_way_around() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let ada = ParticipantId(1);
        pace.told(start, ada, announced(1));
        assert_eq!(acted(&mut pace, start, start).len(), 1);
        pace.silent(ada);
        pace.told(start, ada, announced(1));
        assert_eq!(acted(&mut pace, start, start), [], "taken back and said again");
        assert_eq!(acted(&mut pace, start, start + INTERVAL).len(), 1);
        pace.told(start + INTERVAL, ada, announced(2));
        pace.told(start + INTERVAL, ada, announced(1));
        assert_eq!(pace.wake(), None, "it is what it was");
    }

    #[test]
    fn whoever_has_waited_longest_is_next_whatever_the_others_say() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        pace.told(start, ParticipantId(1), announced(1));
        assert_eq!(acted(&mut pace, start, start).len(), 1);
        pace.told(start, ParticipantId(1), announced(2));
        pace.told(start + INTERVAL / 2, ParticipantId(9), announced(3));
        let later = start + INTERVAL * 2;
        pace.told(later, ParticipantId(1), announced(4));
        let order: Vec<u64> = acted(&mut pace, start, later).into_iter().map(|(_, id, _)| id).collect();
        assert_eq!(order, [9, 1]);
    }

    #[test]
    fn what_there_was_no_room_for_is_tried_again_and_whoever_left_is_forgotten() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let ada = ParticipantId(1);
        pace.told(start, ada, announced(1));
        assert!(pace.due(start).is_some());
        pace.refused(start, ada);
        assert_eq!(pace.due(start), None);
        assert_eq!(acted(&mut pace, start, start + INTERVAL), [(INTERVAL, 1, 1)]);
        pace.told(start + INTERVAL, ada, announced(2));
        pace.gone(ada);
        assert_eq!((pace.wake(), pace.people().count()), (None, 0));
    }
}
