"""The newest picture is found, whatever stands behind it."""

import clients
import stack
from clients import counter, lines_with

import pytest


def write(feed, *last):
    """Pictures 1 and 2 of camera 3, and records that are none."""
    for frame in (1, 2):
        feed.picture(3, frame)
    for value in last:
        feed.record(3, value, b"3")


@pytest.mark.both_brokers
@pytest.mark.parametrize("last", [[None], [b"text"], [b"text"] * 20], ids=["tombstone", "text", "much text"])
@pytest.mark.expects_log("KC2020")
def test_what_stands_behind_the_newest_picture_does_not_hide_it(one_child, feed, last):
    write(feed, *last)
    httpd = one_child()
    answer = clients.get(httpd, "/cam/3.jpg")
    assert clients.read_picture(answer.content) == (3, 2)
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 2)]
        feed.picture(3, 3)
        assert stream.pictures(1) == [(3, 3)]
    assert counter(httpd, "frames_received") == 2   # 1 was not shown
    assert len(lines_with(httpd, "KC2020")) == 1


@pytest.mark.expects_log("KC2020")
def test_it_is_looked_back_a_bounded_number_of_records(one_child, feed):
    write(feed, *[b"text"] * 40)
    httpd = one_child("KafkaCamStaleAfter 2s")
    assert clients.get(httpd, "/cam/3.jpg").status_code == 503
    with clients.Stream(httpd, "/cam/3", timeout=30) as stream:
        assert stream.shown() is None               # "offline since"
        feed.picture(3, 3)
        while stream.shown() != (3, 3):
            pass
    assert counter(httpd, "frames_broken") == 1     # and once


@pytest.mark.expects_log("KC2020")
def test_a_replaced_producers_late_picture_is_not_the_newest(one_child, feed):
    feed.picture(3, 1, epoch=100)
    feed.picture(3, 2, epoch=200)
    feed.picture(3, 1, epoch=100)
    feed.record(3, b"text")
    httpd = one_child()
    assert clients.read_picture(clients.get(httpd, "/cam/3.jpg").content) == (3, 2)


@pytest.mark.expects_log("KC2021")
def test_pictures_do_not_wait_for_states(one_child, feed):
    """However many there are."""
    feed.picture(3, 1)
    sent = [feed.producer.send("video.status", value=b"no state", key=b"3", partition=0)
            for _ in range(200_000)]
    sent[-1].get(60)
    httpd = one_child()
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
        for frame in range(2, 12):
            feed.picture(3, frame)
            assert stream.pictures(1) == [(3, frame)]
            if counter(httpd, "status_broken") > 100_000:
                break
    stack.wait_for(lambda: counter(httpd, "status_broken") > 100_000, 60, "states are not read")


def test_requests_for_single_pictures_do_not_keep_many_cameras_fetched(one_child, feed):
    httpd = one_child("KafkaCamMaxIdle 3")
    for number in range(1, 13):
        feed.picture(number, number)
    clients.wait_for_pictures(httpd, range(1, 13))
    stack.wait_for(lambda: counter(httpd, "partitions") == 3, 10, "others are fetched")
    rows = clients.status(httpd)["cameras"]
    stack.wait_for(lambda: {row["state"]["camera"] for row in clients.status(httpd)["cameras"]
                            if row["fetched"]} == {10, 11, 12}, 10, f"not the last ones: {rows}")
    with clients.Stream(httpd, "/cam/1") as stream:     # who watches does not count
        assert stream.pictures(1) == [(1, 1)]
        assert counter(httpd, "partitions") == 4
