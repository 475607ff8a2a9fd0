#!/usr/bin/python3
"""A stand-in for httpd with mod_kafkacam: serves the page from the source tree and streams that a
test makes up, broken ones too. What the real server never sends cannot be tested with it.

Usage: fake_server.py [--port P] [--cameras N]   (for work on the page: reload shows every change)"""
import argparse
import json
import pathlib
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from marks import picture

WEB = pathlib.Path(__file__).resolve().parents[2] / "mod_kafkacam" / "web"
TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
          "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'")


def part(body, kind="image/jpeg", cam=None, us=0):
    head = f"--frame\r\nContent-Type: {kind}\r\n"
    if cam is not None:
        head += f"X-Camera: {cam}\r\nX-Timestamp: {us}\r\nX-Seq: 1\r\nX-Offset: 1\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n"


class Fake:
    """cameras: list of camera objects as in cameras.json. stream(write, selection): what a stream
    sends, replaced by tests."""

    def __init__(self, cameras, port=0, fps=5):
        self.cameras = cameras
        self.fps = fps
        self.reason = None
        self.kafka = True
        self.trouble = None         # what is wrong with Kafka
        self.page = "fake"
        self.list_status = 200
        self.stream = self.pictures
        self.streams = []           # the paths asked for
        self.lists = []
        self.lines = set()          # sockets of open streams
        self.open = 0
        self.sizes = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                try:
                    fake.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def cut(self):
        """End all open streams, as a network would."""
        for line in list(self.lines):
            line.shutdown(socket.SHUT_RDWR)

    def choose(self, selection):
        if not selection:
            return self.cameras
        if selection.isdigit():
            return self.cameras[:int(selection)]
        wanted = []
        for item in selection.split(","):
            first, _, last = item.partition("-")
            wanted += range(int(first), int(last or first) + 1)
        return [c for n in wanted for c in self.cameras if c["camera"] == n]

    def answer(self, handler):
        path = urllib.parse.urlparse(handler.path).path
        rest = path.removeprefix("/cameras").strip("/")
        if path.startswith("/cam/") and path.endswith(".jpg"):
            return self.send(handler, picture(int(path[5:-4]), 0), "image/jpeg")
        if path.startswith("/cam/") and path.endswith(".json"):
            body = {**self.cameras[int(path[5:-5]) - 1], "page": self.page}
            return self.send(handler, json.dumps(body).encode(), "application/json", self.list_status)
        if path.startswith("/cam/") and path.endswith("/stream"):
            return self.serve_stream(handler, "{0}-{0}".format(path[5:-7]))
        if path.startswith("/cam/") and path.endswith("/"):
            return self.send(handler, self.html(path, "", path.rstrip("/")), "text/html; charset=utf-8")
        if rest.startswith("-/"):
            name = rest.rsplit("/", 1)[1]
            return self.send(handler, (WEB / name).read_bytes(), TYPES[name.rsplit(".", 1)[1]])
        if rest.endswith("list.json"):
            self.lists.append(handler.path)
            body = {"page": self.page, "kafka": self.kafka, "cameras": self.choose(rest[:-10])}
            if self.trouble:
                body["trouble"] = self.trouble
            if not body["cameras"]:
                body["reason"] = self.reason or "none"
            return self.send(handler, json.dumps(body).encode(), "application/json", self.list_status)
        if rest.endswith("stream"):
            return self.serve_stream(handler, rest[:-7])
        return self.send(handler, self.html(path, rest), "text/html; charset=utf-8")

    @staticmethod
    def html(path, selection, single=None):
        base = "/cameras/"
        own = base + (selection + "/" if selection else "")
        data = (f' data-title="Cameras" data-page="fake" data-base="{base}" data-list="{own}list.json"'
                f' data-all="{base}list.json" data-stream="{own}stream" data-cams="/cam/"')
        if single:
            data = (f' data-title="Camera" data-page="fake" data-base="{base}" data-list="{single}.json"'
                    f' data-stream="{single}/stream" data-cams="/cam/" data-single')
        text = (WEB / "index.html").read_text()
        for mark, value in {"DATA": data, "TITLE": "Cameras", "ASSETS": base + "-/x/", "NOSCRIPT": ""}.items():
            text = text.replace(f"@{mark}@", value)
        return text.encode()

    @staticmethod
    def send(handler, body, kind, status=200):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Security-Policy", POLICY)
        handler.send_header("Cache-Control", "no-store")
        handler.end_headers()
        handler.wfile.write(body)

    def serve_stream(self, handler, selection):
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/mixed; boundary=frame")
        handler.send_header("Connection", "close")
        handler.send_header("X-Server-Time", str(time.time_ns() // 1000))
        handler.end_headers()
        self.streams.append(handler.path)
        self.open += 1
        self.lines.add(handler.connection)
        try:
            self.stream(handler.wfile.write, selection)
        finally:
            self.open -= 1
            self.lines.discard(handler.connection)

    def pictures(self, write, selection):
        cameras = self.choose(selection)
        for camera in cameras:
            write(part(json.dumps(camera).encode(), "application/json"))
        count = 0
        while True:
            for camera in cameras:
                if camera["state"] == "live":
                    size = self.sizes.get(camera["camera"], (320, 180))
                    write(part(picture(camera["camera"], count, size), cam=camera["camera"], us=time.time_ns() // 1000))
            count += 1
            time.sleep(1 / self.fps)


def camera(number, **more):
    return {"camera": number, "name": f"Camera {number}", "state": "live", "since": 0, **more}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cameras", type=int, default=4)
    args = parser.parse_args()
    fake = Fake([camera(n) for n in range(1, args.cameras + 1)], port=args.port)
    print(f"{fake.url}/cameras", flush=True)
    threading.Event().wait()
