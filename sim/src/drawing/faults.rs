//! What was done to hosts and ways, with when it was undone.

use super::names::Names;
use super::record::Record;

/// A fault, from when it began to when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// One word.
    pub(super) what: String,
    pub(super) host: usize,
    /// The other end, if it concerns a way.
    pub(super) to: Option<usize>,
    /// Whether the way back is not concerned.
    pub(super) is_one_way: bool,
    pub(super) from_us: u64,
    /// `None`: to the end of the trace.
    pub(super) to_us: Option<u64>,
    pub(super) detail: String,
}

/// Takes records in order.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Whether the record was one of a fault.
    pub(super) fn take(&mut self, record: &Record, host: usize, names: &mut Names) -> bool {
        let to = record.text("to");
        let to = (!to.is_empty()).then(|| names.number(to));
        let at_us = record.t_us;
        match record.kind.as_str() {
            "partition" => self.begin("partition", record, host, to, false),
            "partition_oneway" => self.begin("partition", record, host, to, true),
            "heal" => self.end(at_us, |fault| fault.what == "partition" && fault.is_between(host, to)),
            "hold" => self.begin("hold", record, host, to, false),
            "release" => self.end(at_us, |fault| fault.what == "hold" && fault.is_between(host, to)),
            "crash" => self.begin("crash", record, host, None, false),
            "bounce" => {
                let is_this = |fault: &Fault| fault.what == "crash" && fault.host == host;
                if !self.0.iter().any(|fault| is_this(fault) && fault.to_us.is_none()) {
                    // It ran until now.
                    self.begin("crash", record, host, None, false);
                }
                self.end(at_us, is_this);
            }
            "link" => {
                self.end(at_us, |fault| fault.what == "link" && (fault.host, fault.to) == (host, to));
                if record.text("detail") != "clean" {
                    self.begin("link", record, host, to, true);
                }
            }
            "latency" => {
                self.end(at_us, |fault| fault.what == "latency" && fault.is_between(host, to));
                self.begin("latency", record, host, to, false);
            }
            "fault" => {
                self.begin(record.text("what"), record, host, to, to.is_some());
                let until_us = record.number("until_us").unwrap_or(at_us);
                if let Some(last) = self.0.last_mut() {
                    last.to_us = Some(until_us);
                }
            }
            _ => return false,
        }
        true
    }

    /// All of them. Ways that have the same fault in both directions have it once.
    pub(super) fn finish(self) -> Vec<Fault> {
        let mut joined: Vec<Fault> = Vec::new();
        for fault in self.0 {
            let is_way_back = |other: &Fault| {
                let back = Fault { host: fault.to.unwrap_or(fault.host), to: Some(fault.host), ..fault.clone() };
                other.is_one_way && other.what == "link" && *other == back
            };
            match joined.iter_mut().find(|other| is_way_back(other)) {
                Some(there) => there.is_one_way = false,
                None => joined.push(fault),
            }
        }
        joined
    }

    fn begin(&mut self, what: &str, record: &Record, host: usize, to: Option<usize>, is_one_way: bool) {
        let (what, detail) = (what.to_owned(), record.text("detail").to_owned());
        self.0.push(Fault { what, host, to, is_one_way, from_us: record.t_us, to_us: None, detail });
    }

    fn end(&mut self, at_us: u64, which: impl Fn(&Fault) -> bool) {
        for fault in self.0.iter_mut().filter(|fault| fault.to_us.is_none() && which(fault)) {
            fault.to_us = Some(at_us);
        }
    }
}

impl Fault {
    fn is_between(&self, a: usize, b: Option<usize>) -> bool {
        (self.host, self.to) == (a, b) || (self.to, Some(self.host)) == (Some(a), b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(lines: &[&str]) -> Vec<(String, bool, u64, Option<u64>)> {
        let (mut faults, mut names) = (Faults::default(), Names::default());
        for line in lines {
            let record = Record::read(line).unwrap();
            let host = names.host(&record.host);
            assert!(faults.take(&record, host, &mut names), "{line}");
        }
        faults.finish().into_iter().map(|f| (f.what, f.is_one_way, f.from_us, f.to_us)).collect()
    }

    #[test]
    fn what_is_undone_from_the_other_side_is_undone() {
        let seen = faults(&[
            r#"{"t_us":1,"host":"ann","kind":"partition","to":"bob"}"#,
            r#"{"t_us":2,"host":"ann","kind":"hold","to":"cem"}"#,
            r#"{"t_us":3,"host":"bob","kind":"heal","to":"ann"}"#,
            r#"{"t_us":4,"host":"bob","kind":"partition_oneway","to":"ann"}"#,
        ]);
        let expected = [("partition", false, 1, Some(3)), ("hold", false, 2, None), ("partition", true, 4, None)];
        assert_eq!(seen, expected.map(|(what, one_way, from, to)| (what.to_owned(), one_way, from, to)));
    }

    #[test]
    fn a_host_is_down_from_the_crash_to_the_bounce_and_one_that_ran_for_no_time() {
        let seen = faults(&[
            r#"{"t_us":1,"host":"ann","kind":"crash"}"#,
            r#"{"t_us":3,"host":"ann","kind":"bounce"}"#,
            r#"{"t_us":5,"host":"ann","kind":"bounce"}"#,
        ]);
        assert_eq!(seen, [("crash".to_owned(), false, 1, Some(3)), ("crash".to_owned(), false, 5, Some(5))]);
    }

    #[test]
    fn a_bad_link_is_one_fault_for_both_directions_until_it_is_clean_again() {
        let seen = faults(&[
            r#"{"t_us":1,"host":"ann","kind":"link","to":"bob","detail":"loss 2 %"}"#,
            r#"{"t_us":1,"host":"bob","kind":"link","to":"ann","detail":"loss 2 %"}"#,
            r#"{"t_us":5,"host":"ann","kind":"link","to":"bob","detail":"clean"}"#,
            r#"{"t_us":5,"host":"bob","kind":"link","to":"ann","detail":"clean"}"#,
            r#"{"t_us":7,"host":"bob","kind":"link","to":"ann","detail":"loss 3 %"}"#,
        ]);
        assert_eq!(seen, [("link".to_owned(), false, 1, Some(5)), ("link".to_owned(), true, 7, None)]);
    }
}
