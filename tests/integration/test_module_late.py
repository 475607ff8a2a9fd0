"""Latest frame wins, from Kafka on: what comes late is passed over, counted and said, whatever was
the reason."""

import contextlib
import os
import signal
import threading
import time

import pytest

import clients
import stack
from clients import counter, lines_with


@contextlib.contextmanager
def camera(feed, number, every_s=0.05):
    """Writes pictures as a camera does, until the end."""
    ending = threading.Event()

    def write():
        jpeg = clients.paint(number)
        while not ending.wait(every_s):
            now = time.time()
            feed.record(number, jpeg, str(number).encode(), (("us", int(now * 1e6)), ("epoch", 1)),
                        timestamp_ms=int(now * 1000))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ending.set()
        writer.join()


@contextlib.contextmanager
def stopped(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def ages_until(stream, moment):
    """How old, in seconds, the pictures were at that moment that are shown from now on, until the
    first that was taken after it."""
    ages = []
    while True:
        headers, _ = stream.part()
        if headers["content-type"] == "image/jpeg":
            taken = int(headers["x-timestamp"]) / 1e6
            if taken > moment:
                return ages
            ages.append(moment - taken)


def test_after_a_pause_the_old_pictures_are_not_replayed(one_child, feed):
    httpd = one_child()
    with camera(feed, 3), clients.Stream(httpd, "/cam/3?meta=1", timeout=60) as stream:
        for _ in range(20):
            stream.part()
        with stopped(httpd.children_pids()):
            begin = feed.end_of(3)
            stack.wait_for(lambda: feed.end_of(3) - begin > 120, 60, "the camera does not write")
        moment = time.time()
        late = [age for age in ages_until(stream, moment) if age > 2.5]
    assert len(late) <= 2, late         # under way when the child was stopped
    assert counter(httpd, "frames_late") > 50
    stack.wait_for(lambda: counter(httpd, "lag_ms") > 2000, 8, "the delay is not shown")
    assert len(lines_with(httpd, "ms late: on to the newest picture")) == 1


@pytest.mark.expects_log("KC2013")
def test_pictures_that_go_on_coming_late_are_said_once(one_child, feed):
    httpd = one_child()
    with camera(feed, 3), clients.Stream(httpd, "/cam/3?meta=1", timeout=60) as stream:
        stream.part()
        end = time.monotonic() + 120
        while not lines_with(httpd, "KC2013"):
            assert time.monotonic() < end
            with stopped(httpd.children_pids()):
                begin = feed.end_of(3)
                stack.wait_for(lambda: feed.end_of(3) - begin > 70, 60, "the camera does not write")
            moment = time.time()
            ages_until(stream, moment)
        httpd.wait_log(r"pictures come in time again; \d+ were passed over", 90)
    assert len(lines_with(httpd, "KC2013")) == 1


def test_a_clock_that_is_set_back_costs_no_picture(one_child, feed):
    httpd = one_child()
    hour_ago = -3600
    feed.record(3, clients.paint(3))
    with clients.Stream(httpd, "/cam/3", timeout=20) as stream:
        for frame in range(1, 30):
            now = time.time() + (hour_ago if frame >= 10 else 0)
            feed.record(3, clients.paint(3, frame), timestamp_ms=int(now * 1000))
            while True:
                found = stream.shown()      # "offline since" once may come between
                if found and found != (3, 0):
                    assert found == (3, frame)
                    break
    assert counter(httpd, "frames_late") == 0
