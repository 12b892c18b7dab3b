//! Which item is meant: a pure function over what is on offer.

use moorline_runtime::node::Offer;
use moorline_runtime::proto::{ItemId, PeerId};

/// Shortest prefix of an id that is taken for one, characters.
pub(crate) const MIN_PREFIX: usize = 4;

/// Restricts a choice to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// Its id.
    Peer(PeerId),
    /// Its name, or a prefix of its id.
    Text(String),
}

impl From {
    /// Whether a provider is the peer that is meant.
    pub(crate) fn fits(&self, id: &PeerId, name: &str) -> bool {
        match self {
            Self::Peer(peer) => peer == id,
            Self::Text(text) => is_peer(text, id, name),
        }
    }
}

/// What a query means among the offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Exactly one item; from one peer alone if the query says so.
    One {
        item: ItemId,
        /// The peers that the query restricts the download to; empty when everyone who has the item may serve.
        only: Vec<PeerId>,
    },
    /// Several items fit equally well. In the order of the offers.
    Many(Vec<ItemId>),
    /// Nothing fits.
    None,
}

/// Whether an offer, under the name that one provider gives it, is what is meant.
type Rule<'a> = &'a dyn Fn(&Offer, &str) -> bool;

/// Finds the item that `query` names: by name, `name@peer`, or id or prefix of one (at least [`MIN_PREFIX`] characters).
///
/// The first rule that fits anything decides: exact name; name without regard to case, also the title; `name@peer`; id or
/// prefix. Names win over ids, so that a short name that happens to be the prefix of an id still works. Only the offers of
/// `from` count where it is given.
pub(crate) fn select(query: &str, offers: &[Offer], from: Option<&From>) -> Selection {
    if let Ok(id) = query.parse::<ItemId>()
        && find(offers, from, |offer, _| offer.summary.id == id).next().is_some()
    {
        return Selection::One { item: id, only: restrict(offers, id, from) };
    }
    let folded = query.to_lowercase();
    let by_case = |name: &str| name.to_lowercase() == folded;
    let rules: [Rule<'_>; 3] = [
        &|_, name| name == query,
        &|offer, name| by_case(name) || offer.summary.title.as_deref().is_some_and(by_case),
        &|offer, _| is_prefix(query, &offer.summary.id.to_string()),
    ];
    for (index, rule) in rules.iter().enumerate() {
        // `name@peer` stands between names and ids: an item whose own name holds an `@` is found by the rules before.
        if index == 2
            && from.is_none()
            && let Some((name, peer)) = query.rsplit_once('@')
            && !name.is_empty()
            && !peer.is_empty()
        {
            match select(name, offers, Some(&From::Text(peer.to_owned()))) {
                Selection::None => {}
                found => return found,
            }
        }
        let found: Vec<ItemId> = find(offers, from, rule).collect();
        match found.as_slice() {
            [] => {}
            [item] => return Selection::One { item: *item, only: restrict(offers, *item, from) },
            _ => return Selection::Many(found),
        }
    }
    Selection::None
}

/// The peers that `from` means among those that offer an item.
fn restrict(offers: &[Offer], item: ItemId, from: Option<&From>) -> Vec<PeerId> {
    let Some(from) = from else { return Vec::new() };
    let offer = offers.iter().filter(|offer| offer.summary.id == item);
    offer.flat_map(|offer| &offer.providers).filter(|p| from.fits(&p.id, &p.name)).map(|p| p.id).collect()
}

/// The items of which at least one provider (of those that count) fits. The same bytes have the same id wherever they are, but
/// may go by another name at each peer.
fn find<'a>(
    offers: &'a [Offer],
    from: Option<&'a From>,
    fits: impl Fn(&Offer, &str) -> bool + 'a,
) -> impl Iterator<Item = ItemId> + 'a {
    offers
        .iter()
        .filter(move |offer| {
            let mut providers = offer.providers.iter().filter(|p| from.is_none_or(|from| from.fits(&p.id, &p.name)));
            providers.any(|provider| fits(offer, &provider.item_name))
        })
        .map(|offer| offer.summary.id)
}

/// Whether `text` means the peer: its name without regard to case, or its id or a prefix of it.
pub(crate) fn is_peer(text: &str, id: &PeerId, name: &str) -> bool {
    text == name || text.to_lowercase() == name.to_lowercase() || is_prefix(text, &id.to_string())
}

fn is_prefix(text: &str, id: &str) -> bool {
    text.len() >= MIN_PREFIX && text.is_ascii() && id.starts_with(&text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use moorline_runtime::node::Provider;
    use moorline_runtime::proto::ItemSummary;

    use super::*;

    fn item(n: u8) -> ItemId {
        ItemId::from_bytes([n; 32])
    }

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn offer(n: u8, name: &str, peers: &[(u8, &str)]) -> Offer {
        let summary = ItemSummary {
            id: item(n),
            name: name.to_owned(),
            title: None,
            version: None,
            description: None,
            bytes: 1,
            files: 1,
            thumbnail: None,
        };
        let providers = peers
            .iter()
            .map(|(n, peer_name)| Provider {
                id: peer(*n),
                name: (*peer_name).to_owned(),
                addr: ([127, 0, 0, 1], 1).into(),
                item_name: name.to_owned(),
            })
            .collect();
        Offer { summary, providers }
    }

    fn one(n: u8) -> Selection {
        Selection::One { item: item(n), only: Vec::new() }
    }

    fn one_of(n: u8, peers: &[u8]) -> Selection {
        Selection::One { item: item(n), only: peers.iter().map(|n| peer(*n)).collect() }
    }

    #[test]
    fn a_name_is_enough_however_many_peers_have_it() {
        let offers = [offer(1, "Quake", &[(1, "alice"), (2, "bob")]), offer(2, "Doom", &[(1, "alice")])];
        assert_eq!(select("Quake", &offers, None), one(1));
        assert_eq!(select("quake", &offers, None), one(1));
        assert_eq!(select("Quak", &offers, None), Selection::None);
        assert_eq!(select("", &offers, None), Selection::None);
    }

    #[test]
    fn namesakes_are_told_apart_by_peer() {
        let offers = [offer(1, "Quake", &[(1, "alice")]), offer(2, "Quake", &[(2, "Bob")])];
        assert_eq!(select("Quake", &offers, None), Selection::Many(vec![item(1), item(2)]));
        assert_eq!(select("Quake@alice", &offers, None), one_of(1, &[1]));
        assert_eq!(select("quake@bob", &offers, None), one_of(2, &[2]));
        assert_eq!(select("Quake@carol", &offers, None), Selection::None);
        let id = peer(2).to_string();
        assert_eq!(select(&format!("Quake@{}", &id[..4]), &offers, None), one_of(2, &[2]));
        assert_eq!(select("Quake", &offers, Some(&From::Peer(peer(2)))), one_of(2, &[2]));
        assert_eq!(select("Quake", &offers, Some(&From::Text("alice".to_owned()))), one_of(1, &[1]));
    }

    #[test]
    fn the_exact_spelling_wins_over_another_case() {
        let offers = [offer(1, "quake", &[(1, "alice")]), offer(2, "Quake", &[(1, "alice")])];
        assert_eq!(select("Quake", &offers, None), one(2));
        assert_eq!(select("QUAKE", &offers, None), Selection::Many(vec![item(1), item(2)]));
    }

    #[test]
    fn ids_and_prefixes_of_at_least_four_characters_work() {
        let offers = [offer(1, "Quake", &[(1, "alice")]), offer(200, "Doom", &[(1, "alice")])];
        let id = item(200).to_string();
        assert_eq!(select(&id, &offers, None), one(200));
        assert_eq!(select(&id.to_uppercase()[..MIN_PREFIX], &offers, None), one(200));
        assert_eq!(select(&id[..MIN_PREFIX - 1], &offers, None), Selection::None);
        assert_eq!(select(&item(9).to_string(), &offers, None), Selection::None);
    }

    #[test]
    fn a_prefix_of_several_ids_is_ambiguous() {
        let mut twin = offer(1, "Doom", &[(1, "alice")]);
        let mut bytes = [1; 32];
        bytes[31] = 9;
        twin.summary.id = ItemId::from_bytes(bytes);
        let offers = [offer(1, "Quake", &[(1, "alice")]), twin.clone()];
        let prefix = &item(1).to_string()[..8];
        assert_eq!(select(prefix, &offers, None), Selection::Many(vec![item(1), twin.summary.id]));
    }

    #[test]
    fn a_name_wins_over_an_id_and_over_an_at_sign() {
        let id = item(1).to_string();
        let offers = [
            offer(1, "Quake", &[(1, "alice")]),
            offer(2, &id[..6], &[(1, "alice")]),
            offer(3, "Quake@alice", &[(2, "bob")]),
        ];
        assert_eq!(select(&id[..6], &offers, None), one(2));
        assert_eq!(select("Quake@alice", &offers, None), one(3));
        assert_eq!(select("Quake@alice@bob", &offers, None), one_of(3, &[2]));
    }

    #[test]
    fn each_peers_own_name_for_an_item_counts() {
        let mut both = offer(1, "Quake", &[(1, "alice"), (2, "bob")]);
        both.providers[1].item_name = "quake-1996".to_owned();
        let offers = [both];
        assert_eq!(select("quake-1996", &offers, None), one(1));
        assert_eq!(select("quake-1996@bob", &offers, None), one_of(1, &[2]));
        assert_eq!(select("quake-1996@alice", &offers, None), Selection::None);
    }

    #[test]
    fn titles_count_as_names() {
        let mut titled = offer(1, "q1", &[(1, "alice")]);
        titled.summary.title = Some("Quake (1996)".to_owned());
        assert_eq!(select("quake (1996)", &[titled], None), one(1));
    }
}
