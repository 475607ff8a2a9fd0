"""A bad line between a camera that is not ours and the camera's process: RTSP passes through as it
is, but the UDP ports in it are the relay's own, and of the packets between those some are dropped.

    with relay.Relay(server_port) as line:
        line.loss = 0.1
        line.url("/1")
"""

import random
import re
import select
import socket
import threading


class Relay:
    """For one client at a time. Start and stop with `with`."""

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.loss = 0.0
        self.passed = self.dropped = 0          # packets
        self.noise = random.Random(1)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def url(self, path="/1"):
        return f"rtsp://127.0.0.1:{self.socket.getsockname()[1]}{path}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(5)
        self.socket.close()

    def _accept(self):
        while not self.ending.is_set():
            if select.select([self.socket], [], [], 0.1)[0]:
                client, _ = self.socket.accept()
                with client, socket.create_connection(self.server) as server, \
                        Ports() as ports:
                    try:
                        self._carry(client, server, ports)
                    except OSError:
                        pass                    # either end has gone, so has the other now

    def _carry(self, client, server, ports):
        while not self.ending.is_set():
            for ready in select.select([client, server, *ports.sockets], [], [], 0.1)[0]:
                if ready in ports.sockets:
                    self._pass_packet(ready, ports)
                    continue
                text = ready.recv(65536)
                if not text:
                    return
                if ready is client:
                    server.sendall(ports.replace(text, b"client_port"))
                else:
                    client.sendall(ports.replace(text, b"server_port"))

    def _pass_packet(self, ready, ports):
        packet, sender = ready.recvfrom(65536)
        target = ports.other_end(ready, sender)
        if not target:
            return
        if self.noise.random() < self.loss:
            self.dropped += 1
        else:
            self.passed += 1
            ready.sendto(packet, target)


class Ports:
    """Two UDP ports in a row, for RTP and RTCP, that stand for each end's own towards the other."""

    def __init__(self):
        while True:
            self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            try:
                self.sockets[0].bind(("127.0.0.1", 0))
                self.first = self.sockets[0].getsockname()[1]
                self.sockets[1].bind(("127.0.0.1", self.first + 1))
            except (OSError, OverflowError):
                self.__exit__()
            else:
                if self.first % 2 == 0:
                    break
                self.__exit__()
        self.ends = {}                          # b"client_port": its first port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()

    def replace(self, text, whose):
        """RTSP with our ports in place of those of whose. A message this short comes in one piece."""
        def ours(found):
            self.ends.setdefault(found[1], int(found[2]))
            return b"%s=%d-%d" % (found[1], self.first, self.first + 1)
        if b"Transport:" not in text:
            return text
        if whose == b"server_port":             # the answer repeats the client's, which it shall see
            text = re.sub(rb"client_port=\d+-\d+", lambda _: b"client_port=%d-%d" % (
                self.ends[b"client_port"], self.ends[b"client_port"] + 1), text)
        return re.sub(rb"(" + whose + rb")=(\d+)-\d+", ours, text)

    def other_end(self, ready, sender):
        place = self.sockets.index(ready)
        client = self.ends.get(b"client_port", 0) + place
        server = self.ends.get(b"server_port", 0) + place
        port = server if sender[1] == client else client if sender[1] == server else None
        return port and ("127.0.0.1", port)
