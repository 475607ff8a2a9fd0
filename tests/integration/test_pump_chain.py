"""Many viewers on the real source: nobody is cut because a camera or the broker is away."""

import threading

import pytest

import clients
import madeup
import stack

pytestmark = pytest.mark.alone

VIEWERS = 500
madeup.raise_file_limit()


class Camera(threading.Thread):
    """Writes camera 1's pictures, five a second, until told to stop."""

    def __init__(self, feed):
        super().__init__(daemon=True)
        self.feed, self.over = feed, threading.Event()

    def run(self):
        frame = 0
        while not self.over.wait(0.2):
            self.feed.picture(1, frame)
            frame += 5

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def sent(httpd):
    return clients.get(httpd, "/kafkacam-status?json").json()["counters"]["frames_sent"]


def test_a_camera_that_goes_and_comes_back_costs_no_viewer(broker, feed, make_httpd):
    httpd = make_httpd(broker, snippet="KafkaCamStaleAfter 2\n", children=1, threads=25)
    count = 100 if httpd.build.sanitizer() else VIEWERS
    feed.picture(1)
    with Camera(feed):
        clients.wait_for_pictures(httpd, [1])
        run = madeup.Viewers(httpd.port, "/cam/1", build=httpd.build,
                             options=["-n", count, "-k", count, "-s", 60]).wait_begin()
    clients.wait_for_state(httpd, 1, "offline")
    offline = sent(httpd)
    with Camera(feed):
        clients.wait_for_state(httpd, 1, "live")
        stack.wait_for(lambda: sent(httpd) > offline + 3 * count, 20, "no pictures for all")
        run.process.terminate()
        run.process.wait()
    status = clients.get(httpd, "/kafkacam-status?json").json()["counters"]
    assert status["viewers_begun"] == count


def test_a_broker_that_goes_and_comes_back_costs_no_viewer(new_broker, make_httpd):
    broker = new_broker()
    httpd = make_httpd(broker, snippet="KafkaCamStaleAfter 2\n", children=1, threads=25)
    count = 100 if httpd.build.sanitizer() else VIEWERS
    with clients.Feed(broker.address, broker.topic) as feed, Camera(feed):
        clients.wait_for_pictures(httpd, [1])
        run = madeup.Viewers(httpd.port, "/cam/1", build=httpd.build,
                             options=["-n", count, "-k", count, "-s", 90]).wait_begin()
        assert clients.get(httpd, "/kafkacam-status?json").json()["counters"]["viewers"] == count
    broker.stop()
    clients.wait_for_state(httpd, 1, "offline")
    away = sent(httpd)
    broker.start()
    with clients.Feed(broker.address, broker.topic) as feed, Camera(feed):
        stack.wait_for(lambda: sent(httpd) > away + 3 * count, 40, "no pictures for all")
        status = clients.get(httpd, "/kafkacam-status?json").json()["counters"]
        assert (status["viewers"], status["viewers_begun"]) == (count, count)
        run.process.terminate()
        run.process.wait()
