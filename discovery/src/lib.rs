#![doc = include_str!("../README.md")]

mod announcement;
mod backend;
mod combined;
mod interface;
mod mdns;
pub mod memory;
mod race;
mod static_peers;
mod table;
mod txt;

pub use announcement::{Announcement, AnnouncementError, MAX_NAME_BYTES, MAX_TOKEN_BYTES};
pub use backend::{BoxFuture, Discovery, DiscoveryError, DiscoveryEvent, Found};
pub use combined::Combined;
pub use interface::{Interface, InterfaceChoice, InterfacePolicy, VIRTUAL_NAMES, choose, interfaces};
pub use mdns::{InterfaceProbe, Mdns, MdnsConfig, Multicast, ProbeReport, SERVICE_TYPE, probe};
pub use static_peers::StaticPeers;
