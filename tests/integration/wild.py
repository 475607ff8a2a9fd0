"""Cameras as they are found in the wild: hostile.py's server with one oddity at a time.

    with wild.Server(stream, drop=lambda n, at, of, key: n % 20 == 7) as camera:

Hooks, all optional: answer(session, method, url, headers) -> whether it did; sdp; session (the field's
text); transport(asked) -> the field of the answer; of packets: stamp(n, ticks), sequence(number),
ssrc(n), ntp(seconds), marker(at, of), drop(n, at, of, key), twice(n, at), swap(n), before(n) -> bytes
for the connection; start (at which unit), channel, host, only_udp (nothing comes over TCP)."""

import hashlib
import os
import re
import socket
import struct
import time

import hostile

H264_MEDIA = ("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1",
              "a=control:video")
SDP_HEAD = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=x", "c=IN IP4 0.0.0.0", "t=0 0")


def sdp(*media, head=SDP_HEAD, end="\r\n"):
    return "".join(line + end for line in (*head, *(media or H264_MEDIA)))


class Server(hostile.Server):
    def __init__(self, stream, tls=None, host="127.0.0.1", **odd):
        super().__init__(stream, tls=tls)
        self.odd = odd
        self.sessions = []
        if host != "127.0.0.1":
            self.socket.close()
            self.socket = socket.create_server((host, 0), family=socket.AF_INET6)
            self.port = self.socket.getsockname()[1]

    def _serve(self, client):
        try:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            self.sessions.append(Session(self, client))
            self.sessions[-1].talk()
        except (OSError, ValueError):
            pass
        finally:
            client.close()

    def count(self, *methods):
        return sum(one in methods for one, _, _ in self.requests)


class Session(hostile.Session):
    def _answer(self, method, url, headers):
        hook = self.server.odd.get("answer")
        if not (hook and hook(self, method, url, headers)):
            super()._answer(method, url, headers)

    def _sdp(self):
        return self.server.odd.get("sdp") or super()._sdp()

    def _reply(self, headers, code="200 OK", body="", more=()):
        session = self.server.odd.get("session")
        more = [f"Session: {session}" if session and line == "Session: 1" else line for line in more]
        super()._reply(headers, code, body, more)

    def _setup(self, headers):
        asked = headers["Transport"]
        if "transport" in self.server.odd:
            self._reply(headers, more=["Session: 1", f"Transport: {self.server.odd['transport'](asked)}"])
        elif "multicast" in asked:
            self._setup_group(headers)
        elif "TCP" in asked or self.client.family == socket.AF_INET:
            super()._setup(headers)
        else:
            self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.udp.connect(("::1", int(re.search(r"client_port=(\d+)", asked)[1])))
            self._reply(headers, more=["Session: 1", f"Transport: {asked}"])

    def _setup_group(self, headers):
        group, port = f"239.255.{os.getpid() % 250}.{self.server.port % 250}", self.server.port & ~1
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        self.udp.connect((group, port))
        self._reply(headers, more=["Session: 1", f"Transport: RTP/AVP;multicast;destination={group};"
                                   f"port={port}-{port + 1};ttl=1"])

    def raw(self, data):
        with self.lock:
            self.client.sendall(data)

    def _report(self, stamp):
        seconds = int(self.server.odd["ntp"](time.time())) if "ntp" in self.server.odd else None
        if seconds is None:
            super()._report(stamp & 0xFFFFFFFF)
        else:
            self._send(1, struct.pack(">BBHIIIIII", 0x80, 200, 6, 1, seconds & 0xFFFFFFFF, 0,
                                      stamp & 0xFFFFFFFF, 0, 0))

    def _packets(self, sent, ticks, key, payloads):
        """Of one unit, in the order in which they leave."""
        odd = self.server.odd
        kind = 26 if self.server.stream.encoding.startswith("JPEG") else 96
        stamp = odd["stamp"](sent, ticks) if "stamp" in odd else ticks
        packets = []
        for at, payload in enumerate(payloads):
            last = at == len(payloads) - 1
            marker = 0x80 if (odd["marker"](at, len(payloads)) if "marker" in odd else last) else 0
            number = odd["sequence"](self.sequence) if "sequence" in odd else self.sequence
            self.sequence += 1
            ssrc = odd["ssrc"](sent) if "ssrc" in odd else 1
            packet = struct.pack(">BBHII", 0x80, marker | kind, number & 0xFFFF, stamp & 0xFFFFFFFF,
                                 ssrc) + payload
            if not ("drop" in odd and odd["drop"](sent, at, len(payloads), key)):
                packets += [packet] * (2 if "twice" in odd and odd["twice"](sent, at) else 1)
        return packets[::-1] if "swap" in odd and odd["swap"](sent) else packets

    def _play_until_it_ends(self):
        if self.server.odd.get("only_udp") and not self.udp:
            return
        server, odd, stream = self.server, self.server.odd, self.server.stream
        index, self.sequence, due = odd.get("start", 0), 0, time.monotonic()
        sent = 0
        while not server.ending.is_set():
            loop, place = divmod(index + sent, len(stream.units))
            key, payloads = stream.units[place]
            ticks = 1000 + (loop * len(stream.units) + stream.shown[place]) * (90000 // stream.fps)
            if sent % stream.fps == 0:
                self._report(odd["stamp"](sent, ticks) if "stamp" in odd else ticks)
            if "before" in odd:
                self.raw(odd["before"](sent))
            for packet in self._packets(sent, ticks, key, payloads):
                self._send(odd.get("channel", 0), packet)
            sent += 1
            due += 1 / stream.fps
            server.ending.wait(max(0, due - time.monotonic()))

    def _send(self, channel, packet):
        if self.udp:
            if channel % 2 == 0:
                self.udp.send(packet)
            return
        self.raw(struct.pack(">BBH", ord("$"), channel, len(packet)) + packet)


HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class Login:
    """Demands a login in each of the given ways; answer is the hook."""

    def __init__(self, user, password, offered=("MD5",), qop=False, basic=False, one_field=False,
                 everything=False, closes=False, nonces=None):
        self.user, self.password, self.offered, self.qop = user, password, offered, qop
        self.basic, self.one_field, self.everything, self.closes = basic, one_field, everything, closes
        self.nonces = nonces            # how many requests one lives
        self.uses = self.number = 0
        self.methods = []

    def nonce(self):
        return f"{self.number:032x}"

    def _hash(self, name, *texts):
        return hashlib.new(HASHES[name], ":".join(texts).encode()).hexdigest()

    def _right(self, method, given):
        fields = {name: text.strip('"') for name, text in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', given)}
        name = fields.get("algorithm", "MD5")
        if name not in self.offered or not given.startswith("Digest ") or \
                fields.get("nonce") != self.nonce():
            return False
        self.uses += 1
        if self.nonces and self.uses > self.nonces:
            self.uses, self.number = 0, self.number + 1
            return False
        one = self._hash(name, self.user, "cam", self.password)
        two = self._hash(name, method, fields.get("uri", ""))
        rest = (fields["nc"], fields["cnonce"], fields["qop"]) if self.qop else ()
        return fields.get("response") == self._hash(name, one, self.nonce(), *rest, two)

    def answer(self, session, method, url, headers):
        if method == "OPTIONS" and not self.everything:
            return False
        if self._right(method, headers.get("Authorization", "")):
            self.methods.append(method)
            return False
        ways = [f'Digest realm="cam", nonce="{self.nonce()}", algorithm={one}'
                + (', qop="auth,auth-int"' if self.qop else "") for one in self.offered]
        ways = ['Basic realm="cam"'] * self.basic + ways
        ways = [", ".join(ways)] if self.one_field else ways
        session._reply(headers, "401 Unauthorized", more=[f"WWW-Authenticate: {one}" for one in ways])
        if self.closes:
            session.client.shutdown(socket.SHUT_RDWR)
        return True


class H265(hostile.Stream):
    encoding, attributes = "H265/90000", ""

    def __init__(self, data, fps):
        units = []
        for nal in hostile.nal_units(data):
            kind = nal[0] >> 1 & 63
            if kind == 35 or not units:
                units.append([False, []])
            units[-1][1] += self.payloads(nal)
            units[-1][0] |= 16 <= kind <= 21
        super().__init__(units, fps)

    @staticmethod
    def payloads(nal):
        """RFC 7798: the unit itself, or fragments."""
        if len(nal) <= hostile.PACKET:
            return [nal]
        pieces = [nal[at:at + hostile.PACKET] for at in range(2, len(nal), hostile.PACKET)]
        head = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
        return [head + bytes([nal[0] >> 1 & 63 | (at == 0) << 7 | (at == len(pieces) - 1) << 6]) + piece
                for at, piece in enumerate(pieces)]
