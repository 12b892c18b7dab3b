//! The TXT record of an announcement (RFC 6763 section 6): `v` protocol version, `id` peer id, `n` name, `t` tag. No I/O.

use crate::announcement::{Announcement, clean_name, is_token};

/// Why a TXT record is not that of a Moorline peer. The sender's fault; such a peer is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TxtError {
    #[error("no usable protocol version (v)")]
    Version,
    #[error("neither id nor tag (t)")]
    Anonymous,
    #[error("an id or tag (t) that is empty, too long or not printable")]
    Token,
    #[error("port 0")]
    Port,
}

/// Key and value of each entry for `announcement`, which has been checked. Each is well below the 255 bytes that one entry may have, all together below 400.
pub(crate) fn build(announcement: &Announcement) -> Vec<(&'static str, String)> {
    let public = announcement.public();
    let mut entries = vec![("v", public.protocol.to_string())];
    entries.extend(public.id.map(|id| ("id", id)));
    entries.extend(public.tag.map(|tag| ("t", tag)));
    entries.extend(public.name.map(|name| ("n", name)));
    entries
}

/// Reads the entries of a stranger's TXT record. Unknown keys are skipped; of keys that appear twice the first counts; keys ignore case.
pub(crate) fn parse<'a>(
    entries: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    port: u16,
) -> Result<Announcement, TxtError> {
    let (mut version, mut id, mut tag, mut name) = (None, None, None, None);
    for (key, value) in entries {
        let slot = match key {
            _ if key.eq_ignore_ascii_case("v") => &mut version,
            _ if key.eq_ignore_ascii_case("id") => &mut id,
            _ if key.eq_ignore_ascii_case("t") => &mut tag,
            _ if key.eq_ignore_ascii_case("n") => &mut name,
            _ => continue,
        };
        slot.get_or_insert(value.unwrap_or_default());
    }
    if port == 0 {
        return Err(TxtError::Port);
    }
    let protocol = version.and_then(parse_version).ok_or(TxtError::Version)?;
    let id = id.map(parse_token).transpose()?;
    let tag = tag.map(parse_token).transpose()?;
    if id.is_none() && tag.is_none() {
        return Err(TxtError::Anonymous);
    }
    let name = name.and_then(|bytes| clean_name(&String::from_utf8_lossy(bytes)));
    Ok(Announcement { id, tag, name, protocol, port })
}

fn parse_version(bytes: &[u8]) -> Option<u32> {
    // Not `from_str` alone: it would take a sign.
    let digits = std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}

fn parse_token(bytes: &[u8]) -> Result<String, TxtError> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| is_token(text));
    text.map(str::to_owned).ok_or(TxtError::Token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_NAME_BYTES, MAX_TOKEN_BYTES};
    use proptest::prelude::*;

    fn read(entries: &[(&str, &str)]) -> Result<Announcement, TxtError> {
        parse(entries.iter().map(|(k, v)| (*k, Some(v.as_bytes()))), 7400)
    }

    #[test]
    fn an_open_peer_shows_version_id_and_name() {
        let own =
            Announcement { id: Some("abc".into()), tag: None, name: Some("Ann's PC".into()), protocol: 3, port: 7400 };
        let entries = build(&own);
        assert_eq!(entries, [("v", "3".into()), ("id", "abc".into()), ("n", "Ann's PC".to_owned())]);
        assert_eq!(parse(entries.iter().map(|(k, v)| (*k, Some(v.as_bytes()))), 7400), Ok(own));
    }

    #[test]
    fn a_member_of_a_closed_group_shows_version_and_tag_only() {
        let own = Announcement {
            id: Some("secret".into()),
            tag: Some("t0".into()),
            name: Some("secret".into()),
            protocol: 1,
            port: 1,
        };
        assert_eq!(build(&own), [("v", "1".to_owned()), ("t", "t0".to_owned())]);
    }

    #[test]
    fn keys_ignore_case_and_the_first_of_two_counts() {
        let read = read(&[("V", "1"), ("ID", "abc"), ("id", "other"), ("colour", "red")]);
        assert_eq!(read.map(|a| a.id), Ok(Some("abc".into())));
    }

    #[test]
    fn records_that_are_not_ours_are_told_apart() {
        assert_eq!(read(&[("id", "abc")]), Err(TxtError::Version));
        assert_eq!(read(&[("v", "+1"), ("id", "abc")]), Err(TxtError::Version));
        assert_eq!(read(&[("v", "4294967296"), ("id", "abc")]), Err(TxtError::Version));
        assert_eq!(read(&[("v", "1")]), Err(TxtError::Anonymous));
        assert_eq!(read(&[("v", "1"), ("id", "")]), Err(TxtError::Token));
        assert_eq!(read(&[("v", "1"), ("id", "abc"), ("t", "x y")]), Err(TxtError::Token));
        assert_eq!(parse([("v", None)].into_iter(), 1), Err(TxtError::Version));
        assert_eq!(parse([("v", Some(&b"1"[..])), ("id", Some(&b"abc"[..]))].into_iter(), 0), Err(TxtError::Port));
    }

    #[test]
    fn an_id_may_have_64_bytes_and_not_65() {
        let longest = "i".repeat(MAX_TOKEN_BYTES);
        assert_eq!(read(&[("v", "1"), ("id", &longest)]).map(|a| a.id), Ok(Some(longest.clone())));
        assert_eq!(read(&[("v", "1"), ("id", &format!("{longest}i"))]), Err(TxtError::Token));
    }

    fn announcements() -> impl Strategy<Value = Announcement> {
        let token = proptest::option::of("[!-~]{1,64}");
        let name = proptest::option::of(any::<String>());
        (token.clone(), token, name, any::<u32>(), 1..=u16::MAX)
            .prop_map(|(id, tag, name, protocol, port)| Announcement { id, tag, name, protocol, port })
            .prop_filter("needs a key", |a| a.check().is_ok())
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back(own in announcements()) {
            let entries = build(&own);
            let read = parse(entries.iter().map(|(k, v)| (*k, Some(v.as_bytes()))), own.port);
            prop_assert_eq!(read, Ok(own.public()));
            prop_assert!(entries.iter().all(|(k, v)| k.len() + 1 + v.len() <= 255));
            prop_assert!(entries.iter().map(|(k, v)| k.len() + 2 + v.len()).sum::<usize>() <= 400);
        }

        #[test]
        fn whatever_arrives_is_bounded_and_printable(
            entries in proptest::collection::vec(("[a-zA-Z]{0,2}", proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300))), 0..12),
            port: u16,
        ) {
            if let Ok(read) = parse(entries.iter().map(|(k, v)| (k.as_str(), v.as_deref())), port) {
                prop_assert_eq!(read.check(), Ok(()));
                if let Some(name) = read.name {
                    prop_assert!(name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control));
                }
            }
        }
    }
}
