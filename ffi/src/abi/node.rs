//! Nodes and downloads.

use crate::args::{options, out, put, text};
use crate::blocks;
use crate::entry::{with_client, with_download, with_node};
use crate::node::{self, NodeSettings};
use crate::types::{DownloadOptions, Error, Event, NodeOptions};
use crate::{download, requests};

/// Starts a node. `node` receives its handle. If it cannot be started (its address is taken, a folder cannot be opened), the status and
/// `error` say why, and there is no handle. Its events wait for `moorline_ready`: `MOORLINE_EVENT_NODE_STARTED` is the first,
/// `MOORLINE_EVENT_NODE_STOPPED` the last.
///
/// Contract: any thread; takes milliseconds; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_start(
    client: u64,
    settings: *const NodeOptions,
    node: *mut u64,
    error: *mut Error,
) -> i32 {
    with_client(client, error, |client| {
        out(node, "node")?;
        let settings = NodeSettings::from_options(&options(settings, "options")?)?;
        put(node, node::start(client, settings)?, "node")
    })
}

/// Stops a node: its rooms are left, its downloads keep what they have, peers are told goodbye. `MOORLINE_EVENT_NODE_STOPPED` follows.
/// The handle stays valid until it is dropped. Again changes nothing.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_stop(client: u64, node: u64) -> i32 {
    with_node(client, node, std::ptr::null_mut(), |_, node| {
        node.stop();
        Ok(())
    })
}

/// One `MOORLINE_RECORD_NODE`. Free `*events` with `moorline_free`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_info(client: u64, node: u64, events: *mut *const Event, count: *mut u32) -> i32 {
    with_node(client, node, std::ptr::null_mut(), |_, node| blocks::hand_over(&[node.info()?], events, count))
}

/// A `MOORLINE_RECORD_PEER` for each connected peer. Free `*events` with `moorline_free`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_peers(
    client: u64,
    node: u64,
    events: *mut *const Event,
    count: *mut u32,
) -> i32 {
    with_node(client, node, std::ptr::null_mut(), |_, node| blocks::hand_over(&node.peers()?, events, count))
}

/// What connected peers offer: a `MOORLINE_RECORD_OFFER` for each item, and after it a `MOORLINE_RECORD_PROVIDER` for each peer that
/// has it. Free `*events` with `moorline_free`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_offers(
    client: u64,
    node: u64,
    events: *mut *const Event,
    count: *mut u32,
) -> i32 {
    with_node(client, node, std::ptr::null_mut(), |_, node| blocks::hand_over(&node.offers()?, events, count))
}

/// What this node shares: a `MOORLINE_RECORD_ITEM` for each item that is on offer. Free `*events` with `moorline_free`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_items(
    client: u64,
    node: u64,
    events: *mut *const Event,
    count: *mut u32,
) -> i32 {
    with_node(client, node, std::ptr::null_mut(), |_, node| blocks::hand_over(&node.items()?, events, count))
}

/// Shares one more file or folder; with `MOORLINE_FLAG_CHILDREN` in `flags`, every child of it. Done when it is accepted; it is on offer
/// once it is hashed. `request` receives the handle of the request.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_share(
    client: u64,
    node: u64,
    path: *const u8,
    path_length: u64,
    flags: u32,
    request: *mut u64,
    error: *mut Error,
) -> i32 {
    with_node(client, node, error, |client, node| {
        out(request, "request")?;
        let root = node::share_root(text(path, path_length, "path")?, flags)?;
        put(request, requests::share(client, node, root)?, "request")
    })
}

/// Connects to a peer at `ip:port`, and stays connected for as long as the node runs. Done when it is accepted; the peer shows up by
/// `MOORLINE_EVENT_PEER_UP`. `request` receives the handle of the request.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_add_peer(
    client: u64,
    node: u64,
    address: *const u8,
    address_length: u64,
    request: *mut u64,
    error: *mut Error,
) -> i32 {
    with_node(client, node, error, |client, node| {
        out(request, "request")?;
        let address = node::address(text(address, address_length, "address")?, "address")?;
        put(request, requests::add_peer(client, node, address)?, "request")
    })
}

/// Fetches an item from everyone who has it. `download` receives its handle at once; `MOORLINE_EVENT_DOWNLOAD_ENDED` is its last event.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_node_download(
    client: u64,
    node: u64,
    wanted: *const DownloadOptions,
    download: *mut u64,
    error: *mut Error,
) -> i32 {
    with_node(client, node, error, |client, node| {
        out(download, "download")?;
        let wanted = download::Wanted::from_options(&options(wanted, "options")?)?;
        put(download, download::start(client, node, wanted)?, "download")
    })
}

/// One `MOORLINE_RECORD_DOWNLOAD`. Free `*events` with `moorline_free`.
///
/// Contract: any thread; returns at once; callback: yes; fork: forked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_download_info(
    client: u64,
    download: u64,
    events: *mut *const Event,
    count: *mut u32,
) -> i32 {
    with_download(client, download, std::ptr::null_mut(), |_, download| {
        blocks::hand_over(&[download.info()], events, count)
    })
}
