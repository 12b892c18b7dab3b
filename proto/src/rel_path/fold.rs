//! Caseless matching of file names.
//!
//! File systems disagree: NTFS upper-cases code point by code point, APFS folds case and ignores the Unicode form, ext4
//! compares bytes. The key here makes equal whatever any of them makes equal: Unicode's canonical caseless matching
//! (standard, section 3.13, D145) with full mappings, so that `straße` meets `STRASSE` and a precomposed `é` a
//! decomposed one.

use unicode_normalization::UnicodeNormalization as _;

pub(crate) fn fold(component: &str) -> String {
    if component.is_ascii() {
        return component.to_ascii_lowercase();
    }
    // What has one capital becomes one letter: σ and ς, s and ſ, ß and ss; lower case first, for ẞ, whose capital is
    // itself. Character by character, because `str::to_lowercase` looks at what stands around a Σ.
    component.nfd().flat_map(char::to_lowercase).flat_map(upper).flat_map(char::to_lowercase).nfc().collect()
}

/// The dotless ı has the capital I, which is i's, but is another letter than i to every file system and to every reader
/// of Turkish.
fn upper(c: char) -> impl Iterator<Item = char> {
    let kept = (c == 'ı').then_some(c);
    let mapped = (c != 'ı').then(|| c.to_uppercase());
    kept.into_iter().chain(mapped.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_folds_as_its_other_cases_and_forms_do() {
        for c in ('\0'..=char::MAX).filter(|c| *c != 'ı') {
            let one_form = c.to_uppercase().eq([c]) && c.to_lowercase().eq([c]) && c.nfc().eq([c]) && c.nfd().eq([c]);
            if one_form {
                continue; // most of them
            }
            let key = fold(&c.to_string());
            let variants: [String; 5] = [
                c.to_uppercase().collect(),
                c.to_lowercase().collect(),
                c.nfc().collect(),
                c.nfd().collect(),
                key.clone(),
            ];
            for variant in variants {
                assert_eq!(fold(&variant), key, "U+{:04X}", u32::from(c));
            }
        }
    }
}
