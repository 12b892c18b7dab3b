//! Where two traces part.

use std::fmt;

/// Lines before the one that differs.
const BEFORE: usize = 20;
/// Lines from there on.
const AFTER: usize = 5;

/// The first line in which two traces differ, with what is around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Counts from 1.
    pub line: usize,
    /// What both have in common before it.
    pub before: Vec<String>,
    /// How one goes on; empty if it ends there.
    pub one: Vec<String>,
    /// How the other goes on.
    pub other: Vec<String>,
}

/// Compares two texts line by line. `None` if they are the same.
#[must_use]
pub fn first_difference(one: &str, other: &str) -> Option<Difference> {
    if one == other {
        return None;
    }
    let same = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    let part = |text: &str, from: usize, count: usize| text.lines().skip(from).take(count).map(str::to_owned).collect();
    let begin = same.saturating_sub(BEFORE);
    Some(Difference {
        line: same + 1,
        before: part(one, begin, same - begin),
        one: part(one, same, AFTER),
        other: part(other, same, AFTER),
    })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the first difference is in line {}:", self.line)?;
        self.before.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        self.one.iter().try_for_each(|line| writeln!(f, "- {line}"))?;
        self.other.iter().try_for_each(|line| writeln!(f, "+ {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_shown_with_what_is_before_it() {
        let difference = first_difference("a\nb\nc\n", "a\nb\nx\n").unwrap();
        assert_eq!((difference.line, difference.before.len()), (3, 2));
        assert_eq!((difference.one, difference.other), (vec!["c".to_owned()], vec!["x".to_owned()]));
    }

    #[test]
    fn a_text_that_goes_on_differs_from_one_that_ends() {
        assert_eq!(first_difference("a\n", "a\n"), None);
        let difference = first_difference("a\n", "a\nb\n").unwrap();
        assert!(difference.one.is_empty() && difference.other == ["b"]);
    }
}
