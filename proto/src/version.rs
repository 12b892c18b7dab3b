//! Which protocol versions a peer speaks, and which one two peers settle on.

use std::fmt;

/// What this crate speaks.
pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 1 };

/// A closed range of protocol versions. Versions start at 1; a range that starts at 0 or ends before it starts has no
/// version in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionRange {
    /// Lowest version.
    pub min: u32,
    /// Highest version.
    pub max: u32,
}

impl VersionRange {
    /// The highest version that both ranges contain; `None` when they share none.
    pub fn negotiate(self, other: VersionRange) -> Option<u32> {
        if !self.is_valid() || !other.is_valid() {
            return None;
        }
        let highest = self.max.min(other.max);
        (highest >= self.min.max(other.min)).then_some(highest)
    }

    /// Whether `version` is in the range.
    pub fn contains(self, version: u32) -> bool {
        self.is_valid() && (self.min..=self.max).contains(&version)
    }

    /// Whether any version is in the range.
    pub fn is_valid(self) -> bool {
        self.min >= 1 && self.min <= self.max
    }
}

/// `1`, or `1..=3`.
impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}..={}", self.min, self.max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: u32, max: u32) -> VersionRange {
        VersionRange { min, max }
    }

    #[test]
    fn the_highest_common_version_wins() {
        assert_eq!(range(1, 3).negotiate(range(2, 5)), Some(3));
        assert_eq!(range(2, 5).negotiate(range(1, 3)), Some(3));
        assert_eq!(range(1, 1).negotiate(range(1, 1)), Some(1));
        assert_eq!(range(1, 2).negotiate(range(2, u32::MAX)), Some(2));
    }

    #[test]
    fn no_common_version_is_none() {
        assert_eq!(range(1, 1).negotiate(range(2, 2)), None);
        assert_eq!(range(4, 9).negotiate(range(1, 3)), None);
    }

    #[test]
    fn ranges_without_a_version_agree_with_nobody() {
        for empty in [range(0, 0), range(0, 5), range(3, 2)] {
            assert_eq!(empty.negotiate(range(1, 9)), None);
            assert_eq!(range(1, 9).negotiate(empty), None);
            assert!(!empty.contains(1));
        }
    }

    #[test]
    fn display_is_a_number_or_a_range() {
        assert_eq!(range(1, 1).to_string(), "1");
        assert_eq!(range(1, 3).to_string(), "1..=3");
    }
}
