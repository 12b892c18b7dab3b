use std::fmt;

/// Sixteen random bytes that name something for good.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes, as on the wire.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            /// The first eight bytes in hexadecimal: enough to tell ids apart in a log.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

random_id! {
    /// One stay in a room on one server node. A `Rejoin` or `Migrate` makes a new one, a `Fast` recovery keeps it.
    SessionId
}
random_id! {
    /// All sessions of one client from `Connect` to `Closed`. Known to the client and its server only.
    LineageId
}
random_id! {
    /// A history of deliveries without a hole. Changes whenever history may be lost.
    LogId
}

/// A count that names something.
macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counted_id! {
    /// Counts the dials of a client from 1. Whatever a connection reports carries its epoch, so that a late word of an old one is
    /// told from a word of the present one.
    Epoch
}
counted_id! {
    /// Names a send, and later its one outcome. Chosen by the caller; must be unique within the lineage.
    SendId
}
counted_id! {
    /// Names a call, and later its one outcome. Unique within the caller's lineage.
    CallId
}
counted_id! {
    /// Names a participant of a room. Chosen by the server; never 0.
    ParticipantId
}

/// A place in a history of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPos {
    /// Which history.
    pub log_id: LogId,
    /// How many deliveries, from 1.
    pub seq: u64,
}
