"""Pages of other sites, and what stands between us and them: CORS with preflight and login, framing, OPTIONS,
conditions as httpd's own files have them."""

import subprocess

import pytest

import clients
import stack

NAMED = "https://desk.example.org"
PASSWORD = """\
<Location "/cam">
    AuthType Basic
    AuthName cameras
    AuthUserFile {file}
    Require valid-user
</Location>
"""


def options(httpd, path, **headers):
    return clients.requests.request("OPTIONS", httpd.url(path), timeout=10, headers={
        name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def guarded(one_child, feed, folder):
    """Camera 3 behind a password; one other site may read."""
    feed.picture(3)
    file = folder / "users"
    subprocess.run(["htpasswd", "-bc", str(file), "ann", "secret"], check=True, capture_output=True)
    file.chmod(0o644)
    folder.chmod(0o755)
    return one_child(f"KafkaCamOrigins {NAMED} http://127.0.0.1:9\nKafkaCamFrameAncestors self https://*.example.org\n"
                     + PASSWORD.format(file=file))


def test_a_preflight_is_answered_before_a_password_is_asked_for(guarded):
    answer = options(guarded, "/cam/3.jpg", Origin=NAMED, Access_Control_Request_Method="GET",
                     Access_Control_Request_Headers="authorization")
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == NAMED
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", NAMED + ".evil.example", NAMED + "/", "null", "*"])
def test_an_origin_that_is_not_named_gets_nothing(guarded, origin):
    answer = options(guarded, "/cam/3.jpg", Origin=origin, Access_Control_Request_Method="GET")
    assert answer.status_code == 401
    answer = clients.get(guarded, "/cam/3.jpg", headers={"Origin": origin}, auth=("ann", "secret"))
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/cam/3.jpg", "/cam/3.json", "/cameras.json"])
def test_a_named_site_reads_with_its_users_login_and_sees_errors(guarded, path):
    own = {"Origin": NAMED}
    answer = clients.get(guarded, path, headers=own, auth=("ann", "secret"))
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == NAMED
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    if path.startswith("/cam/"):
        refused = clients.get(guarded, path, headers=own)
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == NAMED


def test_a_stream_is_readable_for_a_named_site(module, guarded):
    with clients.Stream(guarded, "/cam/3?meta=1", headers={
            "Origin": NAMED, "Authorization": "Basic YW5uOnNlY3JldA=="}) as stream:
        assert stream.answer.getheader("Access-Control-Allow-Origin") == NAMED


def test_pages_name_the_sites_that_may_frame_them(guarded):
    policy = clients.get(guarded, "/cameras").headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors 'self' https://*.example.org")


def test_nothing_is_open_as_shipped(module, feed):
    feed.picture(3)
    answer = clients.get(module, "/cam/3.jpg", headers={"Origin": NAMED})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert clients.get(module, "/cameras").headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")


@pytest.mark.parametrize("path", ["/cam/3", "/cam/3.jpg", "/cam/3.json", "/cameras", "/cameras.json", "/kafkacam-status"])
def test_options_are_answered_with_allow(module, feed, path):
    feed.picture(3)
    answer = options(module, path)
    assert answer.status_code == 200 and answer.content == b""
    assert {"GET", "HEAD", "OPTIONS"} <= {word.strip() for word in answer.headers["Allow"].split(",")}


@pytest.mark.parametrize("line, word", [
    ("KafkaCamOrigins *", "login"), ("KafkaCamOrigins https://Desk.example", "small letters"),
    ("KafkaCamOrigins https://desk.example/", "slash"), ("KafkaCamOrigins null", "origin"),
    ("KafkaCamFrameAncestors example.org", "self, none"), ("KafkaCamFrameAncestors https://a/b", "https://name")])
def test_a_wrong_site_stops_the_start(new_folder, build, broker, line, word):
    httpd = stack.Httpd(new_folder(), broker, build, topic=broker.topic, snippet=line + "\n")
    with pytest.raises(stack.StackError, match=word):
        httpd.start()


def test_a_304_goes_through_the_filters_as_for_httpds_own_files(one_child, feed):
    """What mod_headers sets with "Header set", not "always", is set by a filter."""
    feed.picture(3)
    httpd = one_child("Header set X-Seen yes\n")
    for path in ("/cam/3.jpg", "/cameras.json"):
        first = clients.get(httpd, path)
        again = clients.get(httpd, path, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304 and again.content == b""
        assert again.headers["X-Seen"] == "yes"
        assert again.headers["ETag"] == first.headers["ETag"]
        wrong = clients.get(httpd, path, headers={"If-Match": '"other"'})
        assert wrong.status_code == 412


def test_a_cache_keeps_the_pages_files(one_child, folder):
    folder.chmod(0o777)
    httpd = one_child(f"CacheRoot {folder}\nCacheEnable disk /\nCacheHeader on\nCacheQuickHandler off\n",
                      modules=("cache", "cache_disk"))
    page = clients.get(httpd, "/cameras").text
    asset = page.split('src="')[1].split('"')[0]
    path = clients.requests.compat.urljoin(httpd.url("/cameras"), asset)[len(httpd.url("")):]
    first, second = (clients.get(httpd, "/" + path.lstrip("/")) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.headers["X-Cache"].startswith("MISS") and second.headers["X-Cache"].startswith("HIT")
    assert first.content == second.content
