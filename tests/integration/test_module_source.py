"""Where pictures come from: brokers that go and come back, records of every kind, demand, several
servers, reloads. Most of it is seen through /kafkacam-status, as an operator would."""

import concurrent.futures
import os
import re
import signal
import subprocess
import threading
import time

import pytest
import requests

import clients
import stack
from clients import counter, lines_with, row, status


def listed_state(httpd, number):
    """From the list, which watches nothing, as /cam/N.json does."""
    cameras = clients.get(httpd, "/cameras.json").json()["cameras"]
    return {camera["camera"]: camera["state"] for camera in cameras}.get(number)


# ---- Records ----

@pytest.mark.both_brokers
@pytest.mark.expects_log("KC2081")
def test_a_replaced_producer_is_not_played(one_child, feed):
    httpd = one_child()
    feed.picture(3, 1, epoch=100)
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
        feed.picture(3, 2, epoch=200)           # a new process takes over
        assert stream.pictures(1) == [(3, 2)]
        feed.picture(3, 3, epoch=100)           # the old one was not dead after all
        feed.record(3, clients.paint(3, 4))     # somebody else's, without an epoch: plays
        assert stream.pictures(1) == [(3, 4)]
        feed.picture(3, 5, epoch=200)
        assert stream.pictures(1) == [(3, 5)]
        feed.picture(3, 6, epoch=100)
        feed.picture(3, 7, epoch=200)
        assert stream.pictures(1) == [(3, 7)]
    assert counter(httpd, "frames_outdated") == 2
    assert row(httpd, 3)["outdated"] == 2
    assert len(lines_with(httpd, "KC2081")) == 1


@pytest.mark.expects_log("KC2080")
def test_an_epoch_ahead_of_all_clocks_silences_nobody(one_child, feed):
    httpd = one_child()
    started = int(time.time() * 1000)
    feed.picture(3, 1, epoch=started)
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
        for frame, epoch in ((2, 2**53 - 1), (3, started), (4, started + 3600_000), (5, started)):
            feed.picture(3, frame, epoch=epoch)
            assert stream.pictures(1) == [(3, frame)]
    assert counter(httpd, "frames_outdated") == 0
    assert len(lines_with(httpd, "KC2080")) == 1


def test_numbers_too_large_to_be_true_count_as_not_said(one_child, feed):
    """Each of these made walls reconnect for ever, the camera offline, or a number negative."""
    httpd = one_child()
    now = int(time.time() * 1e6)
    for headers, stamp in (([("us", 10**16)], None), ([("us", 10**17)], None), ([("us", 2**63 - 1)], None),
                           ([("us", now + 3600 * 10**6)], None), ([("seq", 2**63 + 5)], None),
                           ([("seq", 2**64 - 1)], None), ([("epoch", 2**63 - 1)], None), ([], 2**63 - 1)):
        feed.record(3, clients.paint(3, 1), headers=headers, timestamp_ms=stamp)
        with clients.Stream(httpd, "/cam/3?meta=1") as stream:
            part, _ = stream.part()
        assert abs(int(part["x-timestamp"]) - now) < 600e6, (headers, stamp)
        assert part["x-seq"] == "0"
        state = clients.state(httpd, 3)
        assert state["state"] == "live" and state["seq"] == 0, (headers, stamp)


def test_small_pictures_that_stopped_make_no_wall_say_offline(one_child, feed):
    """As when small_width was taken away: the old small pictures stay in Kafka."""
    httpd = one_child("KafkaCamStaleAfter 2s")
    feed.record(3, clients.paint(3, 1), topic="video.small", timestamp_ms=int(time.time() - 3600) * 1000)
    feed.status(3, {"name": "Gate", "state": "streaming"})
    ended = threading.Event()

    def write():
        while not ended.wait(0.5):
            feed.picture(3)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        stack.wait_for(lambda: listed_state(httpd, 3) == "live", 20, "the camera")
        with clients.Stream(httpd, "/cameras/3-3/stream?small=1"):
            seen, begin = set(), time.monotonic()
            while time.monotonic() < begin + 25:        # longer than the producer's word counts
                seen.add(listed_state(httpd, 3))
                ended.wait(0.5)
        assert seen == {"live"}
    finally:
        ended.set()
        writer.join()


@pytest.mark.expects_log("KC2020")
def test_what_is_no_picture_is_dropped_and_said_once(one_child, feed):
    httpd = one_child()
    feed.picture(3, 1)
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
        feed.record(3, None, key=b"3")
        for value in (b"", b"\xff\xd8\xfe\xff", b"GIF89a", b"\xff\xd8", b"\x00" * 100000, b"{}"):
            feed.record(3, value)
        feed.picture(3, 2)
        assert stream.pictures(1) == [(3, 2)]
    assert counter(httpd, "frames_broken") == 7
    assert len(lines_with(httpd, "KC2020")) == 1
    assert "camera 3" in lines_with(httpd, "KC2020")[0]


def test_odd_headers_do_no_harm(one_child, feed):
    httpd = one_child()
    odd = [("us", "soon"), ("us", ""), ("seq", "-1"), ("epoch", "1e9"), ("w", "70000"), ("h", "0x10"),
           ("traceparent", "\u00ff"), ("seq", "7")] + [(f"x{i}", i) for i in range(200)]
    feed.record(3, clients.paint(3, 1), headers=odd)
    with clients.Stream(httpd, "/cam/3?meta=1") as stream:
        headers, body = stream.part()
    assert clients.read_picture(body) == (3, 1)
    assert headers["x-seq"] == "7"
    assert clients.state(httpd, 3)["w"] == 320


@pytest.mark.expects_log("KC2021")
def test_odd_status_records_do_no_harm(one_child, feed):
    httpd = one_child()
    feed.status(3, {"name": "Gate", "state": "failed", "error": "wrong password"})
    for value in (b"", b"x", b"[]", b"{}", b'{"state":"asleep\\r\\n"}', b'{"state":"failed","name":7}',
                  b'{"state":"failed","fps":-1}', b"[" * 60000, b"\xff\xfe",
                  b'{"state":"failed","name":"' + b"n" * 70000 + b'"}'):
        feed.status(3, value)
    for key in (b"", None, b"x", b"-1", b"1000000", b"3\x00"):
        feed.record(0, b'{"state":"failed"}', key, topic="video.status")
    feed.status(4, {"name": "\U0001f4f7 \u202e </script>\"'&<b>" + 300 * "x", "state": "waiting"})
    state = clients.wait_for_state(httpd, 4, "waiting")
    assert state["name"].startswith("\U0001f4f7 ? </script>\"'&<b>xxx")     # no text backwards
    assert len(state["name"].encode()) < 128
    state = clients.state(httpd, 3)
    assert (state["name"], state["state"], state["error"]) == ("Gate", "failed", "wrong password")
    assert counter(httpd, "status_broken") == 16
    assert len(lines_with(httpd, "KC2021")) == 1
    page = clients.get(httpd, "/kafkacam-status").text
    assert "<b>xxx" not in page and "&lt;b&gt;xxx" in page


def test_a_state_of_a_newer_producer_is_shown_as_it_is(one_child, feed):
    httpd = one_child()
    feed.status(3, {"name": "Gate", "state": "key-frames_2", "error": "as you like"})
    state = clients.wait_for_state(httpd, 3, "key-frames_2")
    assert state["error"] == "as you like"
    assert "key-frames_2" in clients.get(httpd, "/kafkacam-status").text
    feed.status(3, {"name": "Gate", "state": "live"})       # not the producer's to say
    clients.wait_for_state(httpd, 3, "offline")


# ---- Demand ----

@pytest.mark.both_brokers
def test_only_watched_cameras_are_fetched_and_dropped_when_idle(one_child, feed):
    httpd = one_child("KafkaCamIdle 1s")
    for number in (1, 2, 3):
        feed.picture(number, 1)
    with clients.Stream(httpd, "/cam/2") as stream:
        stream.pictures(1)
        assert counter(httpd, "partitions") == 1
        assert row(httpd, 2)["fetched"]
        assert not row(httpd, 1)["fetched"]
        feed.picture(1, 2)
        feed.picture(2, 2)
        assert stream.pictures(1) == [(2, 2)]
        assert counter(httpd, "frames_received") == 2       # camera 1 was not read
    stack.wait_for(lambda: counter(httpd, "partitions") == 0, 10, "camera 2 is still fetched")
    stack.wait_for(lambda: not row(httpd, 2)["fetched"], 10, "camera 2 is still shown as fetched")
    feed.picture(2, 3)
    with clients.Stream(httpd, "/cam/2") as stream:
        assert stream.pictures(1) == [(2, 3)]               # never an old one first


def test_viewers_of_one_camera_cost_kafka_one_fetch(one_child, feed):
    httpd = one_child(threads=64)
    feed.picture(3, 1)
    streams = [clients.Stream(httpd, "/cam/3") for _ in range(20)]
    try:
        for stream in streams:
            assert stream.pictures(1) == [(3, 1)]
        feed.picture(3, 2)
        for stream in streams:
            assert stream.pictures(1) == [(3, 2)]
        assert counter(httpd, "frames_received") == 2
        assert counter(httpd, "viewers") == 20
    finally:
        for stream in streams:
            stream.close()
    stack.wait_for(lambda: counter(httpd, "viewers") == 0, 10, "viewers are still counted")


def test_quick_coming_and_going_ends_in_a_picture(one_child, feed):
    """Watches that come and go while partitions start and stop: no wish is lost."""
    httpd = one_child("KafkaCamIdle 0")
    for number in range(1, 9):
        feed.picture(number, number)
    clients.wait_for_pictures(httpd, range(1, 9))

    def visit(number):
        for _ in range(12):
            with clients.Stream(httpd, f"/cam/{number}") as stream:
                assert stream.pictures(1) == [(number, number)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(1, 9)))
    stack.wait_for(lambda: counter(httpd, "partitions") == 0, 10, "partitions are still fetched")


# ---- Truthful pictures ----

@pytest.mark.both_brokers
def test_a_notice_comes_when_pictures_stop_and_goes_when_they_are_back(one_child, feed):
    httpd = one_child("KafkaCamStaleAfter 1s")
    feed.status(3, {"name": "Gate", "state": "streaming"})
    feed.picture(3, 1, size=(480, 270))
    with clients.Stream(httpd, "/cam/3", timeout=15) as stream:
        assert stream.pictures(1) == [(3, 1)]
        notice = clients.decode(stream.jpeg())
        assert notice.shape[:2] == (270, 480)
        assert notice.mean() < 60 and notice.max() > 180    # dark, with something written on it
        assert clients.picture.read(notice) is None
        assert clients.state(httpd, 3)["state"] == "offline"
        with clients.Stream(httpd, "/cam/3") as late:       # who comes now sees no frozen picture
            assert clients.decode(late.jpeg()).shape == notice.shape
        feed.picture(3, 2, size=(480, 270))
        assert stream.pictures(1) == [(3, 2)]
        assert clients.state(httpd, 3)["state"] == "live"


def test_a_camera_that_never_sent_has_a_picture_that_says_so(one_child, feed):
    httpd = one_child()
    feed.status(5, {"name": "New", "state": "connecting"})
    stack.wait_for(lambda: clients.get(httpd, "/cam/5.json").ok, 10, "camera 5 is not known")
    with clients.Stream(httpd, "/cam/5") as stream:
        assert clients.decode(stream.jpeg()).shape[:2] == (360, 640)
        feed.picture(5, 1)
        assert stream.pictures(1) == [(5, 1)]


def test_an_old_picture_is_not_shown_as_live(one_child, feed):
    httpd = one_child()
    old = int(time.time() * 1000) - 3600_000
    feed.record(3, clients.paint(3, 1), timestamp_ms=old)
    answer = clients.get(httpd, "/cam/3.jpg")
    assert clients.read_picture(answer.content) == (3, 1)
    assert answer.headers["X-KafkaCam-State"] == "offline"
    state = clients.state(httpd, 3)
    assert state["state"] == "offline"
    assert state["since"] == old
    assert state["age_ms"] > 3500_000


# ---- Kafka comes and goes ----

@pytest.mark.expects_log("KC2011")
def test_a_broker_that_is_away_at_the_start_is_waited_for(folder, build, make_httpd):
    broker = stack.Broker(folder, build, port=stack.free_port())
    broker.topic = "video"
    httpd = make_httpd(broker, children=1)
    stream = clients.Stream(httpd, "/cam/3", timeout=30)
    assert stream.status == 200                             # open, though nothing is known
    httpd.wait_log("KC2011")
    assert status(httpd)["kafka"]["state"] == "away"
    assert clients.get(httpd, "/cam/3.json").json()["state"] == "unknown"
    with broker, clients.Feed(broker.address, "video") as feed:
        feed.picture(3, 1)
        with stream:
            while True:                                     # a notice may have come meanwhile
                found = stream.shown()
                if found:
                    assert found == (3, 1)
                    break
        httpd.wait_log("is back after")
        assert status(httpd)["kafka"]["state"] == "up"
    assert len(lines_with(httpd, "KC2011")) == 1


@pytest.mark.both_brokers
@pytest.mark.expects_log("KC2011")
def test_a_broker_that_goes_and_comes_back_cuts_nobody(broker, one_child, feed):
    httpd = one_child("KafkaCamStaleAfter 2s", threads=64)
    for number in (1, 2):
        feed.picture(number, 1)
    streams = [clients.Stream(httpd, f"/cam/{1 + i % 2}", timeout=60) for i in range(30)]
    for stream in streams:
        assert len(stream.pictures(1)) == 1
    broker.stop()
    httpd.wait_log("KC2011", 60)
    broker.start()
    httpd.wait_log("is back after", 60)
    with clients.Feed(broker.address, feed.topic) as again:
        frame = 1
        waiting = {stream: None for stream in streams}
        end = time.monotonic() + 60
        while waiting and time.monotonic() < end:
            frame += 1
            for number in (1, 2):
                again.picture(number, frame)
            for stream in list(waiting):
                if stream.shown():
                    del waiting[stream]
                    stream.close()
    assert not waiting
    assert len(lines_with(httpd, "KC2011")) == 1


# ---- Several servers ----

def test_two_hosts_with_two_topics(broker, feed, make_httpd):
    port = stack.free_port()
    httpd = make_httpd(broker, children=1, snippet=f"""
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
    KafkaCamTopic other
    <Location "/only">
        SetHandler kafkacam-cam
    </Location>
</VirtualHost>
""")
    feed.record(1, clients.paint(1, 11))
    feed.record(1, clients.paint(2, 22), topic="other")
    first = clients.get(httpd, "/cam/1.jpg")
    second = requests.get(f"http://127.0.0.1:{port}/only/1.jpg", timeout=10)
    assert clients.read_picture(first.content) == (1, 11)
    assert clients.read_picture(second.content) == (2, 22)
    assert second.headers["ETag"].startswith('"other:1:')
    assert status(httpd)["kafka"]["topic"] == "video"
    assert status(httpd, port)["kafka"]["topic"] == "other"


# ---- httpd's own life ----

def test_a_graceful_restart_under_viewers(broker, feed, make_httpd):
    httpd = make_httpd(broker, children=2)
    feed.picture(3, 1)
    before = counter(httpd, "viewers_begun")
    streams = [clients.Stream(httpd, "/cam/3") for _ in range(10)]
    for stream in streams:
        stream.pictures(1)
    old = set(httpd.children_pids())
    httpd.graceful()
    for stream in streams:                      # told to come again, which browsers do
        with pytest.raises(EOFError):
            while True:
                stream.part()
        stream.close()
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
    stack.wait_for(lambda: not old & set(httpd.children_pids()), 15, "old children are still there")
    assert counter(httpd, "viewers_begun") == before + 11   # counts stay over the reload
    stack.wait_for(lambda: counter(httpd, "viewers") == 0, 10, "viewers are still counted")
    stack.wait_for(lambda: status(httpd)["children"] == len(httpd.children_pids()), 10, "children")


@pytest.mark.expects_log()
def test_gauges_of_a_child_that_was_killed_are_taken_back(broker, feed, make_httpd):
    httpd = make_httpd(broker, children=1, threads=16)
    feed.picture(3, 1)
    streams = [clients.Stream(httpd, "/cam/3") for _ in range(5)]
    for stream in streams:
        stream.pictures(1)
    assert counter(httpd, "viewers") == 5
    frames = counter(httpd, "frames_sent")
    subprocess.run(["kill", "-KILL", *map(str, httpd.children_pids())], check=True)

    def settled():
        try:
            return counter(httpd, "viewers") == 0
        except requests.ConnectionError:
            return False
    stack.wait_for(settled, 20, "the killed child's viewers are still counted")
    assert counter(httpd, "frames_sent") >= frames
    assert status(httpd)["children"] == 1
    for stream in streams:
        stream.close()
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_other_mpms_play_as_well(broker, feed, make_httpd, mpm):
    httpd = make_httpd(broker, mpm=mpm)
    feed.picture(3, 1)
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
        feed.picture(3, 2)
        assert stream.pictures(1) == [(3, 2)]
    begin = time.monotonic()
    httpd.signal(signal.SIGTERM)
    httpd.process.wait(15)
    assert time.monotonic() - begin < 10
    httpd.process = None


def test_prefork_ends_at_once_whatever_its_viewers_do(broker, feed, make_httpd):
    """A child is ended in a signal handler, wherever it is: nothing there may wait for a thread."""
    httpd = make_httpd(broker, mpm="prefork", snippet="KafkaCamMaxBlockingViewers 20\n")
    feed.picture(3, 1)
    for how in ["graceful", "stop"] * 3:
        if not httpd.running():
            httpd.start()
        streams = [clients.Stream(httpd, "/cam/3") for _ in range(12)]
        writing, over = feed.picture, threading.Event()
        writer = threading.Thread(target=lambda: [writing(3, 2) for _ in iter(over.is_set, True)])
        writer.start()
        for stream in streams:
            stream.jpeg()
        old = httpd.children_pids()
        begin = time.monotonic()
        httpd.graceful() if how == "graceful" else httpd.stop()
        stack.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in old), 8, "a child stays")
        assert time.monotonic() - begin < 8
        over.set()
        writer.join()
        for stream in streams:
            stream.close()
    assert not re.search("still did not exit|SIGKILL|did not exit", httpd.log_text())
    httpd.start()


def test_fifty_viewers_and_one_who_does_not_read(one_child, feed):
    httpd = one_child(threads=64)
    jpegs = [clients.paint(3, frame, size=(1280, 720)) for frame in range(2)]
    feed.record(3, jpegs[0])
    slow = clients.Stream(httpd, "/cam/3", receive_buffer=4096)
    streams = [clients.Stream(httpd, "/cam/3") for _ in range(50)]
    for stream in streams:
        assert stream.jpeg() == jpegs[0]
    for count in range(1, 41):
        feed.record(3, jpegs[count % 2])
        for stream in streams:
            assert stream.jpeg() == jpegs[count % 2]        # nobody waits for the slow one
    assert slow.jpeg() == jpegs[0]                          # what was begun comes whole
    while counter(httpd, "frames_skipped") == 0:            # then the newest, the others are missed
        assert slow.jpeg() in jpegs
    for stream in [slow, *streams]:
        stream.close()


@pytest.mark.slow_sanitized     # which keeps what was freed
def test_memory_does_not_grow_with_pictures(one_child, feed):
    httpd = one_child()

    def resident_kb():
        text = "".join(open(f"/proc/{pid}/smaps_rollup").read() for pid in httpd.children_pids())
        return sum(int(kb) for kb in re.findall(r"^Rss:\s+(\d+)", text, re.M))

    jpeg = clients.paint(3, 1, size=(1280, 720))
    feed.record(3, jpeg)
    with clients.Stream(httpd, "/cam/3") as stream:
        readings = []
        for _ in range(4):
            for _ in range(150):
                feed.record(3, jpeg)
                stream.jpeg()
            readings.append(resident_kb())
    assert readings[-1] - readings[1] < 4096, readings
