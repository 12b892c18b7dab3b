//! What one component of a path may be.

use super::{MAX_COMPONENT_BYTES, RelPathError};

/// Characters that are separators, wildcards or stream marks on some platform.
const FORBIDDEN: &[char] = &['\\', ':', '<', '>', '"', '|', '?', '*'];

/// Device names of Windows. Those with a number follow below.
/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
const DEVICES: &[&str] = &["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// `path` is the whole text, for messages.
pub(super) fn check(component: &str, path: &str) -> Result<(), RelPathError> {
    let whole = || path.to_owned();
    match component {
        "" => return Err(RelPathError::EmptyComponent(whole())),
        "." => return Err(RelPathError::Dots(whole(), ".")),
        ".." => return Err(RelPathError::Dots(whole(), "..")),
        _ => {}
    }
    let bad = |c: &char| c.is_control() || FORBIDDEN.contains(c);
    if let Some(found) = component.chars().find(bad) {
        return Err(RelPathError::Character(whole(), found));
    }
    if component.len() > MAX_COMPONENT_BYTES {
        return Err(RelPathError::ComponentTooLong { bytes: component.len() });
    }
    if component.ends_with(['.', ' ']) {
        return Err(RelPathError::TrailingDotOrSpace(whole(), component.to_owned()));
    }
    if is_device(component) {
        return Err(RelPathError::Reserved(whole(), component.to_owned()));
    }
    Ok(())
}

/// Windows looks at what stands before the first dot, without the spaces at its end: `NUL .tar.gz` is the device too.
fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component);
    let stem = stem.trim_end_matches(' ');
    if DEVICES.iter().any(|device| device.eq_ignore_ascii_case(stem)) {
        return true;
    }
    // COM0 to COM9 and LPT0 to LPT9; the superscripts ¹ ² ³ count as digits there.
    let (Some(port), Some(number)) = (stem.get(..3), stem.get(3..)) else {
        return false;
    };
    let mut number = number.chars();
    let is_number = matches!((number.next(), number.next()), (Some('0'..='9' | '¹' | '²' | '³'), None));
    is_number && (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
}
