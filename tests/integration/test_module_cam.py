"""/cam/N, .jpg and .json as docs/HTTP.md says, on records that the test writes itself."""

import email.utils
import json
import threading
import time

import pytest
import requests

import clients
import stack


def played(stream, count=1):
    return stream.pictures(count)


@pytest.mark.both_brokers
def test_records_of_the_original_producer_play(module, feed):
    """A bare JPEG, no key, no headers; partition 0 is a camera like any other."""
    for number in (0, 3):
        feed.record(number, clients.paint(number, 1))
        with clients.Stream(module, f"/cam/{number}") as stream:
            assert stream.status == 200
            assert played(stream) == [(number, 1)]          # the newest at once
            for frame in range(2, 6):
                feed.record(number, clients.paint(number, frame))
                assert played(stream) == [(number, frame)]  # then each as it comes
        assert clients.state(module, number)["w"] == 320    # read from the JPEG


@pytest.mark.both_brokers
def test_headers_of_the_stream(module, feed):
    feed.picture(3)
    with clients.Stream(module, "/cam/3") as stream:
        answer = stream.answer
        assert answer.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=frame"
        assert answer.getheader("Cache-Control") == "no-store"
        assert answer.getheader("X-Accel-Buffering") == "no"
        assert answer.getheader("Connection") == "close"
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert "sandbox" in answer.getheader("Content-Security-Policy").split("; ")
        assert answer.getheader("Transfer-Encoding") is None
        assert answer.getheader("Content-Length") is None
        assert stream.part()[0] == {"content-type": "image/jpeg"}


def with_comment(jpeg, comment):
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


@pytest.mark.expects_log("KC2331")
def test_a_picture_that_would_end_a_stream_without_lengths_is_not_shown_there(module, feed):
    """FFmpeg and OpenCV end at CR LF - -."""
    feed.record(3, clients.paint(3, 1))
    with clients.Stream(module, "/cam/3") as plain, clients.Stream(module, "/cam/3?meta=1") as meta:
        assert played(plain) == played(meta) == [(3, 1)]
        for frame in range(2, 8):
            feed.record(3, with_comment(clients.paint(3, frame), b"a\r\n--b"))
            assert played(meta) == [(3, frame)]
        module.wait_log("KC2331")
        feed.record(3, clients.paint(3, 8))
        assert played(plain) == played(meta) == [(3, 8)]


@pytest.mark.expects_log("KC2020")
def test_a_record_with_our_boundary_in_it_never_leaves(module, feed):
    """Firefox and Chromium end a part there whatever its length, and show what follows as it says."""
    feed.record(3, clients.paint(3, 1))
    attack = (b"\xff\xd8\xff\r\n--frame\r\nContent-Type: text/html\r\nContent-Length: 25\r\n\r\n"
              b"<script>alert(1)</script>\r\n--frame\r\n")
    paths = ("/cam/3", "/cam/3?meta=1", "/cameras/3-3/stream")
    streams = [clients.Stream(module, path) for path in paths]
    for stream in streams:
        assert clients.read_picture(stream.jpeg()) == (3, 1)
    for record in (attack, with_comment(clients.paint(3, 2), b"\n--frame\n")):
        feed.record(3, record)
    feed.record(3, clients.paint(3, 3))
    for stream in streams:
        assert clients.read_picture(stream.jpeg()) == (3, 3)
        stream.close()
    assert clients.read_picture(clients.get(module, "/cam/3.jpg").content) == (3, 3)


def test_metadata_of_each_part_on_demand(module, feed):
    before = int(time.time() * 1e6)
    offset = feed.picture(3, 7)
    with clients.Stream(module, "/cam/3?meta=1") as stream:
        headers, body = stream.part()
    assert clients.read_picture(body) == (3, 7)
    assert headers["x-camera"] == "3"
    assert headers["x-offset"] == str(offset)
    assert headers["x-seq"] == str(feed.seq)
    assert before <= int(headers["x-timestamp"]) <= time.time() * 1e6


def test_fps_caps_the_rate(module, feed):
    feed.picture(3, 0)
    ended = threading.Event()

    def write():
        for frame in range(1, 1000):
            if ended.wait(0.02):
                return
            feed.picture(3, frame)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with clients.Stream(module, "/cam/3?fps=4") as stream:
            played(stream)
            begin = time.monotonic()
            frames = [frame for _, frame in played(stream, 6)]
            took = time.monotonic() - begin
    finally:
        ended.set()
        writer.join()
    assert took > 6 * 0.25 * 0.9                # never faster, however slow the machine
    assert clients.moving(frames) and frames[-1] - frames[0] > 10


def test_a_bad_rate_is_refused_in_words(module, feed):
    feed.picture(3)
    for fps in ("", "x", "0", "-1", "1e9", "5x", "nan", "1001"):
        answer = clients.get(module, f"/cam/3?fps={fps}")
        assert answer.status_code == 400, fps
        assert "fps" in answer.text
        assert answer.headers["Content-Type"].startswith("text/plain")


def test_unknown_query_keys_are_ignored(module, feed):
    feed.picture(3, 9)
    with clients.Stream(module, "/cam/3?t=123&meta=0&FPS=x") as stream:
        assert played(stream) == [(3, 9)]


def test_what_is_no_camera_is_not_found(module, feed):
    feed.picture(3)

    def is_unknown():
        """Before a child has heard of all cameras, it opens a stream that may begin some time."""
        with clients.get(module, "/cam/4", stream=True) as answer:
            return answer.status_code == 404

    for _ in range(8):                          # every child has
        stack.wait_for(is_unknown, 20, "no 404")
    for path in ("/cam/4", "/cam/4.jpg", "/cam/4.json", "/cam/4/", "/cam/x", "/cam/", "/cam",
                 "/cam/-1", "/cam/03", "/cam/3x", "/cam/3.gif", "/cam/3.jpg/x", "/cam/999",
                 "/cam/99999999999999999999", "/cam/99999", "/cam/x/3", "/cam/%33%00", "/cam/3/3",
                 "/cam/3.JPG", "/cam/-/x"):
        assert clients.get(module, path).status_code == 404, path


def test_other_methods_are_not_allowed(module, feed):
    feed.picture(3)
    for path in ("/cam/3", "/cam/3.jpg", "/cam/3.json", "/cam/99", "/kafkacam-status",
                 "/kafkacam-metrics"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = requests.request(method, module.url(path), data="x", timeout=10)
            assert answer.status_code == 405, (method, path)
            allowed = answer.headers["Allow"].replace(" ", "").split(",")
            assert {"GET", "HEAD"} <= set(allowed)


def test_head_has_the_headers_and_no_body(module, feed):
    feed.picture(3)
    clients.wait_for_pictures(module, [3])
    for path in ("/cam/3", "/cam/3.jpg", "/cam/3.json", "/kafkacam-status", "/kafkacam-metrics"):
        head = requests.head(module.url(path), timeout=10)
        assert head.status_code == 200
        assert head.content == b""
    head = requests.head(module.url("/cam/3.jpg"), timeout=10)
    assert int(head.headers["Content-Length"]) == len(clients.get(module, "/cam/3.jpg").content)


@pytest.mark.both_brokers
def test_the_newest_picture_alone(module, feed):
    feed.picture(3, 1)
    offset = feed.picture(3, 2)
    answer = clients.get(module, "/cam/3.jpg")      # nobody watched before: it is fetched now
    assert clients.read_picture(answer.content) == (3, 2)
    assert answer.headers["Content-Type"] == "image/jpeg"
    taken = answer.headers["X-Timestamp"]
    assert answer.headers["ETag"] == f'"{feed.topic}:3:{offset}:{taken}"'
    assert answer.headers["X-KafkaCam-State"] == "live"
    modified = email.utils.parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()
    assert abs(modified - time.time()) < 10
    for headers in ({"If-None-Match": answer.headers["ETag"]}, {"If-None-Match": "*"},
                    {"If-Modified-Since": answer.headers["Last-Modified"]}):
        same = clients.get(module, "/cam/3.jpg", headers=headers)
        assert same.status_code == 304
        assert same.content == b""
    feed.picture(3, 3)

    def newer():
        again = clients.get(module, "/cam/3.jpg", headers={"If-None-Match": answer.headers["ETag"]})
        return again.status_code == 200 and clients.read_picture(again.content) == (3, 3)
    stack.wait_for(newer, 5, "the newer picture")


def test_another_picture_at_the_same_offset_is_not_the_known_one(module, feed):
    """A topic that was deleted and made anew begins its offsets anew."""
    offset = feed.picture(3, 1)
    taken = int(clients.get(module, "/cam/3.jpg").headers["X-Timestamp"])
    for before in (f"{feed.topic}:3:{offset}", f"{feed.topic}:3:{offset}:{taken - 1}"):
        answer = clients.get(module, "/cam/3.jpg", headers={"If-None-Match": f'"{before}"'})
        assert answer.status_code == 200
        assert clients.read_picture(answer.content) == (3, 1)


def test_no_picture_is_said_quickly(module, feed):
    """A camera with a status record and nothing else: known, but without a picture."""
    feed.status(5, {"name": "New", "state": "connecting", "since": 1700000000000, "error": "no route"})
    stack.wait_for(lambda: clients.get(module, "/cam/5.json").ok, 10, "camera 5 is not known")
    begin = time.monotonic()
    answer = clients.get(module, "/cam/5.jpg")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert time.monotonic() - begin < 3
    state = clients.state(module, 5)
    assert state["state"] == "connecting"
    assert state["error"] == "no route"
    assert "offset" not in state


@pytest.mark.both_brokers
def test_the_state_of_a_camera(module, feed):
    feed.status(3, {"name": "Gate <b>", "state": "streaming", "since": 1700000000000, "fps": 4.9,
                    "w": 320, "h": 180, "bytes_per_s": 12345, "host": "h", "error": ""})
    offset = feed.picture(3)
    state = clients.wait_for_state(module, 3, "live")
    assert state["camera"] == 3
    stack.wait_for(lambda: clients.state(module, 3)["name"] == "Gate <b>", 10, "the name")
    state = clients.state(module, 3)
    assert state["fps"] == 4.9
    assert (state["w"], state["h"]) == (320, 180)
    assert state["offset"] == offset
    assert state["seq"] == feed.seq
    assert 0 <= state["age_ms"] < 20000
    assert state["size"] == len(clients.get(module, "/cam/3.jpg").content)
    answer = clients.get(module, "/cam/3.json")
    assert answer.headers["Content-Type"] == "application/json"
    json.loads(answer.text)


def test_a_deleted_camera_is_no_camera_any_more(module, feed):
    feed.picture(3)
    feed.status(3, {"name": "Gate", "state": "streaming"})
    clients.wait_for_state(module, 3, "live")
    feed.status(3, None)
    stack.wait_for(lambda: clients.get(module, "/cam/3.json").status_code == 404, 10,
                   "camera 3 is gone")


def test_the_base_is_the_locations_path(broker, feed, make_httpd):
    httpd = make_httpd(broker, locations="""
<Location "/live/view">
    SetHandler kafkacam-cam
</Location>
<Location "/live/view/3">
    Require all granted
</Location>
""")
    feed.picture(3, 4)
    answer = clients.get(httpd, "/live/view/3.jpg")
    assert clients.read_picture(answer.content) == (3, 4)
    with clients.Stream(httpd, "/live/view/3") as stream:
        assert played(stream) == [(3, 4)]
    assert clients.get(httpd, "/live/view/x/3").status_code == 404


@pytest.mark.expects_log("KC2030")
def test_a_handler_outside_of_a_location_says_so(broker, feed, make_httpd):
    httpd = make_httpd(broker, locations="""
<LocationMatch "^/cam/">
    SetHandler kafkacam-cam
</LocationMatch>
""")
    assert clients.get(httpd, "/cam/3").status_code == 404
    assert "KC2030" in httpd.log_text()


def test_a_virtual_host_inherits_the_brokers(broker, feed, make_httpd):
    port = stack.free_port()
    make_httpd(broker, snippet=f"""
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
    KafkaCamStaleAfter 20s
</VirtualHost>
""")
    feed.picture(3)
    assert requests.get(f"http://127.0.0.1:{port}/cam/3.jpg", timeout=10).status_code == 200
