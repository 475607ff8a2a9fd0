"""/cam/N?at=TIME and /cameras/SEL/stream?at=TIME: streams that begin in the past."""

import threading
import time

import pytest

import clients
import past


@pytest.fixture
def looking_back(broker, feed, make_httpd):
    return make_httpd(broker, locations=past.LOOKS_BACK, children=1)     # which knows all its cameras


def parts(stream, count=None):
    """(X-Timestamp, body) of the next pictures, with when each came; all there are without count."""
    seen = []
    try:
        while count is None or len(seen) < count:
            headers, body = stream.part()
            if headers["content-type"] == "image/jpeg":
                seen.append((time.monotonic(), headers, body))
    except EOFError:
        assert count is None
    return seen


@pytest.mark.both_brokers
def test_pictures_come_from_then_on_at_the_speed_they_were_recorded(looking_back, feed):
    recording = past.Recording(feed, 3, 60, interval_ms=100, age_s=5)
    with clients.Stream(looking_back, f"/cam/3?meta=1&at={recording.at(10, 50)}") as stream:
        assert stream.answer.getheader("X-KafkaCam-Past") == "then"
        seen = parts(stream, 21)
    assert [body for _, _, body in seen] == recording.jpegs[10:31]
    assert [int(headers["x-seq"]) for _, headers, _ in seen] == list(range(11, 32))
    took = seen[-1][0] - seen[0][0]
    assert took > 1.8                           # 2 s of it, never faster however busy the machine


@pytest.mark.both_brokers
def test_speed(looking_back, feed):
    recording = past.Recording(feed, 3, 60, interval_ms=200, age_s=5)
    path = f"/cam/3?meta=1&at={recording.at(0)}&until={recording.at(40)}"
    with clients.Stream(looking_back, f"{path}&rate=8") as stream:
        seen = parts(stream)
    assert [body for _, _, body in seen] == recording.jpegs[:41]
    assert 0.9 < seen[-1][0] - seen[0][0]       # 8 s of it
    with clients.Stream(looking_back, f"{path}&rate=0.5", timeout=20) as stream:
        seen = parts(stream, 4)
    assert seen[-1][0] - seen[0][0] > 1.1


@pytest.mark.both_brokers
def test_until_ends_the_stream(looking_back, feed):
    recording = past.Recording(feed, 3, 30, interval_ms=50, age_s=5)
    with clients.Stream(looking_back, f"/cam/3?meta=1&rate=4&at={recording.at(3)}"
                                      f"&until={recording.at(9)}") as stream:
        seen = parts(stream)
    assert [body for _, _, body in seen] == recording.jpegs[3:10]


@pytest.mark.both_brokers
def test_backwards_by_key_moments_to_the_beginning(looking_back, feed):
    recording = past.Recording(feed, 3, 80, interval_ms=200, age_s=5)
    with clients.Stream(looking_back, f"/cam/3?meta=1&rate=-8&at={recording.at(70)}") as stream:
        seen = parts(stream)
    times = [int(headers["x-timestamp"]) for _, headers, _ in seen]
    assert times[0] == recording.times[70] and times == sorted(times, reverse=True)
    assert recording.times[0] <= times[-1] <= recording.times[12]
    assert 4 < len(times) < 40
    assert seen[-1][0] - seen[0][0] > 1.0       # 12 s of it or more


def live(feed, number, ended, start=1000, interval=0.12):
    """Write pictures until ended is set; their seq counts on from start."""
    seq = start
    while not ended.wait(interval):
        us = int(time.time() * 1e6)
        feed.record(number, clients.paint(number, seq % 250, (160, 96)), timestamp_ms=us // 1000,
                    headers=(("us", us), ("seq", seq), ("epoch", 1)))
        seq += 1


@pytest.mark.both_brokers
def test_from_the_past_on_into_live_pictures_none_is_missed_and_none_comes_twice(looking_back, feed):
    past.Recording(feed, 3, 5, interval_ms=100)
    ended = threading.Event()
    writer = threading.Thread(target=live, args=(feed, 3, ended))
    writer.start()
    try:
        for turn in range(50):
            ago = (0.2, 1.5, 3, 5)[turn % 4]
            with clients.Stream(looking_back, f"/cam/3?meta=1&rate={(4, 16)[turn % 2]}&at=-{ago}s") as stream:
                begin = time.time()
                seen = []
                while not seen or int(seen[-1][1]["x-timestamp"]) < (begin + 0.5) * 1e6:
                    seen += parts(stream, 1)
            seqs = [int(headers["x-seq"]) for _, headers, _ in seen]
            seqs = [seq for seq in seqs if seq >= 1000]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), (turn, ago)
    finally:
        ended.set()
        writer.join()


def test_in_the_future_is_live(looking_back, feed):
    recording = past.Recording(feed, 3, 5)
    with clients.Stream(looking_back, "/cam/3?meta=1&at=2199-01-01T00:00:00Z") as stream:
        assert stream.answer.getheader("X-KafkaCam-Past") == "live"
        assert parts(stream, 1)[0][2] == recording.jpegs[-1]
        jpeg = clients.paint(3, 99)
        feed.record(3, jpeg)
        assert parts(stream, 1)[0][2] == jpeg


def test_before_the_beginning_is_the_beginning(looking_back, feed):
    recording = past.Recording(feed, 3, 5, interval_ms=100)
    with clients.Stream(looking_back, "/cam/3?meta=1&at=0") as stream:
        assert stream.answer.getheader("X-KafkaCam-Past") == "beginning"
        assert [body for _, _, body in parts(stream, 5)] == recording.jpegs


def test_wrong_speeds_and_moments_are_refused_in_words(looking_back, feed):
    past.Recording(feed, 3, 5)
    past.wait_for_wall(looking_back, (3,))
    for query, word in (("at=x", "zone"), ("at=-1s&until=x", "zone"), ("at=-1s&rate=0", "rate"),
                        ("at=-1s&rate=17", "rate"), ("at=-1s&rate=-0.5", "rate"), ("at=-1s&fps=x", "fps")):
        for path in ("/cam/3", "/cam/3/stream", "/cameras/3-3/stream"):
            answer = clients.get(looking_back, f"{path}?{query}")
            assert answer.status_code == 400 and word in answer.text, (path, query)


@pytest.mark.both_brokers
def test_a_wall_plays_all_cameras_in_step(looking_back, feed):
    base = int((time.time() - 20) * 1e6)
    recordings = {number: past.Recording(feed, number, 60, interval_ms=200, until_us=base + number)
                  for number in (1, 2, 3, 4)}
    past.wait_for_wall(looking_back, recordings)
    for speed in (1, 4):
        with clients.Stream(looking_back, f"/cameras/1-4/stream?rate={speed}"
                                          f"&at={recordings[1].at(5, 100)}") as stream:
            seen = parts(stream, 4 * 12 * speed)
        newest = {}
        for _, headers, body in seen:
            number, us = int(headers["x-camera"]), int(headers["x-timestamp"])
            assert body == recordings[number].jpegs[recordings[number].times.index(us)]
            assert us > newest.get(number, 0)
            newest[number] = us
            if len(newest) == 4:
                assert max(newest.values()) - min(newest.values()) <= 200_000 + 10, speed
        assert len(newest) == 4


def test_a_wall_goes_on_into_live_pictures(looking_back, feed):
    for number in (1, 2):
        past.Recording(feed, number, 20, interval_ms=100)
    ended = threading.Event()
    past.wait_for_wall(looking_back, (1, 2))
    writers = [threading.Thread(target=live, args=(feed, number, ended)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    try:
        with clients.Stream(looking_back, "/cameras/1-2/stream?rate=8&at=-2s") as stream:
            until = (time.time() + 2) * 1e6
            seqs = {1: [], 2: []}
            states = set()
            while not states or max(seqs[1][-1:] + seqs[2][-1:] + [(0, 0)])[1] < until:
                headers, _ = stream.part()
                if headers["content-type"] == "application/json":
                    states.add(headers.get("x-camera"))
                else:
                    seqs[int(headers["x-camera"])].append(
                        (int(headers["x-seq"]), int(headers["x-timestamp"])))
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    for number, seen in seqs.items():
        numbers = [seq for seq, _ in seen if seq >= 1000]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), number
        assert len(numbers) > 5


def test_a_wall_leaves_out_whose_past_one_may_not_see(broker, feed, make_httpd):
    for number in (1, 2, 3):
        past.Recording(feed, number, 20, age_s=2)
    httpd = make_httpd(broker, locations=past.LOOKS_BACK + """
<Location "/cam/2">
    KafkaCamPast off
</Location>
<Location "/cam/3">
    Require all denied
</Location>
""")
    past.wait_for_wall(httpd, (1, 2))
    with clients.Stream(httpd, "/cameras/1-3/stream?at=-5s&until=-1s&rate=16") as stream:
        seen = parts(stream)
    assert {headers["x-camera"] for _, headers, _ in seen} == {"1"}
    assert clients.get(httpd, "/cam/2?at=-1s").status_code == 403
    assert clients.get(httpd, "/cam/2/stream?at=-1s").status_code == 403
    assert clients.get(httpd, "/cameras/2-3/stream?at=-1s").status_code == 404


@pytest.mark.parametrize("mpm", ("prefork", "worker"))
def test_with_a_thread_per_viewer_as_well(broker, feed, make_httpd, mpm):
    recording = past.Recording(feed, 3, 30, interval_ms=100)
    httpd = make_httpd(broker, locations=past.LOOKS_BACK, mpm=mpm)
    with clients.Stream(httpd, f"/cam/3?meta=1&rate=4&at={recording.at(5)}&until={recording.at(20)}") as stream:
        assert [body for _, _, body in parts(stream)] == recording.jpegs[5:21]
    with clients.Stream(httpd, "/cam/3?meta=1&rate=16&at=-2s") as stream:
        while parts(stream, 1)[0][2] != recording.jpegs[-1]:
            pass
        jpeg = clients.paint(3, 77)
        feed.record(3, jpeg)
        assert parts(stream, 1)[0][2] == jpeg
