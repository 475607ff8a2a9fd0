"""What /cameras answers, without a browser: statuses, headers, links, permission."""
import http.client
import json
import re
import ssl
import time
import urllib.parse

import pytest

from pagekit import wait_for


def ask(wall, path, method="GET", **headers):
    """(status, headers, body); a stream's body is its first bytes."""
    if wall.httpd.tls:
        line = http.client.HTTPSConnection("127.0.0.1", wall.httpd.port, timeout=20, context=ssl._create_unverified_context())
    else:
        line = http.client.HTTPConnection("127.0.0.1", wall.httpd.port, timeout=20)
    line.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = line.getresponse()
    body = answer.read(2000) if answer.getheader("Content-Type", "").startswith("multipart") else answer.read()
    line.close()
    return answer.status, answer.headers, body.decode("latin-1")


def cameras(wall, path="/cameras.json", **headers):
    status, _, body = ask(wall, path, **headers)
    if status == 503:               # a child that has just begun
        return None
    assert status == 200
    return [camera["camera"] for camera in json.loads(body)["cameras"]]


@pytest.fixture
def four(wall):
    # One child: each knows for itself since when it has had no pictures of a camera.
    wall.start(cameras=4, children=1, names={1: '<script>alert("1")</script>'}, partitions=20)
    wait_for(lambda: cameras(wall) == [1, 2, 3, 4])
    return wall


def test_the_list_and_its_selections(four):
    assert cameras(four, "/cameras/list.json") == [1, 2, 3, 4]
    assert cameras(four, "/cameras/2/list.json") == [1, 2]
    assert cameras(four, "/cameras/99/list.json") == [1, 2, 3, 4]
    assert cameras(four, "/cameras/4,1-2/list.json") == [4, 1, 2]
    assert cameras(four, "/cameras/3-3/list.json") == [3]
    assert cameras(four, "/cameras/7,9/list.json") == []
    _, _, body = ask(four, "/cameras.json")
    one = json.loads(body)["cameras"][0]
    assert one["name"] == '<script>alert("1")</script>' and one["camera"] == 1
    assert "</script" not in body, "harmless inside a script as well"


def test_a_list_that_did_not_change_is_not_sent_again(four):
    four.feed.silent.update([1, 2, 3, 4])
    wait_for(lambda: "live" not in ask(four, "/cameras.json")[2], 30)
    status, headers, _ = ask(four, "/cameras.json")
    again, second, body = ask(four, "/cameras.json", If_None_Match=headers["ETag"])
    assert (status, again, body) == (200, 304, "")
    four.feed.status(2, "failed", error="wrong password")
    wait_for(lambda: ask(four, "/cameras.json", If_None_Match=headers["ETag"])[0] == 200)
    assert second["ETag"] == headers["ETag"]


@pytest.mark.parametrize("path", ["/cameras/0", "/cameras/x", "/cameras/1,", "/cameras/5-2", "/cameras/01", "/cameras/4/x",
                                  "/cameras/-/nothing/wall.js", "/cameras/-/", "/cameras/1%2C%202", "/cameras/7-7/stream",
                                  "/cameras//4/x", "/cameras/" + "1," * 300 + "1", "/cameras/4/stream/"])
def test_what_is_not_there_is_said_in_words(four, path):
    status, headers, body = ask(four, path)
    assert status == 404
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert 10 < len(body) < 200 and "<" not in body


def test_methods(four):
    for path in ("/cameras", "/cameras/4/list.json", "/cameras.json", "/cameras/stream"):
        for method in ("POST", "PUT", "DELETE"):
            status, headers, _ = ask(four, path, method)
            assert status == 405 and "GET" in headers["Allow"]
        status, headers, body = ask(four, path, "HEAD")
        assert status == 200 and body == "" and "Content-Type" in headers


@pytest.mark.parametrize("path", ["/cameras", "/cameras/2", "/cameras.json", "/cameras/x", "/cam/1/"])
def test_headers_let_nothing_in_from_elsewhere(four, path):
    _, headers, _ = ask(four, path)
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/cameras/stream", "/cam/1", "/cam/1/stream"])
def test_a_stream_that_is_opened_as_a_page_can_do_nothing(four, path):
    _, headers, _ = ask(four, path, "HEAD")
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["sandbox"] == ""
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_rate_that_is_none_is_refused(four):
    for rate in ("0", "-1", "fast", "1e9", ""):
        status, _, body = ask(four, f"/cameras/stream?fps={rate}")
        assert status == 400 and "fps" in body


def test_the_stream_is_as_the_page_wants_it(four):
    status, headers, _ = ask(four, "/cameras/2,1/stream")
    assert status == 200 and headers["Content-Type"] == "multipart/mixed; boundary=frame"
    assert headers["Cache-Control"] == "no-store"
    assert abs(int(headers["X-Server-Time"]) / 1e6 - time.time()) < 5

    def states_come_first():
        heads = re.findall(r"--frame\r\nContent-Type: (\S+)\r\nX-Camera: (\d)", ask(four, "/cameras/2,1/stream")[2])
        return sorted(heads[:2]) == [("application/json", "1"), ("application/json", "2")]

    wait_for(states_come_first)     # a child that has just started knows no states yet


def assets(page, at):
    """Absolute paths of what the page loads."""
    return [urllib.parse.urljoin(at, link) for link in re.findall(r'(?:href|src)="([^"]+\.(?:js|css|svg))"', page)]


def test_the_page_weighs_at_most_64_kb_and_its_files_are_kept(four):
    _, headers, page = ask(four, "/cameras")
    assert headers["Cache-Control"] == "no-store"
    links = assets(page, "/cameras")
    script = next(link for link in links if link.endswith("wall.js"))
    links = {*links, script.replace("wall.js", "worker.js"), script.replace("wall.js", "parts.js")}
    weight = len(page)
    for link in links:
        status, headers, body = ask(four, link)
        assert status == 200 and "immutable" in headers["Cache-Control"] and "max-age=31536000" in headers["Cache-Control"]
        assert ask(four, link, If_None_Match=headers["ETag"])[0] == 304
        weight += len(body)
    print(f"the page weighs {weight} bytes in {len(links) + 1} answers, not compressed")
    assert len(links) == 8 and weight <= 64 * 1024


@pytest.mark.parametrize("path", ["/cameras", "/cameras/", "/cameras/4", "/cameras/4/", "//cameras///4", "/cam/1/"])
def test_links_are_relative_and_right_from_every_address(four, path):
    # urljoin() leaves ".." above the root in place, browsers do not
    _, _, page = ask(four, path)
    browser_path = "http://h" + path
    for link in [*re.findall(r'(?:href|src|data-(?:list|stream|all))="([^"]+)"', page)]:
        assert not link.startswith(("/", "http"))
        status, _, _ = ask(four, urllib.parse.urlparse(urllib.parse.urljoin(browser_path, link)).path)
        assert status == 200, (link, path)


def test_a_name_is_escaped_in_the_page(four):
    _, _, page = ask(four, "/cameras")
    assert '<script>alert' not in page and "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in page
    _, _, page = ask(four, "/cam/1/")
    assert '<script>alert' not in page and "<title>&lt;script&gt;" in page


def test_without_javascript_six_at_most(wall):
    wall.start(cameras=9, partitions=20)
    wait_for(lambda: len(cameras(wall)) == 9)
    _, _, page = ask(wall, "/cameras")
    assert re.findall(r'<img src="\./cam/(\d+)"', page) == ["1", "2", "3", "4", "5", "6"]


def test_any_location_will_do(wall):
    wall.start(cameras=2, partitions=20, snippet="KafkaCamPath /video/one\n", locations="""
<Location "/video/one">
    SetHandler kafkacam-cam
</Location>
<Location "/video/my wall">
    SetHandler kafkacam-cameras
</Location>
""")
    wait_for(lambda: cameras(wall, "/video/my%20wall/list.json") == [1, 2])
    for path in ("/video/my%20wall", "/video/my%20wall/2"):
        _, _, page = ask(wall, path)
        for link in re.findall(r'(?:href|src|data-(?:list|stream|all))="([^"]+)"', page):
            assert ask(wall, urllib.parse.urljoin(path, link))[0] == 200, link


def test_an_empty_wall_tells_whether_a_producer_was_ever_there(wall):
    wall.start(cameras=0, children=1, partitions=20)
    wait_for(lambda: json.loads(ask(wall, "/cameras.json")[2]).get("reason") == "producer", 30)
    wall.feed.add(2)
    wait_for(lambda: cameras(wall) == [2], 30)
    wall.feed.remove(2)
    wait_for(lambda: json.loads(ask(wall, "/cameras.json")[2]).get("reason") == "none", 30)


@pytest.mark.expects_log("KC2011")
def test_no_broker_yet_is_said(wall):
    wall.start(cameras=1, partitions=20)
    wall.httpd.stop()
    wall.broker.stop()
    wall.httpd.start()
    for path in ("/cameras.json", "/cameras/stream", "/cameras/1-1/list.json"):
        status, headers, body = ask(wall, path)     # it may be there, and slow: nobody knows yet
        if status == 503:
            assert int(headers["Retry-After"]) > 0
        else:
            assert json.loads(body)["reason"] == "kafka"
    wait_for(lambda: ask(wall, "/cameras.json")[0] == 200, 30, "a list that says so")
    _, _, body = ask(wall, "/cameras.json")
    assert (json.loads(body)["reason"], json.loads(body)["kafka"]) == ("kafka", False)
    where = wall.broker.address.rpartition(":")[2]
    wait_for(lambda: where in json.loads(ask(wall, "/cameras.json")[2]).get("trouble", ""), 30, "who is away")
    status, headers, _ = ask(wall, "/cameras/stream")
    assert status == 503 and int(headers["Retry-After"]) > 0
    wall.broker.start()


ADDRESSES = """
<LocationMatch "^/cam/(2|4)([./]|$)">
    Require ip 192.0.2.1
</LocationMatch>
"""


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
@pytest.mark.expects_log("AH01873", "AH01906", "KC2033")
def test_require_ip(wall, tls):
    wall.start(cameras=4, partitions=20, tls=tls, snippet=ADDRESSES)
    wait_for(lambda: cameras(wall) == [1, 3])
    assert cameras(wall, "/cameras/1/list.json") == [1]
    assert cameras(wall, "/cameras/2/list.json") == [1, 3], "a count is of what may be seen"
    assert ask(wall, "/cameras/2-2/stream")[0] == 404
    assert ask(wall, "/cam/2")[0] == 404, "as if there was none"


@pytest.mark.expects_log("KC2033")
def test_a_guarded_location_guards_the_picture_too(wall):
    wall.start(cameras=3, partitions=20, snippet='<Location "/cam/2">\nRequire all denied\n</Location>\n')
    wait_for(lambda: cameras(wall) == [1, 3])
    assert [ask(wall, f"/cam/2{what}")[0] for what in ("", ".jpg", ".json", "/", "/stream")] == [404] * 5
    assert ask(wall, "/cam/3.jpg")[0] == 200


def test_what_may_not_be_seen_is_not_logged_as_an_error(wall):
    wall.start(cameras=4, partitions=20, snippet=ADDRESSES)
    wait_for(lambda: cameras(wall) == [1, 3])
    assert "AH01630" not in wall.httpd.log_text()
