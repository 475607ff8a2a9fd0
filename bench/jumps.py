#!/usr/bin/python3
"""Jumps of a wall into the past on Apache Kafka: from the request to the first picture of every camera.
And how often a block is read when many look at the same minute.

    scripts/bench jumps [--cameras 16] [--minutes 10] [--jumps 100]"""

import argparse
import pathlib
import random
import statistics
import tempfile
import threading
import time

import clients
import past
import stack


def record(feed, cameras, count):
    """count pictures of each camera, five a second, the last of them now."""
    jpegs = [clients.paint(1, frame, (480, 270)) for frame in range(20)]
    begin = int(time.time() * 1e6) - count * 200_000
    for camera in range(1, cameras + 1):
        feed.record(camera, jpegs[0], timestamp_ms=begin // 1000)
    for place in range(1, count):
        us = begin + place * 200_000
        for camera in range(1, cameras + 1):
            feed.producer.send(feed.topic, value=jpegs[place % 20], partition=camera,
                               timestamp_ms=us // 1000, headers=[("us", str(us).encode())])
    feed.producer.flush(120)
    return begin, begin + (count - 1) * 200_000


def jump(httpd, cameras, us):
    """Milliseconds until each camera has shown a picture of that moment."""
    begin, missing = time.monotonic(), set(range(1, cameras + 1))
    with clients.Stream(httpd, f"/cameras/1-{cameras}/stream?at={us // 1000}") as stream:
        while missing:
            headers, _ = stream.part()
            if headers["content-type"] == "image/jpeg":
                assert us - 201_000 <= int(headers["x-timestamp"]) <= us + 2_000_000
                missing.discard(int(headers["x-camera"]))
    return (time.monotonic() - begin) * 1000


def counter(httpd, name):
    return clients.get(httpd, "/kafkacam-status?json").json()["counters"][name]


def watch(httpd, path):
    with clients.Stream(httpd, path, timeout=60) as stream:
        try:
            while True:
                stream.part()
        except EOFError:
            pass


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cameras", type=int, default=16)
    options.add_argument("--minutes", type=int, default=10)
    options.add_argument("--jumps", type=int, default=100)
    options = options.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kc-"))
    folder.chmod(0o755)                 # who runs httpd for root is somebody else
    broker = stack.ApacheKafka(folder / "kafka").start()
    broker.topic = "video"
    httpd = stack.Httpd(folder / "httpd", broker, locations=past.LOOKS_BACK, children=1, threads=64)
    try:
        with clients.Feed(broker.address, "video") as feed:
            feed.make_topics(True, options.cameras + 1)
            first, last = record(feed, options.cameras, options.minutes * 300)
        httpd.start()
        past.wait_for_wall(httpd, range(1, options.cameras + 1))
        took = sorted(jump(httpd, options.cameras, random.randrange(first, last - 5_000_000))
                      for _ in range(options.jumps))
        print(f"{options.jumps} jumps of {options.cameras} cameras: p50 {statistics.median(took):.0f} ms, "
              f"p99 {took[int(len(took) * 0.99) - 1]:.0f} ms, most {took[-1]:.0f} ms")
        before = counter(httpd, "past_records")
        at = f"at={(last - 60_000_000) // 1000}&until={(last - 40_000_000) // 1000}&rate=4"
        viewers = [threading.Thread(target=watch, args=(httpd, f"/cam/{1 + number % 4}?{at}"))
                   for number in range(100)]
        for viewer in viewers:
            viewer.start()
        for viewer in viewers:
            viewer.join()
        print(f"100 viewers of the same 20 s of 4 cameras (400 records): "
              f"{counter(httpd, 'past_records') - before} records read from Kafka")
    finally:
        httpd.stop()
        broker.stop()


if __name__ == "__main__":
    main()
