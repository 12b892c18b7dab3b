//! Text from peers and from disk, made safe to print on a terminal.
//!
//! A name that another machine chose may hold escape sequences that move the cursor, controls that turn the reading
//! direction so that `gpj.exe` reads as `exe.jpg`, or a megabyte of combining marks. Everything remote goes through
//! [`clean`] before it reaches a terminal.

use std::path::Path;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longest name of a peer or an item that is printed, in characters.
pub(crate) const NAME_CHARS: usize = 60;
/// Longest reason, error text or description that is printed, in characters.
pub(crate) const REASON_CHARS: usize = 300;
/// Combining marks printed in a row; the rest is left out.
const MARKS_IN_A_ROW: usize = 4;

/// `text` with every character that could mislead replaced by U+FFFD, and no longer than `max_chars` characters
/// (the last of which is `…` when something was cut).
pub(crate) fn clean(text: &str, max_chars: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max_chars * 4));
    let (mut chars, mut marks) = (0, 0);
    for c in text.chars() {
        if is_mark(c) {
            marks += 1;
            if marks > MARKS_IN_A_ROW {
                continue;
            }
        } else {
            marks = 0;
        }
        if chars == max_chars {
            out.pop();
            out.push('…');
            return out;
        }
        out.push(if misleads(c) { char::REPLACEMENT_CHARACTER } else { c });
        chars += 1;
    }
    out
}

/// A name of a peer or an item.
pub(crate) fn name(text: &str) -> String {
    clean(text, NAME_CHARS)
}

/// A reason, an error text, a description.
pub(crate) fn reason(text: &str) -> String {
    clean(text, REASON_CHARS)
}

/// A local path. Not shortened: people copy it.
pub(crate) fn path(path: &Path) -> String {
    clean(&path.to_string_lossy(), usize::MAX / 8)
}

/// Whether a terminal would do something else with `c` than show it where it stands.
pub(crate) fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}'                  // soft hyphen: invisible
            | '\u{061c}' | '\u{200e}' | '\u{200f}' // direction marks
            | '\u{202a}'..='\u{202e}'   // direction embedding and override
            | '\u{2066}'..='\u{2069}'   // direction isolates
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' // invisible
            | '\u{2028}' | '\u{2029}'   // line and paragraph separator
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // blank letters
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}') // tags
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{0e31}' | '\u{0e34}'..='\u{0e3a}'
        | '\u{0e47}'..='\u{0e4e}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

/// Columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to at most `columns` terminal columns, with `…` when something was cut.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// `text` followed by spaces up to `columns` terminal columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut out = text.to_owned();
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(text.width())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_of_all_languages_pass_unchanged() {
        for name in ["Quake", "naïve café", "日本語 🎮", "-leading dash", "👩‍🚀 crew", "می‌خواهم", "a\u{301}"]
        {
            assert_eq!(clean(name, 60), name);
        }
    }

    #[test]
    fn escape_sequences_lose_their_escape() {
        let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nx\u{9b}31m\u{7f}\0";
        let shown = clean(evil, 60);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(shown.contains("owned") && shown.contains("31m"));
    }

    #[test]
    fn direction_overrides_and_invisible_characters_are_shown_as_replaced() {
        for evil in [
            '\u{202e}',
            '\u{2066}',
            '\u{200f}',
            '\u{061c}',
            '\u{200b}',
            '\u{feff}',
            '\u{2028}',
            '\u{e0041}',
            '\u{3164}',
        ] {
            let shown = clean(&format!("a{evil}b"), 60);
            assert_eq!(shown, "a\u{fffd}b", "U+{:04X}", evil as u32);
        }
    }

    #[test]
    fn long_text_is_cut_at_the_limit_and_not_before() {
        assert_eq!(clean(&"x".repeat(60), 60).chars().count(), 60);
        assert!(!clean(&"x".repeat(60), 60).contains('…'));
        let cut = clean(&"x".repeat(61), 60);
        assert_eq!(cut.chars().count(), 60);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn a_pile_of_combining_marks_is_thinned_out() {
        let pile = format!("a{}b", "\u{0301}".repeat(500));
        assert_eq!(clean(&pile, 60).chars().count(), 2 + MARKS_IN_A_ROW);
    }

    #[test]
    fn columns_count_wide_characters_twice() {
        assert_eq!(width("日本"), 4);
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(pad("日", 4), "日  ");
    }
}
