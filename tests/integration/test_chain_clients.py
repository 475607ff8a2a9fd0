"""The whole chain as its users see it: every client shows moving pictures of the right camera."""

import json
import os
import re
import shutil
import subprocess

import cv2
import pytest

import clients
import picture
import stack

pytestmark = pytest.mark.both_brokers

CAMERAS = (1, 2, 3)


@pytest.mark.parametrize("number", CAMERAS)
def test_curl_gets_moving_pictures_of_the_right_camera(chain, number):
    done = subprocess.run(["curl", "-sN", "--max-time", "3", chain.httpd.url(f"/cam/{number}")],
                          capture_output=True, check=False)
    assert done.returncode == 28        # curl's own time limit ended it, nothing else
    parts = done.stdout.split(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n")
    assert parts[0] == b""
    whole = [part for part in parts[1:] if part.endswith(b"\r\n")]
    frames = [clients.read_picture(part[:-2]) for part in whole]
    assert len(frames) >= 5
    assert {seen for seen, _ in frames} == {number}
    assert clients.moving([frame for _, frame in frames])


@pytest.mark.parametrize("number", CAMERAS)
def test_opencv_captures_the_stream(chain, number):
    capture = cv2.VideoCapture(chain.httpd.url(f"/cam/{number}"))
    frames = []
    while len(frames) < 5:
        ok, image = capture.read()
        assert ok
        frames.append(picture.read(image))
    capture.release()
    assert {seen for seen, _ in frames} == {number}
    assert clients.moving([frame for _, frame in frames])


@pytest.mark.parametrize("number", CAMERAS)
def test_ffprobe_sees_an_mjpeg_video(chain, number):
    done = subprocess.run(["ffprobe", "-v", "error", "-of", "json", "-show_streams",
                           "-read_intervals", "%+2", chain.httpd.url(f"/cam/{number}")],
                          capture_output=True, text=True, timeout=30, check=True)
    stream, = json.loads(done.stdout)["streams"]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("mjpeg", 640, 360)


def test_a_snapshot_is_a_picture_of_now_and_can_be_asked_for_again(chain):
    answer = clients.get(chain.httpd, "/cam/1.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert clients.read_picture(answer.content)[0] == 1
    same = clients.get(chain.httpd, "/cam/1.jpg",
                       headers={"If-None-Match": answer.headers["ETag"]})
    assert same.status_code in (200, 304)       # 200: the next picture came in between
    stack.wait_for(lambda: clients.get(chain.httpd, "/cam/1.jpg").headers["ETag"]
                   != answer.headers["ETag"], 10, "no newer picture")


def test_the_state_of_a_camera_says_what_it_sends(chain):
    state = clients.wait_for_state(chain.httpd, 2, "live")
    assert (state["camera"], state["name"], state["w"], state["h"]) == (2, "Camera 2", 640, 360)
    assert state["age_ms"] < 10000 and state["offset"] >= 0 and state["size"] > 1000


def test_the_list_has_every_camera(chain):
    cameras = clients.get(chain.httpd, "/cameras.json").json()["cameras"]
    assert [camera["camera"] for camera in cameras] == list(CAMERAS)
    assert [camera["name"] for camera in cameras] == ["Camera 1", "Camera 2", "Camera 3"]


def test_the_wall_is_a_page(chain):
    answer = clients.get(chain.httpd, "/cameras")
    assert answer.ok and answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "<script" in answer.text and not re.search(r"<script[^>]*>[^<]", answer.text)


@pytest.mark.parametrize("path, method, status", [
    ("/cam/63", "GET", 404), ("/cam/999999999999", "GET", 404), ("/cam/1x", "GET", 404),
    ("/cam/-1", "GET", 404), ("/cam/01", "GET", 404), ("/cam/1.png", "GET", 404),
    ("/cam/1", "POST", 405), ("/cam/1.jpg", "DELETE", 405), ("/cam/1", "HEAD", 200),
    ("/cam/1.jpg", "HEAD", 200)])
def test_other_requests_get_the_right_status(chain, path, method, status):
    answer = clients.get(chain.httpd, path) if method == "GET" else \
        clients.requests.request(method, chain.httpd.url(path), timeout=10)
    assert answer.status_code == status
    if method == "HEAD":
        assert answer.content == b""


def test_passwords_are_nowhere(chain):
    """Neither the camera's nor the database's, in no log, no command line, no environment, no page."""
    secrets = [chain.cameras.password, chain.database.password]
    places = {part.name: part.log_text() for part in chain.parts}
    for part in (chain.producer, chain.httpd):
        for pid in part.members():
            for file in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{file}", errors="replace") as opened:
                    places[f"{part.name} {pid} {file}"] = opened.read()
    for path in ("/cameras", "/cameras.json", "/cam/3.json", "/kafkacam-status",
                 "/kafkacam-status?json", "/kafkacam-metrics"):
        places[path] = clients.get(chain.httpd, path).text
    places["status topic"] = subprocess.run(
        [shutil.which("kcat") or "kafkacat", "-b", chain.broker.address, "-C", "-t", f"{chain.topic}.status", "-o", "beginning",
         "-e", "-q"], capture_output=True, text=True, timeout=30, check=True).stdout
    assert '"state"' in places["status topic"]
    assert len(chain.producer.camera_pids()) == 3
    found = [place for place, text in places.items() if any(word in text for word in secrets)]
    assert not found


def test_the_producers_database_user_can_only_read(chain):
    import pymysql
    user = pymysql.connect(unix_socket=str(chain.database.socket), user=chain.database.user,
                           password=chain.database.password, database="kafkacam")
    with user, user.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM cameras")
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("DELETE FROM cameras")


def test_httpd_children_do_not_run_as_root(chain):
    if os.geteuid() != 0:
        assert all(os.stat(f"/proc/{pid}").st_uid == os.geteuid()
                   for pid in chain.httpd.children_pids())
    else:
        assert all(os.stat(f"/proc/{pid}").st_uid != 0 for pid in chain.httpd.children_pids())
