"""A room client that knows the schema and none of the project's code, on the library websockets.

`join URL ROOM NAME` talks: each line of standard input is a message, its end a leave. `abuse URL CASE` misbehaves in one way and tells
how the server took it. Frames are encoded by hand from the numbers in the schema.
"""

import base64
import os
import select
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

HELLO, PING, PONG, ACK_ONLY, PUBLISH, LEAVE = 3, 4, 5, 6, 7, 13
S_WELCOME, S_REPLAY_END, S_DELIVER, S_PING, S_FAULT, S_SESSION_ENDED = 3, 5, 6, 7, 12, 14
RELIABLE = 1
MAX_CLIENT_FRAME = 131_072


def say(line: str) -> None:
    print(line, flush=True)


# Protocol Buffers, as much as is needed.


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def piece(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def fields(data: bytes) -> dict:
    """Every field's values in the order of their coming; what is not a number is bytes."""
    found: dict = {}
    at = 0

    def read() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = read()
        if key & 7 == 0:
            value = read()
        elif key & 7 == 2:
            length = read()
            assert at + length <= len(data), "a field longer than its message"
            value = data[at : at + length]
            at += length
        else:
            raise AssertionError(f"wire type {key & 7}")
        found.setdefault(key >> 3, []).append(value)
    return found


def first(found: dict, field: int, default=0):
    return found.get(field, [default])[0]


def frame(body: int, content: bytes, seq: int = 0, ack: int = 0) -> bytes:
    return number(1, seq) + number(2, ack) + piece(body, content)


def hello(room: str, name: str, versions=(1,)) -> bytes:
    info = piece(1, name.encode()) + piece(2, name.encode()) + piece(3, b"foreign/1")
    packed = b"".join(varint(version) for version in versions)
    return frame(HELLO, piece(1, packed) + piece(3, os.urandom(16)) + piece(5, room.encode()) + piece(6, info))


def publish(seq: int, text: str, ack: int = 0) -> bytes:
    return frame(PUBLISH, number(1, seq) + number(2, RELIABLE) + piece(3, text.encode()), seq, ack)


# Good manners.


def join(url: str, room: str, name: str) -> None:
    with connect(url, max_size=4 << 20) as ws:
        # In three parts: a message is a message, however it is cut.
        greeting = hello(room, name)
        ws.send([greeting[:5], greeting[5:9], greeting[9:]])
        got = fields(ws.recv())
        welcome = fields(first(got, S_WELCOME, b""))
        people = {}
        for person in fields(first(welcome, 17, b"")).get(1, []):
            person = fields(person)
            people[first(person, 1)] = first(person, 3, b"").decode()
        say(f"JOINED version={first(welcome, 18)} people={','.join(sorted(people.values()))}")
        lock, sent, seen = threading.Lock(), [0], [first(fields(first(welcome, 5, b"")), 2)]

        def typing() -> None:
            for line in sys.stdin:
                with lock:
                    sent[0] += 1
                    ws.send(publish(sent[0], line.rstrip("\n"), seen[0]))
            ws.send(frame(LEAVE, piece(1, b"good night"), ack=seen[0]))

        threading.Thread(target=typing, daemon=True).start()
        acked = 0
        try:
            while True:
                got = fields(ws.recv())
                seq = first(got, 1)
                if seq:
                    assert seq == seen[0] + 1, f"delivery {seq} after {seen[0]}"
                    seen[0] = seq
                    with lock:
                        ws.send(frame(ACK_ONLY, b"", ack=seq))
                if first(got, 2) > acked:
                    acked = first(got, 2)
                    say(f"ACKED {acked}")
                if S_PING in got:
                    ws.send(frame(PONG, number(1, first(fields(got[S_PING][0]), 1))))
                if S_REPLAY_END in got:
                    say("LIVE")
                if S_DELIVER in got:
                    told(fields(got[S_DELIVER][0]), people)
                if S_SESSION_ENDED in got:
                    say(f"ENDED {first(fields(got[S_SESSION_ENDED][0]), 1)}")
        except ConnectionClosed as closed:
            say(f"CLOSED {code(closed)}")


def told(delivery: dict, people: dict) -> None:
    if 1 in delivery:
        message = fields(delivery[1][0])
        say(f"MESSAGE {people.get(first(message, 1))}: {first(message, 3, b'').decode()}")
    elif 2 in delivery:
        person = fields(delivery[2][0])
        people[first(person, 1)] = first(person, 3, b"").decode()
        say(f"ARRIVED {people[first(person, 1)]}")
    elif 4 in delivery:
        left = fields(delivery[4][0])
        say(f"LEFT {people.pop(first(left, 1), None)} {first(left, 2)}")


def code(closed: ConnectionClosed) -> int:
    return closed.rcvd.code if closed.rcvd else 1006


def twice(url: str) -> None:
    """Says everything twice, as a client may that does not know what became of the first time."""
    with connect(url, max_size=4 << 20) as ws:
        ws.send(hello("harbour", "echo"))
        while S_REPLAY_END not in fields(ws.recv()):
            pass
        for seq, text in [(1, "once"), (1, "once"), (2, "two"), (1, "once"), (2, "two"), (3, "three")]:
            ws.send(publish(seq, text))
        while first(fields(ws.recv()), 2) < 3:
            pass
        say("ACKED 3")


# Bad manners. Those that keep to WebSocket:

IN_THE_ROOM = {
    "gap": [publish(7, "of seven, the first six are missing")],
    "second_hello": [hello("harbour", "two")],
    "text_later": ["text"],
    "garbage_later": [b"\xff" * 100],
    "oversized_later": [piece(99, bytes(MAX_CLIENT_FRAME))],
}
AT_THE_DOOR = {
    "garbage": [b"\xff" * 100],
    "empty": [b""],
    "text": ["hello"],
    "oversized": [piece(99, bytes(MAX_CLIENT_FRAME))],
    "far_too_large": [bytes(1 << 20)],
    "early": [publish(1, "before hello")],
    "version": [hello("harbour", "late", versions=(98, 99))],
    "long_name": [hello("harbour", "n" * 257)],
    "no_room": [hello("", "lost")],
    "bad_text": [frame(HELLO, piece(1, b"\x01") + piece(3, bytes(16)) + piece(5, b"\xff\xfe"))],
    "short_lineage": [frame(HELLO, piece(1, b"\x01") + piece(3, b"short") + piece(5, b"harbour"))],
    "silent": [],
}


def abuse(url: str, case: str) -> None:
    try:
        with connect(url, max_size=4 << 20) as ws:
            if case in IN_THE_ROOM:
                ws.send(hello("harbour", case))
                while S_REPLAY_END not in fields(ws.recv()):
                    pass
                say("LIVE")
            try:
                for bad in {**AT_THE_DOOR, **IN_THE_ROOM}[case]:
                    ws.send(bad)
            except ConnectionClosed:
                pass  # Seen below.
            while True:
                got = fields(ws.recv(timeout=30))
                if S_FAULT in got:
                    fault = fields(got[S_FAULT][0])
                    say(f"FAULT code={first(fault, 1)} action={first(fault, 2)} {first(fault, 5, b'').decode()}")
    except ConnectionClosed as closed:
        say(f"CLOSED {code(closed)}")


# And those that do not: on a bare socket.


def dial(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def request(url: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET / HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join(lines + ["", ""]).encode()


def raw_frame(opcode: int, payload: bytes, masked: bool = True) -> bytes:
    assert len(payload) < 126
    mask = os.urandom(4) if masked else b""
    if masked:
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([0x80 | opcode, len(payload) | (0x80 if masked else 0)]) + mask + payload


def opened(url: str) -> socket.socket:
    sock = dial(url)
    sock.sendall(request(url))
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return sock


def drained(sock: socket.socket) -> bytes:
    """All that the server says until it ends the connection."""
    got = b""
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return got
        if not data:
            return got
        got += data


def close_code(said: bytes) -> int:
    """The code of the close frame among these frames, none of which is masked; 1006 if there is none."""
    while len(said) >= 2:
        opcode, length, at = said[0] & 0x0F, said[1] & 0x7F, 2
        if length == 126:
            length, at = int.from_bytes(said[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(said[2:10], "big"), 10
        if opcode == 8:
            return int.from_bytes(said[at : at + 2], "big") if length else 1005
        said = said[at + length :]
    return 1006


def after_close(url: str) -> None:
    sock = opened(url)
    sock.sendall(raw_frame(2, hello("harbour", "undead")))
    sock.sendall(raw_frame(2, publish(1, "alive")))
    sock.sendall(raw_frame(8, (1000).to_bytes(2, "big")))
    try:
        for seq in range(2, 200):
            sock.sendall(raw_frame(2, publish(seq, "undead")))
            time.sleep(0.001)
    except OSError:
        pass  # It need not listen.
    drained(sock)
    say("GONE")


def unmasked(url: str) -> None:
    sock = opened(url)
    sock.sendall(raw_frame(2, hello("harbour", "bare"), masked=False))
    say(f"CLOSED {close_code(drained(sock))}")


def broken_opcode(url: str) -> None:
    sock = opened(url)
    sock.sendall(raw_frame(3, b"reserved"))
    say(f"CLOSED {close_code(drained(sock))}")


def slowloris(url: str, count: str) -> None:
    """Many connections at once whose requests never end: a byte at a time, for as long as the server lets them."""
    begun = time.monotonic()
    text = request(url)[:-2] + b"X-Padding: " + b"x" * 4000
    socks = {dial(url): 0 for _ in range(int(count))}
    say("READY")
    while socks and time.monotonic() - begun < 30:
        ended, writable, _ = select.select(list(socks), list(socks), [], 1)
        for sock in ended:
            try:
                if not sock.recv(65536):
                    del socks[sock]
            except OSError:
                del socks[sock]
        for sock in writable:
            if sock in socks:
                try:
                    sock.sendall(text[socks[sock] : socks[sock] + 1])
                    socks[sock] += 1
                except OSError:
                    del socks[sock]
        time.sleep(0.05)
    say(f"GONE left={len(socks)} seconds={time.monotonic() - begun:.1f}")


def http(url: str) -> None:
    """Requests that are no WebSocket handshake: each gets an answer in HTTP, and the connection ends."""
    host = f"Host: {urlsplit(url).netloc}\r\n".encode()
    for name, content in {
        "health": b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n",
        "plain": b"GET / HTTP/1.1\r\n" + host + b"\r\n",
        "post": b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 2\r\n\r\nhi",
        "huge": b"GET / HTTP/1.1\r\n" + host + b"X: " + b"x" * 20000 + b"\r\n\r\n",
        "old": request(url).replace(b"Version: 13", b"Version: 8"),
        "noise": os.urandom(300).replace(b"\n", b"") + b"\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500),
    }.items():
        sock = dial(url)
        try:
            sock.sendall(content)
        except OSError:
            pass
        status = drained(sock).split(b"\r\n")[0].decode("latin-1")
        say(f"HTTP {name} {status}")
    say("GONE")


def main() -> None:
    verb, *args = sys.argv[1:]
    if verb == "abuse" and args[1] not in {**AT_THE_DOOR, **IN_THE_ROOM}:
        raise SystemExit(f"no case {args[1]}")
    {
        "join": join,
        "twice": twice,
        "abuse": abuse,
        "after_close": after_close,
        "unmasked": unmasked,
        "broken_opcode": broken_opcode,
        "slowloris": slowloris,
        "http": http,
    }[verb](*args)


main()
