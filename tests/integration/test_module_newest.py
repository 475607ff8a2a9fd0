"""The newest picture is found, whatever stands behind it."""

import pytest

import clients
import rdkafka
import stack
from clients import counter, lines_with


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


# ---- With an Apache Kafka: what the embedded broker does not have ----

@pytest.fixture
def transactions(broker):
    with rdkafka.Transactions(broker.address, f"{broker.topic}-cameras") as one:
        yield one


@pytest.mark.apache_only
def test_marks_of_transactions_do_not_hide_the_newest_picture(broker, feed, transactions, one_child):
    for frame in (1, 2):
        transactions.begin()
        transactions.write(broker.topic, 3, clients.paint(3, frame))
        transactions.commit()
    transactions.begin()
    transactions.write(broker.topic, 3, clients.paint(3, 9))
    transactions.abort()
    httpd = one_child()
    assert clients.read_picture(clients.get(httpd, "/cam/3.jpg").content) == (3, 2)


@pytest.mark.apache_only
def test_a_picture_of_an_open_transaction_is_shown_when_it_is_committed(broker, feed, transactions, one_child):
    feed.picture(3, 1)
    transactions.begin()
    transactions.write(broker.topic, 3, clients.paint(3, 2))
    httpd = one_child("KafkaCamStaleAfter 1h")
    with clients.Stream(httpd, "/cam/3", timeout=60) as stream:
        assert stream.pictures(1) == [(3, 1)]
        transactions.commit()
        while stream.shown() != (3, 2):
            pass
    httpd = one_child("KafkaCamStaleAfter 1h\nKafkaCamProperty isolation.level read_uncommitted")
    transactions.begin()
    transactions.write(broker.topic, 3, clients.paint(3, 3))
    assert clients.read_picture(clients.get(httpd, "/cam/3.jpg").content) == (3, 3)
    transactions.abort()


@pytest.mark.apache_only
@pytest.mark.expects_log("KC2020")
@pytest.mark.parametrize("left", [3, 12])
def test_a_log_that_starts_late_is_looked_at_from_its_start(broker, feed, one_child, left):
    """left records are still there, the first of them a picture, and it was to be looked back 32."""
    for frame in range(1, 41):
        feed.picture(3, frame)
    for _ in range(left - 1):
        feed.record(3, b"text")
    rdkafka.delete_before(broker.address, broker.topic, 3, 39)
    httpd = one_child()
    assert clients.read_picture(clients.get(httpd, "/cam/3.jpg").content) == (3, 40)


@pytest.mark.apache_only
@pytest.mark.expects_log("KC2020")
def test_behind_many_marks_of_transactions_nothing_is_looked_for(broker, feed, transactions, one_child):
    """What is found must not be old, and nobody reads a whole log for it."""
    feed.picture(3, 1)
    for _ in range(40):
        transactions.begin()
        transactions.write(broker.topic, 3, b"not to be seen")
        transactions.abort()
    httpd = one_child("KafkaCamStaleAfter 1h")
    with clients.Stream(httpd, "/cam/3", timeout=30) as stream:
        assert stream.shown() is None           # "offline since": the end was heard of
        feed.picture(3, 2)
        while stream.shown() != (3, 2):
            pass
    assert counter(httpd, "frames_received") == 1


@pytest.mark.apache_only
def test_a_log_that_is_empty_by_its_retention_is_told_at_once(broker, feed, one_child):
    for frame in range(1, 41):
        feed.picture(3, frame)
    rdkafka.delete_before(broker.address, broker.topic, 3, 40)
    httpd = one_child("KafkaCamStaleAfter 1h")
    with clients.Stream(httpd, "/cam/3", timeout=30) as stream:
        assert stream.shown() is None           # "offline since": the end was heard of
        feed.picture(3, 41)
        while stream.shown() != (3, 41):
            pass
