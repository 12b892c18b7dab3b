//! Peers settle on a version, or learn which versions each of them speaks.

use moorline_proto::VersionRange;
use moorline_transport::{AdmitError, DialError};

use crate::support::{Host, bind, config, soon};

const fn range(min: u32, max: u32) -> VersionRange {
    VersionRange { min, max }
}

#[tokio::test]
async fn a_mismatch_names_both_versions_to_both_sides() {
    let (mut new, mut old) = (config(1), config(2));
    (new.versions, old.versions) = (range(3, 4), range(1, 2));
    let (caller, mut host) = (bind(new), Host::new(old));
    let error = soon(caller.connect(&[host.addr()], None)).await.unwrap_err();
    assert_eq!(error.cause(), Some(&DialError::VersionMismatch { ours: range(3, 4), theirs: range(1, 2) }));
    let text = error.to_string();
    assert!(text.contains("3..=4") && text.contains("1..=2") && text.contains("update"), "{text}");

    let error = host.next().await.unwrap_err();
    assert_eq!(error, AdmitError::VersionMismatch { ours: range(1, 2), theirs: range(3, 4) });
    assert!(error.to_string().contains("3..=4"), "{error}");
}

#[tokio::test]
async fn the_highest_common_version_is_used() {
    let (mut a, mut b) = (config(1), config(2));
    (a.versions, b.versions) = (range(1, 3), range(2, 9));
    let pair = crate::support::pair(a, b).await;
    assert_eq!((pair.dialler.peer().version, pair.dialled.peer().version), (3, 3));
}
