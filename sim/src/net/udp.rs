use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::time::{Instant, Sleep, sleep_until};
use turmoil::net::UdpSocket;

use super::Net;
use super::link::OneCopy;

/// Largest datagram that there can be.
const LARGEST: usize = 1 << 16;

/// A UDP socket for quinn, on the simulated network. Its datagrams pass through the [`LinkFaults`](super::LinkFaults) of the way that
/// they take, and every one is recorded when it is sent and when it arrives.
///
/// The sender decides what becomes of a datagram and writes how late it is to be in front of it; the receiver keeps it for so long.
/// So a datagram survives the host that sent it, as on a wire, and dies with the one that it is for.
pub struct SimUdpSocket {
    net: Net,
    host: Arc<str>,
    addr: SocketAddr,
    socket: Arc<UdpSocket>,
    inbox: Mutex<Inbox>,
}

type Readable = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// What has come, and is to be handed over when its time is there.
struct Inbox {
    /// Holds the socket's lock while it waits: to be dropped before anything is read.
    readable: Option<Readable>,
    /// By time, and among equals by order of arrival.
    waiting: BTreeMap<(Instant, u64), Arrival>,
    arrived: u64,
    timer: Option<Pin<Box<Sleep>>>,
    buffer: Vec<u8>,
}

struct Arrival {
    header: Header,
    from: SocketAddr,
    payload: Vec<u8>,
}

impl SimUdpSocket {
    /// Binds a port of the host that this is called on. Port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn bind(net: &Net, host: &str, port: u16) -> io::Result<Arc<Self>> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await?);
        let addr = SocketAddr::new(turmoil::lookup(host), socket.local_addr()?.port());
        let inbox = Inbox {
            readable: None,
            waiting: BTreeMap::new(),
            arrived: 0,
            timer: None,
            buffer: vec![0; LARGEST + Header::LEN],
        };
        Ok(Arc::new(Self { net: net.clone(), host: host.into(), addr, socket, inbox: Mutex::new(inbox) }))
    }

    fn send(&self, to: SocketAddr, ecn: Option<EcnCodepoint>, payload: &[u8]) {
        if self.net.connections.is_crashing(&self.host) {
            // A process that is killed says nothing more.
            return;
        }
        let sent = self.net.send(&self.host, to.ip(), payload.len());
        self.net.trace().record(&self.host, "udp.send", |fields| {
            fields.text("to", &sent.to).number("id", sent.number).bytes(payload);
            if let Some(packet) = long_packet(payload) {
                fields.text("packet", packet);
            }
            match &sent.fate {
                Ok(copies) => {
                    if copies.second.is_some() {
                        fields.text("fate", "twice");
                    }
                }
                Err(cause) => {
                    fields.text("fate", cause.word());
                }
            }
        });
        let Ok(copies) = sent.fate else { return };
        let header = |copy: &OneCopy| Header {
            ecn: ecn.map_or(0, |ecn| ecn as u8),
            number: sent.number,
            sent_us: self.net.clock().now_us(),
            delay_us: u64::try_from(copy.delay.as_micros()).unwrap_or(u64::MAX),
        };
        for copy in [Some(&copies.first), copies.second.as_ref()].into_iter().flatten() {
            let mut bytes = header(copy).encode().to_vec();
            bytes.extend_from_slice(payload);
            if let Some(bit) = copy.flipped {
                bytes[Header::LEN + bit / 8] ^= 1 << (bit % 8);
            }
            // Nobody is told of a datagram that finds no way.
            drop(self.socket.try_send_to(&bytes, to));
        }
    }

    /// Takes in what has come, and registers for what will.
    fn take_in(&self, inbox: &mut Inbox, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let socket = Arc::clone(&self.socket);
            let readable = inbox.readable.get_or_insert_with(|| Box::pin(async move { socket.readable().await }));
            match readable.as_mut().poll(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(outcome) => outcome?,
            }
            inbox.readable = None;
            let now = Instant::now();
            while let Ok((len, from)) = self.socket.try_recv_from(&mut inbox.buffer) {
                let Some((header, payload)) = Header::decode(&inbox.buffer[..len]) else { continue };
                let due = now + Duration::from_micros(header.delay_us);
                let arrival = Arrival { header, from, payload: payload.to_vec() };
                inbox.waiting.insert((due, inbox.arrived), arrival);
                inbox.arrived += 1;
            }
        }
    }

    /// Hands over what is due, as much as there is room for.
    fn hand_over(&self, inbox: &mut Inbox, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> usize {
        let now = Instant::now();
        let mut handed = 0;
        while handed < bufs.len().min(meta.len()) {
            let Some(first) = inbox.waiting.first_entry().filter(|first| first.key().0 <= now) else { break };
            let arrival = first.remove();
            if self.is_lost(&arrival) {
                continue;
            }
            let len = arrival.payload.len().min(bufs[handed].len());
            bufs[handed][..len].copy_from_slice(&arrival.payload[..len]);
            meta[handed] = RecvMeta {
                addr: arrival.from,
                len,
                stride: len,
                ecn: EcnCodepoint::from_bits(arrival.header.ecn),
                dst_ip: None,
            };
            handed += 1;
        }
        handed
    }

    /// Whether its way was cut meanwhile. Recorded either way.
    fn is_lost(&self, arrival: &Arrival) -> bool {
        let from = self.net.name(arrival.from.ip()).unwrap_or_else(|| arrival.from.to_string().into());
        let lost = self.net.was_cut_off(&from, &self.host, Duration::from_micros(arrival.header.sent_us));
        self.net.trace().record(&self.host, if lost { "udp.lost" } else { "udp.recv" }, |fields| {
            fields.text("from", &from).number("id", arrival.header.number).bytes(&arrival.payload);
        });
        lost
    }
}

impl AsyncUdpSocket for SimUdpSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for payload in transmit.contents.chunks(segment) {
            self.send(transmit.destination, transmit.ecn, payload);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.take_in(&mut inbox, cx)?;
            let handed = self.hand_over(&mut inbox, bufs, meta);
            if handed > 0 {
                return Poll::Ready(Ok(handed));
            }
            let Some((due, _)) = inbox.waiting.keys().next().copied() else { return Poll::Pending };
            let timer = inbox.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }

    /// The host's own address, although it listens on all: a node that told others of all would ask for those of the real machine.
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }

    /// Or quinn would not look for the MTU, which is part of the network here.
    fn may_fragment(&self) -> bool {
        false
    }
}

impl fmt::Debug for SimUdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimUdpSocket").field("host", &self.host).finish_non_exhaustive()
    }
}

/// There is no buffer between the socket and the network.
#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The type of the first packet in a datagram, if it is one of those that a connection begins with: RFC 9000, section 17.2.
fn long_packet(payload: &[u8]) -> Option<&'static str> {
    let first = payload.first()?;
    // The version, after the first byte, is 0 in packets that have no type.
    let version = payload.get(1..5)?;
    match (first & 0x80 != 0, version, (first >> 4) & 3) {
        (false, ..) => None,
        (true, [0, 0, 0, 0], _) => Some("versions"),
        (true, _, 0) => Some("initial"),
        (true, _, 1) => Some("0-rtt"),
        (true, _, 2) => Some("handshake"),
        (true, ..) => Some("retry"),
    }
}

/// In front of each datagram on the simulated wire: what the packet's own headers would say, and how late it is to be.
struct Header {
    ecn: u8,
    number: u64,
    sent_us: u64,
    delay_us: u64,
}

impl Header {
    const LEN: usize = 25;

    fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[0] = self.ecn;
        out[1..9].copy_from_slice(&self.number.to_le_bytes());
        out[9..17].copy_from_slice(&self.sent_us.to_le_bytes());
        out[17..25].copy_from_slice(&self.delay_us.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (ecn, rest) = bytes.split_first()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (sent_us, rest) = rest.split_first_chunk()?;
        let (delay_us, payload) = rest.split_first_chunk()?;
        let [number, sent_us, delay_us] = [number, sent_us, delay_us].map(|bytes| u64::from_le_bytes(*bytes));
        Some((Self { ecn: *ecn, number, sent_us, delay_us }, payload))
    }
}
