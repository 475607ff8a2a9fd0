"""The project that kafkacam replaces: its consumer reads our topic, our module plays its records."""

import itertools

import pytest

import clients
import stack

pytestmark = pytest.mark.both_brokers


def test_the_original_consumer_reads_our_topic(chain):
    parts = itertools.islice(clients.original_consumer(chain.broker.address, chain.topic, 1), 5)
    head, tail = b"--frame\r\nContent-Type: image/jpg\r\n\r\n", b"\r\n\r\n"
    frames = []
    for part in parts:
        assert part.startswith(head) and part.endswith(tail)
        frames.append(clients.read_picture(part[len(head):-len(tail)]))
    assert len(frames) == 5 and {number for number, _ in frames} == {1}
    assert clients.moving([frame for _, frame in frames])


@pytest.mark.parametrize("number", [0, 3])
def test_bare_records_of_the_original_producer_play(module, feed, number):
    """No key, no headers, no status; partition 0 as well."""
    feed.record(number, clients.paint(7, 1))
    stack.wait_for(lambda: clients.get(module, f"/cam/{number}.jpg").status_code == 200, 20,
                   "no picture")
    with clients.Stream(module, f"/cam/{number}") as stream:
        assert clients.read_picture(stream.jpeg()) == (7, 1)
        for frame in (2, 3, 4):
            feed.record(number, clients.paint(7, frame))
            assert clients.read_picture(stream.jpeg()) == (7, frame)
