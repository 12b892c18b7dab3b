//! What is drawn along the lanes: the lives of the hosts, their states, and dots for what happened on them.

use std::collections::BTreeMap;

use super::record::Record;

/// Longer details are cut: a manifest in a tooltip helps nobody.
const DETAIL_CHARS: usize = 600;

/// A host was in one state for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) host: usize,
    pub(super) from_us: u64,
    /// `None`: to the end.
    pub(super) to_us: Option<u64>,
    pub(super) state: String,
    pub(super) epoch: Option<u64>,
    pub(super) life: Option<u64>,
}

/// Something happened on a host, or the same thing several times in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) host: usize,
    pub(super) at_us: u64,
    pub(super) last_us: u64,
    pub(super) count: u64,
    pub(super) kind: String,
    pub(super) event: String,
    /// Of the first of them.
    pub(super) detail: String,
}

/// Takes records in order.
#[derive(Default)]
pub(super) struct Story {
    pub(super) stays: Vec<Stay>,
    pub(super) marks: Vec<Mark>,
    /// The stay of each host that has not ended.
    now: BTreeMap<usize, usize>,
    last_mark: BTreeMap<usize, usize>,
}

impl Story {
    /// Takes what changes the state of a host.
    pub(super) fn state(&mut self, record: &Record, host: usize) {
        match (record.kind.as_str(), record.text("what")) {
            ("host", "started") => self.enter(record, host, "up"),
            ("host", _) | ("crash" | "bounce", _) => self.leave(record, host),
            ("state", _) => self.enter(record, host, record.text("state")),
            _ => {}
        }
    }

    fn enter(&mut self, record: &Record, host: usize, state: &str) {
        let (life, epoch) = (record.number("life"), record.number("epoch"));
        if let Some(stay) = self.now.get(&host).map(|index| &self.stays[*index])
            && (stay.state == state && stay.epoch == epoch && stay.life == life)
        {
            return;
        }
        self.leave(record, host);
        self.now.insert(host, self.stays.len());
        self.stays.push(Stay { host, from_us: record.t_us, to_us: None, state: state.to_owned(), epoch, life });
    }

    fn leave(&mut self, record: &Record, host: usize) {
        if let Some(index) = self.now.remove(&host) {
            self.stays[index].to_us = Some(record.t_us);
        }
    }

    /// Takes what is worth a dot.
    pub(super) fn mark(&mut self, record: &Record, host: usize) {
        let (event, detail) = match record.kind.as_str() {
            "host" | "server" | "sent" => (record.text("what"), String::new()),
            _ if record.text("event").is_empty() => (record.kind.as_str(), record.all_fields()),
            _ => (record.text("event"), record.text("detail").to_owned()),
        };
        if let Some(mark) = self.last_mark.get(&host).map(|index| &mut self.marks[*index])
            && (mark.kind == record.kind && mark.event == event)
        {
            mark.count += 1;
            mark.last_us = record.t_us;
            return;
        }
        self.last_mark.insert(host, self.marks.len());
        self.marks.push(Mark {
            host,
            at_us: record.t_us,
            last_us: record.t_us,
            count: 1,
            kind: record.kind.clone(),
            event: event.to_owned(),
            detail: shortened(&detail),
        });
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(DETAIL_CHARS) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(lines: &[&str]) -> Story {
        let mut story = Story::default();
        for line in lines {
            let record = Record::read(line).unwrap();
            let host = usize::from(record.host == "bob");
            story.state(&record, host);
            story.mark(&record, host);
        }
        story
    }

    #[test]
    fn states_follow_one_another_and_end_with_the_life_of_the_host() {
        let story = story(&[
            r#"{"t_us":0,"host":"ann","kind":"host","life":0,"what":"started"}"#,
            r#"{"t_us":5,"host":"ann","kind":"state","life":0,"state":"live","epoch":1}"#,
            r#"{"t_us":6,"host":"ann","kind":"state","life":0,"state":"live","epoch":1}"#,
            r#"{"t_us":7,"host":"ann","kind":"state","life":0,"state":"live","epoch":2}"#,
            r#"{"t_us":9,"host":"ann","kind":"crash"}"#,
            r#"{"t_us":12,"host":"ann","kind":"host","life":1,"what":"started"}"#,
        ]);
        let seen = story.stays.iter().map(|s| (s.from_us, s.to_us, s.state.as_str(), s.epoch, s.life));
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [
                (0, Some(5), "up", None, Some(0)),
                (5, Some(7), "live", Some(1), Some(0)),
                (7, Some(9), "live", Some(2), Some(0)),
                (12, None, "up", None, Some(1)),
            ]
        );
    }

    #[test]
    fn the_same_event_again_and_again_is_one_dot_and_the_kinds_of_others_are_their_names() {
        let story = story(&[
            r#"{"t_us":1,"host":"ann","kind":"node","event":"Download","detail":"first"}"#,
            r#"{"t_us":2,"host":"bob","kind":"node","event":"PeerUp","detail":"bob's"}"#,
            r#"{"t_us":3,"host":"ann","kind":"node","event":"Download","detail":"second"}"#,
            r#"{"t_us":4,"host":"ann","kind":"said","words":3,"to":"all"}"#,
        ]);
        let seen =
            story.marks.iter().map(|m| (m.host, m.at_us, m.last_us, m.count, m.event.as_str(), m.detail.as_str()));
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [
                (0, 1, 3, 2, "Download", "first"),
                (1, 2, 2, 1, "PeerUp", "bob's"),
                (0, 4, 4, 1, "said", "to all, words 3")
            ]
        );
    }

    #[test]
    fn a_long_detail_is_cut_between_two_characters() {
        let long = "ö".repeat(DETAIL_CHARS + 1);
        assert_eq!(shortened(&long).chars().count(), DETAIL_CHARS + 2);
        assert_eq!(shortened(&long[2..]), long[2..]);
    }
}
