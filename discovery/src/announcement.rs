//! What a peer says of itself.

/// Most bytes of an id or tag.
pub const MAX_TOKEN_BYTES: usize = 64;

/// Most bytes of a name; longer ones are cut at a character's edge when they are announced, and when they are read.
pub const MAX_NAME_BYTES: usize = 128;

/// What a peer tells the network about itself: a claim, until the transport has proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The peer's id. `None` gives nothing away, and then `tag` is needed.
    pub id: Option<String>,
    /// The random tag that a member of a closed group shows in place of everything else.
    /// With a tag, `id` and `name` are not announced even if they are set.
    pub tag: Option<String>,
    /// A name for people. Not unique, not an identity.
    pub name: Option<String>,
    /// Highest version of the peer protocol that is spoken.
    pub protocol: u32,
    /// UDP port that the peer listens on.
    pub port: u16,
}

/// Why an announcement cannot be published: a mistake of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnouncementError {
    /// Neither id nor tag.
    #[error("it has neither an id nor a tag, so nobody could tell it from another")]
    Anonymous,
    /// An id or tag that is empty, too long, or not printable ASCII.
    #[error("its {field} must be 1 to {MAX_TOKEN_BYTES} printable ASCII characters without spaces")]
    Token {
        /// `id` or `tag`.
        field: &'static str,
    },
    /// Port 0.
    #[error("its port is 0; announce the port that the socket is bound to")]
    Port,
}

impl Announcement {
    /// What tells this peer from others: the tag where there is one to be shown, else the id.
    pub(crate) fn own_key(&self) -> Option<&str> {
        self.tag.as_deref().or(self.id.as_deref())
    }

    /// Fails if this cannot be published.
    pub(crate) fn check(&self) -> Result<(), AnnouncementError> {
        for (field, token) in [("id", &self.id), ("tag", &self.tag)] {
            if token.as_deref().is_some_and(|t| !is_token(t)) {
                return Err(AnnouncementError::Token { field });
            }
        }
        if self.own_key().is_none() {
            return Err(AnnouncementError::Anonymous);
        }
        if self.port == 0 {
            return Err(AnnouncementError::Port);
        }
        Ok(())
    }

    /// What others may see: with a tag, nothing but the tag.
    pub(crate) fn public(&self) -> Announcement {
        let closed = self.tag.is_some();
        Announcement {
            id: self.id.clone().filter(|_| !closed),
            tag: self.tag.clone(),
            name: self.name.as_deref().filter(|_| !closed).and_then(clean_name),
            protocol: self.protocol,
            port: self.port,
        }
    }
}

/// Ids and tags: short, printable, nothing that a terminal or a log could stumble over.
pub(crate) fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Makes a name safe to print: control characters and those that reorder text become U+FFFD; cut to [`MAX_NAME_BYTES`]; `None` if nothing is left.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    let clean: String = name.chars().map(|c| if is_deceptive(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    let clean = cut(clean.trim(), MAX_NAME_BYTES).trim_end();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// The longest prefix of `text` that has at most `max` bytes and whole characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Announcement {
        Announcement { id: Some("abc".into()), tag: None, name: Some("Ann".into()), protocol: 1, port: 7400 }
    }

    #[test]
    fn a_tag_hides_id_and_name() {
        let public = Announcement { tag: Some("t1".into()), ..open() }.public();
        assert_eq!(public, Announcement { id: None, tag: Some("t1".into()), name: None, protocol: 1, port: 7400 });
    }

    #[test]
    fn what_cannot_be_published_is_refused() {
        assert_eq!(open().check(), Ok(()));
        assert_eq!(Announcement { id: None, ..open() }.check(), Err(AnnouncementError::Anonymous));
        assert_eq!(Announcement { port: 0, ..open() }.check(), Err(AnnouncementError::Port));
        assert_eq!(
            Announcement { id: Some(String::new()), ..open() }.check(),
            Err(AnnouncementError::Token { field: "id" })
        );
        assert_eq!(
            Announcement { tag: Some("a b".into()), ..open() }.check(),
            Err(AnnouncementError::Token { field: "tag" })
        );
    }

    #[test]
    fn a_token_may_have_64_bytes_and_not_65() {
        assert!(is_token(&"x".repeat(MAX_TOKEN_BYTES)));
        assert!(!is_token(&"x".repeat(MAX_TOKEN_BYTES + 1)));
        assert!(!is_token("bell\u{7}"));
        assert!(!is_token("grün"));
    }

    #[test]
    fn names_cannot_move_the_cursor_or_turn_text_round() {
        assert_eq!(clean_name("a\u{1b}[2Jb\u{202e}c").as_deref(), Some("a\u{fffd}[2Jb\u{fffd}c"));
        assert_eq!(clean_name("  \n "), Some("\u{fffd}".into()));
        assert_eq!(clean_name("   "), None);
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        let exact = "é".repeat(MAX_NAME_BYTES / 2);
        assert_eq!(clean_name(&exact).as_deref(), Some(exact.as_str()));
        assert_eq!(clean_name(&format!("x{exact}")).map(|n| n.len()), Some(MAX_NAME_BYTES - 1));
    }
}
