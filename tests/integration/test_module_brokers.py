"""Brokers that answer in part: one of several is away, a partition has no leader, a topic gives an
error for a moment. What can be fetched goes on, and what cannot is said."""

import signal
import time

import pytest

import clients
import stack
from clients import counter, lines_with, status


@pytest.fixture
def make_brokers(new_folder, build):
    """Call it for a cluster of embedded brokers that runs; stopped afterwards."""
    running = []

    def make(count):
        running.append(stack.Broker(new_folder(), build, brokers=count))
        running[-1].topic = "video"
        return running[-1].start()
    yield make
    for broker in running:
        broker.stop()


@pytest.fixture
def two(make_brokers):
    """Two brokers: the first leads cameras with odd numbers, the second the others."""
    brokers = make_brokers(2)
    brokers.tell(*(f"leader {topic} {partition} {1 if partition % 2 else 2}"
                   for topic in ("video", "video.small") for partition in range(9)),
                 "leader video.status 0 1")
    return brokers


def listed(httpd):
    """{camera: state} of the list, which is asked about without watching any."""
    answer = clients.get(httpd, "/cameras.json")
    return {camera["camera"]: camera["state"] for camera in answer.json()["cameras"]}


def list_seconds(httpd):
    begin = time.monotonic()
    answer = clients.get(httpd, "/cameras.json")
    if answer.status_code == 503:       # it has just begun and does not know all
        assert int(answer.headers["Retry-After"]) > 0
        return 99
    assert answer.ok
    return time.monotonic() - begin


def look_again(httpd):
    """Ask Kafka anew, twice: an answer that was under way may be of before."""
    for _ in range(2):
        clients.get(httpd, "/cam/60.jpg")


@pytest.mark.expects_log("KC2014")
def test_lists_do_not_wait_for_a_broker_that_is_away(two, make_httpd):
    with clients.Feed(two.address, "video") as feed:
        feed.picture(1, 1)
        feed.picture(2, 1)
    two.tell("leader video.status 0 2", "down 2")
    httpd = make_httpd(two, children=1)
    stack.wait_for(lambda: list_seconds(httpd) < 0.5, 60, "lists go on waiting")
    assert 1 in listed(httpd)
    httpd.wait_log(r"KC2014: .*some cameras cannot be fetched: cannot reach 127.0.0.1:\d+, as broker 2 "
                   "calls itself")
    assert "cannot reach 127.0.0.1" in status(httpd)["kafka"]["error"]
    assert status(httpd)["kafka"]["state"] == "up"
    assert clients.get(httpd, "/cam/2.json").json()["state"] == "unknown"   # and not 404
    # One that the first broker leads, whichever of them the rest fell to.
    stack.wait_for(lambda: clients.get(httpd, "/cam/7.json").status_code == 404, 60,
                   "what is not known goes on being waited for")
    two.tell("up 2")
    httpd.wait_log("all cameras can be fetched again", 60)
    stack.wait_for(lambda: 2 in listed(httpd), 30, "camera 2 is not known")
    assert len(lines_with(httpd, "KC2014")) == 1


@pytest.mark.expects_log("KC2014")
def test_cameras_of_the_other_brokers_stay_live(two, make_httpd):
    httpd = make_httpd(two, children=1)
    with clients.Feed(two.address, "video") as feed:
        feed.picture(1, 1)
        feed.picture(2, 1)
        stack.wait_for(lambda: set(listed(httpd)) == {1, 2}, 30, "cameras are not known")

        def is_live():
            feed.picture(1, 1)
            return listed(httpd)[1] == "live"
        stack.wait_for(is_live, 30, "camera 1 is not live")
        two.tell("down 2")
        httpd.wait_log("KC2014", 60)
        end = time.monotonic() + 25             # live holds for 15 s without news
        while time.monotonic() < end:
            assert is_live()


@pytest.mark.expects_log("KC2014")
def test_partitions_without_a_leader_are_said(broker, feed, one_child):
    httpd = one_child()
    feed.picture(3, 1)
    clients.wait_for_pictures(httpd, [3])
    broker.tell("leader video 3 -1", "leader video 4 -1")
    httpd.wait_log("KC2014: .*2 of 65 partitions of video have no leader", 60)
    assert "have no leader" in status(httpd)["kafka"]["error"]
    broker.tell("leader video 3 1", "leader video 4 1")
    httpd.wait_log("all cameras can be fetched again", 60)
    assert status(httpd)["kafka"]["error"] == ""


@pytest.mark.expects_log("KC2012")
@pytest.mark.parametrize("code", [3, 29, 5, 7], ids=["unknown", "denied", "no leader", "timed out"])
def test_an_error_of_a_topic_revives_no_dead_camera(broker, feed, one_child, code):
    old = int(time.time() * 1000) - 3600_000
    feed.record(3, clients.paint(3, 1), timestamp_ms=old)
    httpd = one_child()
    stack.wait_for(lambda: listed(httpd) == {3: "offline"}, 30, "camera 3 is not known")
    broker.tell(f"error video {code}")
    if code in (5, 3):
        look_again(httpd)
        look_again(httpd)
    else:
        httpd.wait_log("KC2012", 60)
    broker.tell("error video 0")
    look_again(httpd)
    look_again(httpd)
    assert listed(httpd) == {3: "offline"}
    assert counter(httpd, "frames_received") == 0


FETCH, NOT_LEADER = 1, 6        # of Kafka's protocol


@pytest.mark.expects_log("KC2015")
def test_a_partition_that_grows_and_is_not_read_is_opened_anew(broker, feed, one_child):
    """The broker tells how far it reaches, as ever, and gives nothing."""
    httpd = one_child("KafkaCamStaleAfter 1h")
    feed.picture(3, 1)
    with clients.Stream(httpd, "/cam/3", timeout=90) as stream:
        assert stream.pictures(1) == [(3, 1)]
        broker.tell(f"fail {FETCH} 100000 {NOT_LEADER}")
        feed.picture(3, 2)
        httpd.wait_log("partition 3 of video stood still: fetched anew", 60)
        httpd.wait_log(r"KC2015: partition 3 of video has records that do not come", 90)
        broker.tell(f"fail {FETCH} 0 0")
        feed.picture(3, 3)
        while stream.shown() != (3, 3):         # 1 comes again as a heartbeat
            pass


@pytest.mark.expects_log("KC2011", "KC2014")
def test_a_broker_that_stands_still_delays_pictures_and_replays_none(broker, feed, one_child):
    """Stopped, as by a machine that swaps: no connection is closed."""
    httpd = one_child("KafkaCamStaleAfter 1h")
    feed.picture(3, 1)
    with clients.Stream(httpd, "/cam/3?meta=1", timeout=90) as stream:
        stream.jpeg()
        broker.signal(signal.SIGSTOP)
        try:
            httpd.wait_log("KC2011", 60)
        finally:
            broker.signal(signal.SIGCONT)
        httpd.wait_log("is back after", 60)
        feed.picture(3, 2)
        while clients.read_picture(stream.jpeg()) != (3, 2):
            pass
