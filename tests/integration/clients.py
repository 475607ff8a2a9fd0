"""What the tests talk with: HTTP clients that read live pictures, and a Kafka client that writes
records. Every wait has a deadline."""

import http.client
import json
import socket
import ssl
import time

import cv2
import kafka
import kafka.admin
import numpy
import requests

import picture
import stack

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def decode(jpeg):
    """The picture of a JPEG as an array; AssertionError if it is none."""
    image = cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)
    assert image is not None, f"no JPEG: {jpeg[:20]!r}..., {len(jpeg)} bytes"
    return image


def read_picture(jpeg):
    """(camera's number, frame of its minute) that a demo camera has painted into a JPEG."""
    found = picture.read(decode(jpeg))
    assert found, "the picture is not a demo camera's"
    return found


def paint(number, frame=0, size=(320, 180), quality=80):
    """A JPEG as a demo camera's, for records that a test writes itself."""
    width, height = size
    planes = picture.Painter(number, width, height, 25).frame(frame)
    image = numpy.frombuffer(planes, numpy.uint8).reshape(height * 3 // 2, width)
    image = cv2.cvtColor(image, cv2.COLOR_YUV2BGR_I420)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def get(httpd, path, **options):
    options.setdefault("timeout", 10)
    options.setdefault("verify", False)
    return requests.get(httpd.url(path), **options)


def status_of(httpd, target, method="GET", headers=()):
    """The status of a request whose target goes out as it is written."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close",
             *(f"{name}: {value}" for name, value in dict(headers).items())]
    with socket.create_connection(("127.0.0.1", httpd.port), 10) as line:
        line.sendall("\r\n".join(lines + ["", ""]).encode())
        return int(line.makefile("rb").readline().split()[1])


def wait_for_pictures(httpd, numbers, deadline_s=30):
    for number in numbers:
        stack.wait_for(lambda n=number: get(httpd, f"/cam/{n}.jpg").status_code == 200, deadline_s,
                       f"no picture of camera {number}")


def state(httpd, number):
    return get(httpd, f"/cam/{number}.json").json()


def wait_for_state(httpd, number, wanted, deadline_s=30):
    """Wait until camera's state is the wanted one (or one of several); returns the whole object."""
    wanted = {wanted} if isinstance(wanted, str) else set(wanted)

    def reached():
        answer = get(httpd, f"/cam/{number}.json")
        return answer.json() if answer.ok and answer.json()["state"] in wanted else None
    return stack.wait_for(reached, deadline_s, f"camera {number} is not {' or '.join(wanted)}")


def status(httpd, port=None):
    """?json of the status page."""
    url = f"http://127.0.0.1:{port or httpd.port}/kafkacam-status?json"
    return requests.get(url, timeout=10).json()


def row(httpd, number, port=None):
    for one in status(httpd, port)["cameras"]:
        if one["state"]["camera"] == number:
            return one
    return None


def counter(httpd, name):
    return status(httpd)["counters"][name]


def lines_with(httpd, mark):
    return [line for line in httpd.log_text().splitlines() if mark in line]


class Stream:
    """An open multipart response, read part by part: /cam/N, or a wall's stream."""

    def __init__(self, httpd, path, *, timeout=10, receive_buffer=None, headers=()):
        self.socket = socket.create_connection(("127.0.0.1", httpd.port), timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if httpd.tls:
            self.socket = ssl._create_unverified_context().wrap_socket(self.socket)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost",
                 *(f"{name}: {value}" for name, value in dict(headers).items())]
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        self.answer = http.client.HTTPResponse(self.socket)
        self.answer.begin()
        self.status = self.answer.status
        self.rest = b""

    def _more(self):
        data = self.answer.read1(262144)
        if not data:
            raise EOFError(f"the stream ended, its status was {self.status}")
        self.rest += data

    def _until(self, mark):
        """What stands before mark, which is left unread."""
        while mark not in self.rest:
            self._more()
        before, found, after = self.rest.partition(mark)
        self.rest = found + after
        return before

    def _skip(self, mark):
        before = self._until(mark)
        self.rest = self.rest[len(mark):]
        return before

    def part(self):
        """(headers, body) of the next part. One without a length ends where the next begins."""
        self._skip(b"--frame\r\n")
        lines = self._skip(b"\r\n\r\n").decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if "content-length" not in headers:
            return headers, self._until(b"\r\n--frame\r\n")
        size = int(headers["content-length"])
        while len(self.rest) < size:
            self._more()
        body, self.rest = self.rest[:size], self.rest[size:]
        return headers, body

    def jpeg(self):
        """The next picture; other parts are skipped."""
        while True:
            headers, body = self.part()
            if headers["content-type"] == "image/jpeg":
                return body

    def shown(self):
        """(number, frame) of the next picture; None if it is "offline since"."""
        return picture.read(decode(self.jpeg()))

    def pictures(self, count):
        """(number, frame) of the next pictures, all of which are a demo camera's."""
        return [read_picture(self.jpeg()) for _ in range(count)]

    def close(self):
        self.answer.close()     # it has the socket open as a file
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def moving(frames):
    """Do these frame numbers of a minute go forward, as time does?"""
    steps = [(after - before) % (25 * picture.LOOP_SECONDS)
             for before, after in zip(frames, frames[1:])]
    return all(0 < step < 25 * 20 for step in steps)


class Feed:
    """A Kafka client that writes what a test wants written."""

    def __init__(self, address, topic):
        self.address, self.topic = address, topic
        self.producer = kafka.KafkaProducer(bootstrap_servers=address, linger_ms=0, retries=20,
                                            max_request_size=8 << 20)
        self.seq = 0
        self.ends = {}              # of topics' partitions: the offset after what was written

    def make_topics(self, needed, partitions=16):
        """On a broker that makes none by itself: what the producer would make."""
        if not needed:
            return
        admin = kafka.admin.KafkaAdminClient(bootstrap_servers=self.address)
        admin.create_topics([
            kafka.admin.NewTopic(self.topic, partitions, 1,
                                 topic_configs={"max.message.bytes": "8388608"}),
            kafka.admin.NewTopic(f"{self.topic}.small", partitions, 1),
            kafka.admin.NewTopic(f"{self.topic}.status", 1, 1,
                                 topic_configs={"cleanup.policy": "compact"})])
        admin.close()

    def record(self, number, value, key=None, headers=(), topic=None, timestamp_ms=None):
        """One record as it is; waits until the broker has it. Returns its offset."""
        sent = self.producer.send(topic or self.topic, value=value, key=key, partition=number,
                                  headers=[(name, str(text).encode()) for name, text in headers],
                                  timestamp_ms=timestamp_ms)
        offset = sent.get(10).offset
        self.ends.setdefault(topic or self.topic, {})[number] = offset + 1
        return offset

    def end_of(self, number):
        """The offset after the last picture that was written."""
        return self.ends.get(self.topic, {}).get(number, 0)

    def picture(self, number, frame=0, *, epoch=1, **size):
        """A record as our producer writes it."""
        self.seq += 1
        now = time.time()
        jpeg = paint(number, frame, **size)
        height, width = decode(jpeg).shape[:2]
        return self.record(number, jpeg, str(number).encode(),
                           (("us", int(now * 1e6)), ("seq", self.seq), ("epoch", epoch),
                            ("w", width), ("h", height)), timestamp_ms=int(now * 1000))

    def status(self, number, value):
        """A status record: a dictionary, raw bytes, or None for a tombstone."""
        if isinstance(value, dict):
            value = json.dumps(value).encode()
        return self.record(0, value, str(number).encode(), topic=f"{self.topic}.status")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.producer.close(5)


def original_consumer(address, topic, number):
    """The original project's consumer, as it stands in its app: no group, from the latest, a bare
    JPEG in each value. Yields what it would send to a browser."""
    consumer = kafka.KafkaConsumer(bootstrap_servers=[address], auto_offset_reset="latest",
                                   consumer_timeout_ms=20000)
    consumer.assign([kafka.TopicPartition(topic, number)])
    try:
        for message in consumer:
            yield (b"--frame\r\n" b"Content-Type: image/jpg\r\n\r\n" + message.value + b"\r\n\r\n")
    finally:
        consumer.close()
