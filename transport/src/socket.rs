//! UDP sockets: dual-stack where the system has IPv6, with buffers large enough not to lose our own packets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// What the operating system granted of the socket buffers that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketBuffers {
    /// What was asked for, in bytes, for each direction.
    pub requested: usize,
    /// Granted for sending, in bytes.
    pub send: usize,
    /// Granted for receiving, in bytes.
    pub recv: usize,
}

impl SocketBuffers {
    /// Whether less was granted than asked for. At full speed, a host with small buffers loses some of its own packets;
    /// on Linux, `net.core.rmem_max` and `net.core.wmem_max` are the ceilings.
    pub fn are_small(&self) -> bool {
        self.send.min(self.recv) < self.requested
    }
}

/// Binds `addr`. The unspecified IPv6 address takes IPv4 as well; where there is no IPv6 at all, it becomes 0.0.0.0.
pub(crate) fn bind(addr: SocketAddr, buffer_bytes: usize) -> io::Result<(UdpSocket, SocketBuffers)> {
    bind_or_fall_back(addr, |addr| bind_one(addr, buffer_bytes))
}

fn bind_or_fall_back<T>(addr: SocketAddr, mut bind: impl FnMut(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match bind(addr) {
        Err(error) if addr.is_ipv6() && addr.ip().is_unspecified() && no_ipv6(&error) => {
            tracing::info!(%error, "this host has no IPv6; listening on IPv4 alone");
            bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port())))
        }
        bound => bound,
    }
}

/// There is no portable error kind for "address family not supported": all but the errors that IPv4 would meet too.
fn no_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

fn bind_one(addr: SocketAddr, buffer_bytes: usize) -> io::Result<(UdpSocket, SocketBuffers)> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6()
        && let Err(error) = socket.set_only_v6(false)
    {
        tracing::warn!(%error, "this socket will carry IPv6 alone");
    }
    let buffers = size_buffers(&socket, buffer_bytes)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok((socket.into(), buffers))
}

fn size_buffers(socket: &Socket, requested: usize) -> io::Result<SocketBuffers> {
    // Some systems refuse what is above their ceiling instead of granting less. What counts is what is there afterwards.
    if let Err(error) = socket.set_recv_buffer_size(requested).and(socket.set_send_buffer_size(requested)) {
        tracing::debug!(%error, requested, "the system refused socket buffers of this size");
    }
    // Linux reports twice the size, counting its own bookkeeping (socket(7), SO_RCVBUF).
    let share = if cfg!(any(target_os = "linux", target_os = "android")) { 2 } else { 1 };
    let buffers =
        SocketBuffers { requested, send: socket.send_buffer_size()? / share, recv: socket.recv_buffer_size()? / share };
    if buffers.are_small() {
        tracing::info!(
            requested,
            send = buffers.send,
            recv = buffers.recv,
            "smaller socket buffers than asked for; fast transfers will lose some packets. \
             On Linux: sysctl -w net.core.rmem_max={requested} net.core.wmem_max={requested}"
        );
    } else {
        tracing::debug!(requested, send = buffers.send, recv = buffers.recv, "socket buffers");
    }
    Ok(buffers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_V6: &str = "[::]:4000";

    fn outcome(addr: &str, v6: io::ErrorKind) -> io::Result<SocketAddr> {
        bind_or_fall_back(addr.parse().unwrap(), |addr| if addr.is_ipv6() { Err(v6.into()) } else { Ok(addr) })
    }

    #[test]
    fn without_ipv6_the_unspecified_address_falls_back_to_ipv4() {
        let bound = outcome(ANY_V6, io::ErrorKind::AddrNotAvailable).unwrap();
        assert_eq!(bound, "0.0.0.0:4000".parse().unwrap());
        assert!(outcome(ANY_V6, io::ErrorKind::Unsupported).is_ok());
    }

    #[test]
    fn a_taken_port_or_a_named_address_does_not_fall_back() {
        assert_eq!(outcome(ANY_V6, io::ErrorKind::AddrInUse).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(
            outcome(ANY_V6, io::ErrorKind::PermissionDenied).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        assert!(outcome("[::1]:4000", io::ErrorKind::AddrNotAvailable).is_err());
    }

    #[test]
    fn a_small_buffer_is_granted_and_reported_as_it_is() {
        let (_socket, buffers) = bind("127.0.0.1:0".parse().unwrap(), 64 * 1024).unwrap();
        assert_eq!(buffers.requested, 64 * 1024);
        assert!(!buffers.are_small(), "{buffers:?}");
        let (_socket, huge) = bind("127.0.0.1:0".parse().unwrap(), 1 << 30).unwrap();
        assert!(huge.recv >= buffers.recv, "{huge:?}");
    }
}
