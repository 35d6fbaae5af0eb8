"""A TCP server made of single segments, for IPv4 and IPv6.

It completes handshakes and acknowledges what it gets; everything else it sends is one segment a command, exactly as told.
The kernel of its namespace must not see the port: drop it in raw PREROUTING, where packet sockets still hear it.

Argument: JSON {"port": 443, "iss": 1000, "mss": 1460, "handshake": true, "acknowledge": true, "synOptions": ""}
Commands, one JSON object a line on standard input:
  {"at": 0, "data": "16…", "flags": "PA", "ttl": 64, "ack": 0, "window": 65535, "options": "", "urgent": 0,
   "corrupt": false, "id": null, "client": [address, port], "delay": 0, "reserved": 0, "iss": null,
   "fragment": null, "reversed": false, "spoofed": false}
  at      octets after the first data octet; -1 is the SYN's own sequence number
  ack     octets before what is really expected next (negative acknowledges what never came)
  corrupt a wrong TCP checksum
  call    [address, port] and from: begins a connection towards the client, with a SYN; again until it answers
  fragment  in IP fragments of so many octets, the last one first where "reversed"
  spoofed   sent towards the client's router with the client's own address and port, as if the client had sent it to us;
            then `at` counts from the client's next expected octet, `ack` acknowledges so many octets of ours
Events, one JSON object a line on standard output: listening, and every segment that comes:
  {"event": "segment", "client": […], "flags": "PA", "at": 0, "ack": 0, "window": 64240, "data": "16…", "options": "0204…"}
  at      octets between the client's next expected one and this segment's first
  ack     octets of ours that the client has, the SYN's not counted
"""

import itertools
import json
import socket
import struct
import sys
import threading
import time

PORT = 443
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}

options = json.loads(sys.argv[1])
PORT = options.get("port", 443)
lock = threading.Lock()
connections = {}
latest = None
identifications = itertools.count(0x100)

raw4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
frames = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
raw6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)


def say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Connection:
    def __init__(self, family, server, client, irs, link):
        self.family, self.server, self.client, self.link = family, server, client, link
        self.iss = options.get("iss", 1000)
        self.rcv_nxt = (irs + 1) & 0xFFFFFFFF
        self.timestamp = None
        self.called = False
        self.early = {}

    def take(self, seq, data, fin):
        """Acknowledges in order; keeps what came early."""
        if data or fin:
            self.early[seq] = (data, fin)
        while self.rcv_nxt in self.early:
            data, fin = self.early.pop(self.rcv_nxt)
            self.rcv_nxt = (self.rcv_nxt + len(data) + (1 if fin else 0)) & 0xFFFFFFFF

    def send(self, at=0, data="", flags="A", ttl=64, ack=0, window=65535, options="", urgent=0, corrupt=False,
             id=None, reserved=0, iss=None, fragment=None, reversed=False, spoofed=False, **_):
        payload = bytes.fromhex(data)
        iss = self.iss if iss is None else iss
        seq = (self.rcv_nxt + at if spoofed else iss + 1 + at) & 0xFFFFFFFF
        acknowledged = (iss + 1 + ack if spoofed else self.rcv_nxt - ack) & 0xFFFFFFFF if "A" in flags else 0
        sender, receiver = (self.client, self.server) if spoofed else (self.server, self.client)
        opts = bytes.fromhex(options)
        opts += b"\x00" * (-len(opts) % 4)
        bits = sum(FLAGS[flag] for flag in flags)
        offset = (5 + len(opts) // 4) << 4 | reserved
        header = struct.pack("!HHIIBBHHH", sender[1], receiver[1], seq, acknowledged, offset, bits, window, 0, urgent)
        segment = header + opts + payload
        source, target = (socket.inet_pton(self.family, end[0]) for end in (sender, receiver))
        if self.family == socket.AF_INET:
            pseudo = source + target + struct.pack("!BBH", 0, 6, len(segment))
        else:
            pseudo = source + target + struct.pack("!IHBB", len(segment), 0, 0, 6)
        checksum = internet_checksum(pseudo + segment)
        if corrupt:
            checksum ^= 0x5555
        segment = segment[:16] + struct.pack("!H", checksum) + segment[18:]
        if spoofed:
            return self.send_frame(segment, source, target, ttl)
        if fragment is not None:
            return self.send_fragments(segment, source, target, ttl, fragment, reversed)
        if self.family == socket.AF_INET:
            ident = 0 if id is None else id
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), ident, 0x4000, ttl, 6, 0, source, target)
            raw4.sendto(ip + segment, (self.client[0], 0))
        else:
            ip = struct.pack("!IHBB16s16s", 6 << 28, len(segment), 6, ttl, source, target)
            raw6.sendto(ip + segment, (self.client[0], 0))

    def send_frame(self, segment, source, target, ttl):
        """Past our own stack, which would deliver to itself what is addressed to us."""
        if self.family == socket.AF_INET:
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0x4000, ttl, 6, 0, source, target)
            ip = ip[:10] + struct.pack("!H", internet_checksum(ip)) + ip[12:]
        else:
            ip = struct.pack("!IHBB16s16s", 6 << 28, len(segment), 6, ttl, source, target)
        frames.sendto(ip + segment, self.link)

    def send_fragments(self, segment, source, target, ttl, size, backwards):
        """RFC 791 section 3.2, RFC 8200 section 4.5; `size` is a multiple of eight."""
        ident = next(identifications) & 0xFFFF
        starts = list(range(0, len(segment), size))
        for start in starts[::-1] if backwards else starts:
            piece, more = segment[start:start + size], start + size < len(segment)
            if self.family == socket.AF_INET:
                where = start // 8 | (0x2000 if more else 0)
                ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(piece), ident, where, ttl, 6, 0, source, target)
                raw4.sendto(ip + piece, (self.client[0], 0))
            else:
                ip = struct.pack("!IHBB16s16s", 6 << 28, 8 + len(piece), 44, ttl, source, target)
                header = struct.pack("!BBHI", 6, 0, start | more, ident)
                raw6.sendto(ip + header + piece, (self.client[0], 0))


def internet_checksum(data):
    if len(data) % 2:
        data += b"\x00"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def receive():
    global latest
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    say(event="listening")
    while True:
        packet, address = tap.recvfrom(70000)
        if address[2] == socket.PACKET_OUTGOING or len(packet) < 40:
            continue
        if packet[0] >> 4 == 4 and packet[9] == 6:
            family, start, end = socket.AF_INET, (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
            ends = packet[12:16], packet[16:20]
        elif packet[0] >> 4 == 6 and packet[6] == 6:
            family, start, end = socket.AF_INET6, 40, 40 + struct.unpack("!H", packet[4:6])[0]
            ends = packet[8:24], packet[24:40]
        else:
            continue
        tcp = packet[start:end]
        sport, dport, seq, ack, offset, flags, window = struct.unpack("!HHIIBBH", tcp[:16])
        if dport != PORT:
            continue
        client, server = (socket.inet_ntop(family, ends[0]), sport), (socket.inet_ntop(family, ends[1]), dport)
        data = tcp[(offset >> 4) * 4:]
        link = address[0], address[1], 0, 0, address[4]
        names = "".join(name for name, bit in FLAGS.items() if flags & bit)
        with lock:
            called = client in connections and connections[client].called
            fresh = not called and (names == "S" or (flags & 2 and not flags & 16))
            if fresh:
                latest = connections[client] = Connection(family, server, client, seq, link)
            connection = connections.get(client)
            if connection is None:
                continue
            say(event="segment", client=list(client), flags=names, at=(seq - connection.rcv_nxt + (1 << 31)) % (1 << 32) - (1 << 31),
                ack=(ack - connection.iss - 1) & 0xFFFFFFFF if flags & 16 else None, window=window, data=data.hex(),
                options=tcp[20:(offset >> 4) * 4].hex())
            if called and flags & 0x12 == 0x12:
                connection.rcv_nxt = (seq + 1) & 0xFFFFFFFF
                connection.send()
                continue
            if fresh:
                if options.get("handshake", True):
                    syn_options = "0204%04x" % options.get("mss", 1460) + options.get("synOptions", "")
                    connection.send(at=-1, flags="SA", options=syn_options)
                continue
            if flags & 4:
                continue
            if data or flags & 1:
                connection.take(seq, data, flags & 1)
                if options.get("acknowledge", True):
                    at = (ack - connection.iss - 1) & 0xFFFFFFFF
                    connection.send(at=at, flags="A")


threading.Thread(target=receive, daemon=True).start()
for line in sys.stdin:
    command = json.loads(line)
    if command.get("delay"):
        time.sleep(command["delay"] / 1000)
    with lock:
        if "call" in command:
            client = tuple(command["call"])
            family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
            if client not in connections or not connections[client].called:
                latest = connections[client] = Connection(family, (command["from"], PORT), client, 0, None)
                latest.called = True
            connections[client].send(at=-1, flags="S", options="020405b4")
            continue
        client = command.get("client")
        connection = connections[tuple(client)] if client else latest
        connection.send(**command)
