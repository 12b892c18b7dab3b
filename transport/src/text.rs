//! Text that came from a peer, made fit for logs and terminals.

/// `text` without control and direction-changing characters, cut to `max` bytes.
///
/// What a peer calls itself ends up on terminals: no escape sequence, no line break and no reversed line may come with it.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_control() && !is_direction_mark(*c)) {
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(c);
    }
    out
}

/// [`clean`] for bytes that should be UTF-8.
pub(crate) fn clean_bytes(bytes: &[u8], max: usize) -> String {
    clean(&String::from_utf8_lossy(bytes), max)
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_do_not_survive() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\u{202e}d\u{9b}e", 100), "a[31mbcde");
        assert_eq!(clean("Zoë's 🎮 box", 100), "Zoë's 🎮 box");
    }

    #[test]
    fn the_cut_is_between_characters() {
        assert_eq!(clean("aé", 2), "a");
        assert_eq!(clean("aé", 3), "aé");
        assert_eq!(clean_bytes(&[b'a', 0xff, b'b'], 100), "a\u{fffd}b");
    }
}
