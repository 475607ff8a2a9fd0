"""Writes made-up pictures into the broker, as a producer with many cameras would."""
import json
import threading
import time

from kafka import KafkaProducer

from marks import picture


class Feed:
    """All cameras at fps, in one thread. Change cameras, fps or silent any time."""

    def __init__(self, broker, cameras, fps=5, size=(320, 180), bytes_about=0, topic="video", names=None):
        self.producer = KafkaProducer(bootstrap_servers=broker, linger_ms=0, max_request_size=8 << 20,
                                      buffer_memory=256 << 20, acks=1)
        self.topic, self.size, self.bytes_about = topic, size, bytes_about
        self.cameras = set(cameras)
        self.names = names or {}
        self.silent = set()
        self.fps = fps
        self.small_size = None          # also write this size into TOPIC.small
        self.count = 0
        self.sent = {}                  # count -> when, s since 1970
        self.failure = None
        for cam in self.cameras:
            self.status(cam)
        self.producer.flush(20)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def status(self, cam, state="streaming", **more):
        record = {"name": self.names.get(cam, f"Camera {cam}"), "state": state, "since": int(time.time() * 1000),
                  "fps": self.fps, "w": self.size[0], "h": self.size[1], "bytes_per_s": 1000, "host": "test", **more}
        self.producer.send(f"{self.topic}.status", key=str(cam).encode(), value=json.dumps(record).encode(), partition=0)

    def add(self, cam):
        self.status(cam)
        self.cameras.add(cam)

    def remove(self, cam):
        self.cameras.discard(cam)
        self.producer.send(f"{self.topic}.status", key=str(cam).encode(), value=None, partition=0)

    def write(self, cam, count, topic=None, size=None):
        now = time.time()
        self.producer.send(topic or self.topic, partition=cam, key=str(cam).encode(),
                           value=picture(cam, count, size or self.size, self.bytes_about),
                           timestamp_ms=int(now * 1000),
                           headers=[("us", str(int(now * 1e6)).encode()), ("seq", str(count + 1).encode())])
        return now

    def _run(self):
        begin = time.monotonic()
        try:
            while not self.ended.wait(max(0, begin - time.monotonic())):
                begin = max(begin + 1 / self.fps, time.monotonic() - 1)
                for cam in sorted(self.cameras - self.silent):
                    self.sent[self.count] = self.write(cam, self.count)
                    if self.small_size:
                        self.write(cam, self.count, f"{self.topic}.small", self.small_size)
                self.count += 1
                self.sent.pop(self.count - 1000, None)
        except Exception as error:      # told by stop(): a test must not pass without pictures
            self.failure = error

    def stop(self):
        self.ended.set()
        self.thread.join(20)
        self.producer.close(timeout=5)
        assert self.failure is None, self.failure
