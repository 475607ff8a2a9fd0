"""RTSP cameras that misbehave on command: a small server of our own that speaks the protocol well
enough for FFmpeg and then does what no decent server would. Streams are demo pictures (picture.py), so
that a test can tell what it sees.

    with hostile.Server(stream) as camera:
        camera.url("/1")                # rtsp://127.0.0.1:PORT/1
        camera.faults.add("garbage")    # from now on

Faults that begin with the next packet: garbage (noise for RTP), truncated (JPEG cut short), freeze
(nothing more comes, the connection stays), close, reset, loss (a tenth of all UDP packets), deltas
(no key frames), clock (sender reports are an hour ahead). At a request: silent, redirect, unauthorized.
"""

import base64
import hashlib
import pathlib
import random
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

import picture

FPS_CLOCK = 90000
NTP_1970 = 2208988800
PACKET = 1400


def raw_frames(number, size, fps, count):
    painter = picture.Painter(number, *size, fps)
    return b"".join(painter.frame(index) for index in range(count))


def encode(arguments, number, size, fps, count, pixels="yuv420p"):
    """Run ffmpeg's encoder over demo pictures."""
    return subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "%dx%d" % size,
         "-r", str(fps), "-i", "-", "-pix_fmt", pixels, *arguments, "-"],
        input=raw_frames(number, size, fps, count), stdout=subprocess.PIPE, check=True).stdout


def nal_units(stream):
    """NAL units of an Annex B stream, without start codes."""
    return [part.rstrip(b"\0") for part in stream.split(b"\0\0\1")[1:]]


class Stream:
    """A loop of coded pictures: each a list of RTP payloads, and whether it is a key frame."""

    encoding = "H264/90000"
    attributes = "packetization-mode=1"

    def __init__(self, units, fps):
        self.units, self.fps = units, fps       # [(key, [payload, ...])]
        self.shown = range(len(units))          # at which place each unit is shown


class H264(Stream):
    def __init__(self, number=1, size=(320, 180), fps=25, gop=25, seconds=4, options=(),
                 pixels="yuv420p"):
        data = encode(["-c:v", "libx264", "-preset", "ultrafast", "-g", str(gop), "-bf", "0",
                       "-x264-params", f"keyint={gop}:scenecut=0:aud=1:sliced-threads=0:threads=1",
                       *options, "-f", "h264"], number, size, fps, fps * seconds, pixels)
        super().__init__(self.pictures(data), fps)

    @classmethod
    def from_annex_b(cls, data, fps):
        stream = cls.__new__(cls)
        Stream.__init__(stream, cls.pictures(data), fps)
        return stream

    @classmethod
    def pictures(cls, data):
        units, now = [], []                     # what stands before the first delimiter goes first
        for nal in nal_units(data):
            kind = nal[0] & 31
            if kind == 9:                       # a delimiter begins a picture
                now = [] if units else now
                units.append([False, now])
            else:
                now.extend(cls.payloads(nal))
                if kind == 5:
                    units[-1][0] = True
        return units

    @staticmethod
    def payloads(nal):
        """RFC 6184: the unit itself, or fragments (FU-A)."""
        if len(nal) <= PACKET:
            return [nal]
        pieces = [nal[at:at + PACKET] for at in range(1, len(nal), PACKET)]
        head = nal[0] & 0xE0 | 28
        return [bytes([head, nal[0] & 31 | (at == 0) << 7 | (at == len(pieces) - 1) << 6]) + piece
                for at, piece in enumerate(pieces)]


def with_b_frames(folder, fps=24, gop=48, seconds=6, size=(320, 180)):
    """H.264 whose pictures are sent in another order than shown."""
    file = str(pathlib.Path(folder) / "b.mkv")
    encode(["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", str(gop), "-y",
            "-x264-params", f"keyint={gop}:scenecut=0:aud=1:threads=1", file, "-map", "0:v", "-f", "null"],
           1, size, fps, fps * seconds)
    data = subprocess.run(["ffmpeg", "-v", "error", "-i", file, "-c", "copy", "-bsf:v",
                           "h264_mp4toannexb", "-f", "h264", "-"], stdout=subprocess.PIPE,
                          check=True).stdout
    times = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of",
                            "csv=p=0", file], stdout=subprocess.PIPE, check=True).stdout
    stream = H264.from_annex_b(data, fps)
    stream.shown = [round(float(line.strip(b",")) * fps) for line in times.split()]
    return stream


class Jpeg(Stream):
    encoding = "JPEG/90000"
    attributes = ""

    def __init__(self, number=1, size=(320, 176), fps=25, seconds=2):
        data = encode(["-c:v", "mjpeg", "-huffman", "default", "-q:v", "4", "-f", "image2pipe"],
                      number, size, fps, fps * seconds, "yuvj420p")
        super().__init__(self.pictures(data, size), fps)

    @classmethod
    def from_jpegs(cls, data, size, fps):
        """JPEGs one behind the other, with standard Huffman tables."""
        stream = cls.__new__(cls)
        Stream.__init__(stream, cls.pictures(data, size), fps)
        return stream

    @classmethod
    def pictures(cls, data, size):
        return [(True, cls.payloads(b"\xff\xd8\xff" + part, size))
                for part in data.split(b"\xff\xd8\xff")[1:]]

    @staticmethod
    def payloads(jpeg, size):
        """RFC 2435, type 1 (4:2:0), tables in band."""
        tables, at = b"", 2
        while jpeg[at + 1] != 0xDA:
            length = struct.unpack(">H", jpeg[at + 2:at + 4])[0]
            if jpeg[at + 1] == 0xDB:
                body = jpeg[at + 4:at + 2 + length]
                while body:
                    tables += body[1:65]
                    body = body[65:]
            at += 2 + length
        scan = jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2:at + 4])[0]:-2]
        tables = (tables * 2)[:128]
        payloads, offset = [], 0
        while offset < len(scan):
            head = struct.pack(">I", offset) + bytes([1, 255, size[0] // 8 & 255, size[1] // 8])
            if offset == 0:
                head += struct.pack(">BBH", 0, 0, len(tables)) + tables
            piece = scan[offset:offset + PACKET - len(head)]
            payloads.append(head + piece)
            offset += len(piece)
        return payloads


class Server:
    """One camera, any number of clients. Start and stop with `with`."""

    def __init__(self, stream, login=None, auth="digest", tls=None):
        self.stream, self.login, self.auth, self.tls = stream, login, auth, tls
        self.faults = set()
        self.redirect_to = None
        self.next_stream = None                 # what to go on with, see switch()
        self.requests = []                      # (method, url, headers) of everybody
        self.connections = 0
        self.conversations = 0                     # connections that came to a first request
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.ending = threading.Event()
        self.threads = []

    def url(self, path="/1", login=None):
        """login as it is to stand in the URL."""
        scheme = "rtsps" if self.tls else "rtsp"
        return f"{scheme}://{login + '@' if login else ''}127.0.0.1:{self.port}{path}"

    def switch(self, stream):
        self.next_stream = stream

    def __enter__(self):
        self._run(self._accept)
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.socket.close()
        for thread in self.threads:
            thread.join(5)

    def _run(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)

    def _accept(self):
        self.socket.settimeout(0.2)
        while not self.ending.is_set():
            try:
                client, _ = self.socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            client.settimeout(None)
            self._run(self._serve, client)

    def _serve(self, client):
        try:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            Session(self, client).talk()
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            client.close()


class Session:
    """One connection: requests come in, RTP goes out between the answers (or over UDP)."""

    def __init__(self, server, client):
        self.server, self.client = server, client
        self.lock = threading.Lock()            # of the connection: TLS's is one for both directions
        self.udp = None
        self.playing = False
        self.rest = b""

    def talk(self):
        self.client.settimeout(10)
        while not self.server.ending.is_set():
            request = self._request()
            if request is None:
                return
            method, url, headers = request
            self.server.conversations += method == "OPTIONS"
            self.server.requests.append(request)
            if "silent" in self.server.faults:
                continue
            self._answer(method, url, headers)
            if method == "TEARDOWN":
                return

    def _readable(self):
        waiting = self.client.pending() if self.server.tls else 0
        return waiting or select.select([self.client], [], [], 0.2)[0]

    def _request(self):
        while b"\r\n\r\n" not in self.rest:
            if not self._readable():
                if self.server.ending.is_set():
                    return None
                continue
            with self.lock:
                data = self.client.recv(65536)
            if not data:
                return None
            self.rest += data
            while self.rest[:1] == b"$" and len(self.rest) >= 4:    # the client's RTCP
                length = 4 + struct.unpack(">H", self.rest[2:4])[0]
                if len(self.rest) < length:
                    break
                self.rest = self.rest[length:]
        text, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = text.decode().split("\r\n")
        method, url, _ = lines[0].split(" ")
        return method, url, dict(line.split(": ", 1) for line in lines[1:])

    def _reply(self, headers, code="200 OK", body="", more=()):
        lines = [f"RTSP/1.0 {code}", f"CSeq: {headers.get('CSeq', 0)}", *more]
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        with self.lock:
            self.client.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _answer(self, method, url, headers):
        server = self.server
        if method == "OPTIONS":
            self._reply(headers, more=["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"])
        elif "redirect" in server.faults and method == "DESCRIBE":
            self._reply(headers, "302 Moved", more=[f"Location: {server.redirect_to}"])
        elif not self._authorized(method, headers):
            how = 'Basic realm="hostile"' if server.auth == "basic" else \
                'Digest realm="hostile", nonce="0123456789abcdef"'
            self._reply(headers, "401 Unauthorized", more=[f"WWW-Authenticate: {how}"])
        elif method == "DESCRIBE":
            self._reply(headers, body=self._sdp())
        elif method == "SETUP":
            self._setup(headers)
        elif method == "PLAY":
            self._reply(headers, more=["Session: 1", "Range: npt=0-"])
            if not self.playing:
                self.playing = True
                server._run(self._play)
        else:
            self._reply(headers, more=["Session: 1"])

    def _authorized(self, method, headers):
        login = self.server.login
        if "unauthorized" in self.server.faults:
            return False
        if not login:
            return True
        given = headers.get("Authorization", "")
        if self.server.auth == "basic":
            return given == "Basic " + base64.b64encode(":".join(login).encode()).decode()
        fields = dict(part.strip().split("=", 1) for part in given[7:].split(",") if "=" in part)
        fields = {name: value.strip('"') for name, value in fields.items()}

        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()
        secret = md5(f"{login[0]}:hostile:{login[1]}")
        wanted = md5(f"{secret}:0123456789abcdef:{md5(method + ':' + fields.get('uri', ''))}")
        return fields.get("username") == login[0] and fields.get("response") == wanted

    def _sdp(self):
        stream = self.server.stream
        payload = 26 if stream.encoding.startswith("JPEG") else 96
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=hostile", "c=IN IP4 0.0.0.0", "t=0 0"]
        if "audio" in self.server.faults:
            lines += ["m=audio 0 RTP/AVP 8", "a=control:audio"]
        lines += [f"m=video 0 RTP/AVP {payload}", f"a=rtpmap:{payload} {stream.encoding}",
                  "a=control:video"]
        if stream.attributes:
            lines.insert(-1, f"a=fmtp:{payload} {stream.attributes}")
        return "\r\n".join(lines) + "\r\n"

    def _setup(self, headers):
        wanted = headers["Transport"]
        if "TCP" in wanted:
            if "no tcp" in self.server.faults:
                return self._reply(headers, "461 Unsupported Transport")
            self._reply(headers, more=["Session: 1", f"Transport: {wanted}"])
            return None
        port = int(wanted.split("client_port=")[1].split("-")[0].split(";")[0])
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.connect(("127.0.0.1", port))
        own = self.udp.getsockname()[1]
        self._reply(headers, more=["Session: 1", f"Transport: {wanted};server_port={own}-{own + 1}"])
        return None

    def _send(self, channel, packet):
        if self.udp:
            if channel == 0:
                self.udp.send(packet)
            return
        with self.lock:
            self.client.sendall(struct.pack(">BBH", ord("$"), channel, len(packet)) + packet)

    def _report(self, stamp):
        """RTCP: at what time of day the camera's RTP clock shows stamp."""
        now = time.time() + (3600 if "clock" in self.server.faults else 0)
        seconds, part = divmod(now, 1)
        self._send(1, struct.pack(">BBHIIIIII", 0x80, 200, 6, 1, int(seconds) + NTP_1970,
                                  int(part * 2 ** 32), stamp, 0, 0))

    def _play(self):
        try:
            self._play_until_it_ends()
        except (OSError, ValueError):
            pass

    def _play_until_it_ends(self):
        server = self.server
        noise = random.Random(1)
        sequence, index, begun, stamp = 0, 0, 1000, 1000
        stream = server.stream
        due = time.monotonic()
        while not server.ending.is_set():
            if server.next_stream is not None and stream is not server.next_stream:
                stream, index, begun = server.next_stream, 0, stamp + FPS_CLOCK // stream.fps
            loop, place = divmod(index, len(stream.units))
            key, payloads = stream.units[place]
            stamp = begun + (loop * len(stream.units) + stream.shown[place]) * (FPS_CLOCK // stream.fps)
            index += 1
            if index % stream.fps == 1 and "no reports" not in server.faults:
                self._report(stamp)
            if "close" in server.faults or "reset" in server.faults:
                if "reset" in server.faults:
                    self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                    self.client.close()
                else:
                    self.client.shutdown(socket.SHUT_RDWR)
                return
            payloads = [] if "freeze" in server.faults or "deltas" in server.faults and key \
                else payloads
            if "truncated" in server.faults:
                payloads = payloads[:max(1, len(payloads) // 2)]
            for at, payload in enumerate(payloads):
                if "garbage" in server.faults:
                    payload = noise.randbytes(len(payload))
                marker = 0x80 if at == len(payloads) - 1 else 0
                kind = 26 if stream.encoding.startswith("JPEG") else 96
                packet = struct.pack(">BBHII", 0x80, marker | kind, sequence & 0xFFFF,
                                     stamp & 0xFFFFFFFF, 1) + payload
                sequence += 1
                if "noise" in server.faults:
                    packet = noise.randbytes(len(packet))
                if not ("loss" in server.faults and noise.random() < 0.1):
                    self._send(0, packet)
            due += 1 / stream.fps
            server.ending.wait(max(0, due - time.monotonic()))


def make_certificate(folder, host="127.0.0.1"):
    """A certificate authority and a server's certificate of it: (ca file, SSLContext)."""
    folder = pathlib.Path(folder)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test CA",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", "key.pem",
            "-out", "request.pem")
    (folder / "extensions").write_text(
        f"subjectAltName={'IP' if host[0].isdigit() else 'DNS'}:{host}\n")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
            "-CAcreateserial", "-extfile", "extensions", "-out", "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "ca.pem", context


def quote(text):
    return urllib.parse.quote(text, safe="")
