//! Who is in the room, as far as the events that were told go, and what they are called.

use std::collections::BTreeMap;

use moorline_signaling::machine::Event;
use moorline_signaling::{Participant, ParticipantId};

use crate::text;

/// Names that are listed; the rest is counted.
const LISTED: usize = 20;

/// The participants by id.
#[derive(Debug, Default)]
pub(super) struct Roster {
    own: Option<ParticipantId>,
    here: BTreeMap<ParticipantId, Participant>,
}

impl Roster {
    /// Takes in what an event says of who is here.
    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::Joined { participant, participants, .. } | Event::ResyncRequired { participant, participants } => {
                self.own = Some(*participant);
                self.here = participants.iter().map(|member| (member.id, member.clone())).collect();
            }
            Event::ParticipantJoined(member) | Event::ParticipantUpdated(member) => {
                self.here.insert(member.id, member.clone());
            }
            Event::ParticipantLeft { participant, .. } => {
                self.here.remove(&participant.id);
            }
            _ => {}
        }
    }

    /// This participant is called something else from now on, of which there is no event.
    pub(super) fn rename_own(&mut self, name: &str) {
        if let Some(member) = self.own.and_then(|own| self.here.get_mut(&own)) {
            name.clone_into(&mut member.name);
        }
    }

    /// The name that a participant gave itself, as it is. Empty if it is not known.
    pub(super) fn raw_name(&self, id: ParticipantId) -> &str {
        self.here.get(&id).map_or("", |member| &member.name)
    }

    /// What to call a participant: safe to print.
    pub(super) fn name(&self, id: ParticipantId) -> String {
        match self.here.get(&id) {
            Some(member) => self.name_of(member),
            None => "somebody".to_owned(),
        }
    }

    /// As [`name`](Self::name), for one who may not be here yet, or any more. Who shares a name with another is told apart by
    /// identity.
    pub(super) fn name_of(&self, member: &Participant) -> String {
        let name = plain(member);
        let others = self.here.values().filter(|other| other.id != member.id);
        if name != text::name(&member.identity) && others.map(plain).any(|other| other == name) {
            return format!("{name} ({})", text::name(&member.identity));
        }
        name
    }

    /// The one participant, other than this one, of that identity or else of that name. The error says why there is none.
    pub(super) fn find(&self, query: &str) -> Result<ParticipantId, String> {
        let others = || self.here.values().filter(|member| Some(member.id) != self.own);
        if let Some(member) = others().find(|member| member.identity == query) {
            return Ok(member.id);
        }
        let named: Vec<&Participant> = others().filter(|member| member.name == query).collect();
        match named[..] {
            [one] => Ok(one.id),
            [] => Err(format!("nobody here is called {}", text::name(query))),
            _ => {
                let identities = list(named.iter().map(|member| text::name(&member.identity)));
                Err(format!("several here are called {}: write the identity, of {identities}", text::name(query)))
            }
        }
    }

    /// Everybody but this one, in a line; `None` if there is nobody.
    pub(super) fn others(&self) -> Option<String> {
        let others: Vec<&Participant> = self.here.values().filter(|member| Some(member.id) != self.own).collect();
        let verb = if others.len() == 1 { "is" } else { "are" };
        let names = list(others.iter().map(|member| self.name_of(member)));
        (!others.is_empty()).then(|| format!("{names} {verb} here"))
    }

    /// What this participant is called.
    pub(super) fn own_name(&self) -> String {
        self.own.map_or_else(|| "somebody".to_owned(), |own| self.name(own))
    }
}

/// The name, or the identity of one who has none. A name cannot pass for a line of the program's own, which start with a star.
fn plain(member: &Participant) -> String {
    let name = if member.name.trim().is_empty() { &member.identity } else { &member.name };
    let shown = text::name(name.trim());
    if shown.starts_with('*') { format!("\"{shown}\"") } else { shown }
}

fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.truncate(LISTED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, identity: &str, name: &str) -> Participant {
        Participant {
            id: ParticipantId(id),
            identity: identity.to_owned(),
            name: name.to_owned(),
            ..Participant::default()
        }
    }

    fn roster(members: &[(u64, &str, &str)]) -> Roster {
        let participants = members.iter().map(|(id, identity, name)| member(*id, identity, name)).collect();
        let mut roster = Roster::default();
        roster.observe(&Event::ResyncRequired { participant: ParticipantId(1), participants });
        roster
    }

    #[test]
    fn identity_comes_before_name_and_two_of_one_name_are_asked_about() {
        let roster = roster(&[(1, "me", "ada"), (2, "b", "ben"), (3, "ben", "cy"), (4, "d", "dee"), (5, "e", "dee")]);
        assert_eq!(roster.find("ben"), Ok(ParticipantId(3)));
        assert_eq!(roster.find("cy"), Ok(ParticipantId(3)));
        assert_eq!(roster.find("d"), Ok(ParticipantId(4)));
        assert!(roster.find("dee").expect_err("two").contains("d, e"));
        assert!(roster.find("ada").is_err(), "that is this one");
        assert!(!roster.find("\u{1b}[2J").expect_err("nobody").contains('\u{1b}'));
    }

    #[test]
    fn who_shares_a_name_is_told_apart_and_nobody_passes_for_the_program() {
        let roster = roster(&[(1, "me", "ada"), (2, "x", "ben"), (3, "y", "ben"), (4, "z", " * closed"), (5, "w", "")]);
        assert_eq!(roster.name(ParticipantId(2)), "ben (x)");
        assert_eq!(roster.name(ParticipantId(1)), "ada");
        assert_eq!(roster.name(ParticipantId(4)), "\"* closed\"");
        assert_eq!(roster.name(ParticipantId(5)), "w");
        assert_eq!(roster.name(ParticipantId(9)), "somebody");
        assert_eq!(roster.others().as_deref(), Some("\"* closed\", ben (x), ben (y), w are here"));
    }

    #[test]
    fn this_one_is_renamed_without_an_event() {
        let mut roster = roster(&[(1, "me", "ada"), (2, "x", "ben")]);
        roster.rename_own("Ada L");
        assert_eq!((roster.own_name().as_str(), roster.name(ParticipantId(2)).as_str()), ("Ada L", "ben"));
        let mut nobody = Roster::default();
        nobody.rename_own("x");
        assert_eq!(nobody.own_name(), "somebody");
    }

    #[test]
    fn a_crowd_is_counted() {
        let names: Vec<String> = (0..30).map(|n| format!("p{n:02}")).collect();
        let members: Vec<(u64, &str, &str)> =
            names.iter().enumerate().map(|(n, name)| (n as u64 + 1, name.as_str(), name.as_str())).collect();
        let text = roster(&members).others().expect("somebody");
        assert!(text.ends_with("p20, 9 more are here"), "{text}");
        assert_eq!(roster(&members[..1]).others(), None);
    }
}
