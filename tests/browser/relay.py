"""A slow line: a TCP relay that lets through so many bytes per second and buffers little."""
import socket
import threading
import time


class Relay:
    def __init__(self, port, bytes_per_s=None):
        self.target, self.bytes_per_s = port, bytes_per_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lines = set()
        self.lock = threading.Lock()
        self.next = 0.0             # when the line is free again; all connections share it
        self.ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
            try:
                server.connect(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.lines |= {client, server}
            for source, sink, slow in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, slow), daemon=True).start()

    def _pump(self, source, sink, slow):
        try:
            while data := source.recv(4096):
                if slow and self.bytes_per_s:
                    with self.lock:
                        self.next = max(self.next, time.monotonic()) + len(data) / self.bytes_per_s
                        wait = self.next - time.monotonic()
                    time.sleep(max(0, wait))
                sink.sendall(data)
        except OSError:
            pass
        for line in (source, sink):
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            line.close()
            self.lines.discard(line)

    def stop(self):
        self.listener.close()
        for line in list(self.lines):
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
