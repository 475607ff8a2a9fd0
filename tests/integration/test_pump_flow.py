"""Viewers side by side: nobody waits for anybody, pictures are new, the rest of the site is fast,
limits hold."""

import os
import subprocess
import time

import pytest
import requests

import clients
import madeup
import stack

madeup.raise_file_limit()


@pytest.fixture
def make_feed(new_folder, build):
    """Call it for an httpd with made-up cameras; stopped afterwards."""
    running = []

    def make(**options):
        options.setdefault("children", 1)
        running.append(madeup.Feed(new_folder(), build=build, **options))
        return running[-1].start()
    yield make
    for httpd in running:
        httpd.stop()


def watch(httpd, *options, path="/cam/%d"):
    tls = ["-t"] if httpd.tls else []
    return madeup.Viewers(httpd.port, path, options=[*options, *tls], build=httpd.build)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "filters"])
def test_a_stalled_client_costs_the_others_nothing(make_feed, tls, direct):
    httpd = make_feed(fps=10, size=500000, tls=tls, direct=direct)
    result = watch(httpd, "-n", 5, "-Z", 1, "-c", 4, "-s", 4).result()
    assert (result["open"], result["wrong"]) == (5, 0)
    # A pump that waits for the stalled one sends the others a few pictures at most.
    assert result["pictures"] > 4 * 10 * 4 * 0.3


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "filters"])
def test_a_slow_client_sees_new_pictures_and_fewer(make_feed, tls, direct):
    httpd = make_feed(cams=1, fps=20, size=50000, tls=tls, direct=direct)
    result = watch(httpd, "-n", 2, "-S", "1:500000", "-w", 3, "-s", 5).result()
    assert (result["open"], result["wrong"]) == (2, 0)
    # Without a limit on what the kernel queues it is seconds, and grows.
    assert result["slow_age_ms"]["p50"] < 500
    assert httpd.counters()["frames_skipped"] > 20


@pytest.mark.parametrize("size", [4000, 50000])
def test_over_tls_no_picture_waits_for_the_next(make_feed, size):
    httpd = make_feed(fps=2, size=size, tls=True)
    result = watch(httpd, "-n", 8, "-c", 4, "-s", 4).result()
    assert result["wrong"] == 0 and result["pictures"] > 20
    assert result["age_ms"]["p50"] < 250        # one late is 500 and more


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "filters"])
@pytest.mark.parametrize("size", [100, 4095, 61440, 61441, 1500000])
def test_pictures_of_any_size_arrive_whole(make_feed, size, direct):
    httpd = make_feed(cams=2, fps=5, size=size, direct=direct)
    result = watch(httpd, "-n", 4, "-c", 2, "-s", 1.5).result()
    assert result["wrong"] == 0 and result["pictures"] > 5


@pytest.mark.alone
def test_thousands_of_viewers_need_no_thread_each_and_leave_the_site_fast(make_feed, folder):
    count = 300 if stack.Build().sanitizer() else 2000
    httpd = make_feed(fps=1, size=20000, threads=25,
                      snippet='Alias "/static" "/etc/os-release"\n'
                              '<Location "/static">\nRequire all granted\n</Location>\n')
    pid = httpd.children_pids()[-1]
    before = madeup.threads(pid)
    run = watch(httpd, "-n", count, "-c", 4, "-w", 2, "-s", 6, "-k", 50).wait_begin()
    assert httpd.counters()["viewers"] == count
    assert madeup.threads(pid) <= before
    begun, times = time.monotonic(), []
    while time.monotonic() < begun + 4:
        asked = time.monotonic()
        assert requests.get(httpd.url("/static"), timeout=5).status_code == 200
        times.append(time.monotonic() - asked)
    result = run.result()
    assert (result["open"], result["refused"], result["wrong"]) == (count, 0, 0)
    # A site without a free worker answers nothing at all.
    assert sorted(times)[int(len(times) * 0.9)] < 0.5


def test_a_rate_is_kept(make_feed):
    httpd = make_feed(fps=20)
    result = watch(httpd, "-n", 4, "-c", 4, "-s", 4, path="/cam/%d?fps=5").result()
    assert 4 * 4 * 5 * 0.4 < result["pictures"] < 4 * 4 * 5 * 1.2
    assert httpd.counters()["frames_skipped"] == 0


def test_a_wall_on_a_slow_line_starves_no_camera(make_feed):
    httpd = make_feed(cams=8, fps=10, size=50000)
    seen = {}
    with clients.Stream(httpd, "/wall", receive_buffer=65536) as wall:
        end = time.monotonic() + 6
        while time.monotonic() < end:
            camera = wall.part()[0]["x-camera"]
            seen[camera] = seen.get(camera, 0) + 1
            time.sleep(0.025)       # the slow line: half of what eight cameras make
    assert set(seen) == {str(number) for number in range(1, 9)}
    assert max(seen.values()) <= min(seen.values()) * 1.5 + 2


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_a_camera_that_is_silent_shows_its_newest_picture_again_and_again(make_feed, mpm):
    httpd = make_feed(cams=1, fps=0.001, mpm=mpm, snippet="KafkaCamHeartbeat 1\n")
    for path in ("/cam/1", "/cam/1?meta=1", "/cam/1?fps=0.001"):
        with clients.Stream(httpd, path) as stream:
            assert len({stream.jpeg() for _ in range(4)}) == 1


@pytest.mark.parametrize("mpm", ["event", "worker"])
def test_a_silent_wall_has_a_heartbeat(make_feed, mpm):
    httpd = make_feed(fps=0, mpm=mpm, snippet="KafkaCamHeartbeat 1\n")
    with clients.Stream(httpd, "/wall") as wall:
        for _ in range(3):
            headers, body = wall.part()
            assert (headers["content-type"], body) == ("application/json", b"{}")


def refused(httpd, path="/cam/1", **options):
    answer = requests.get(httpd.url(path), stream=True, timeout=5, verify=False, **options)
    status, after = answer.status_code, answer.headers.get("Retry-After")
    answer.close()
    return status == 503 and after is not None


@pytest.mark.expects_log("KC2300")
def test_past_the_servers_limit_viewers_are_refused_and_told_when_to_come_again(make_feed):
    httpd = make_feed(children=2, fps=25, snippet="KafkaCamMaxViewers 10\n")
    run = watch(httpd, "-n", 10, "-c", 4, "-w", 2, "-s", 3).wait_begin()
    assert refused(httpd)
    result = run.result()
    assert (result["open"], result["wrong"]) == (10, 0)
    stack.wait_for(lambda: not refused(httpd), 10, "refused for ever")
    assert httpd.counters()["viewers_refused"] >= 1


@pytest.mark.expects_log("KC2300")
def test_past_a_clients_limit_only_that_client_is_refused(make_feed):
    httpd = make_feed(children=2, modules=["remoteip"], snippet="""\
KafkaCamMaxViewersPerClient 3
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
""")

    def open_as(address):
        return clients.Stream(httpd, "/cam/1", headers={"X-Forwarded-For": address})

    streams = [open_as("192.0.2.1") for _ in range(3)]
    assert [stream.status for stream in streams] == [200] * 3
    assert refused(httpd, headers={"X-Forwarded-For": "192.0.2.1"})
    streams.append(open_as("192.0.2.2"))
    assert streams[-1].status == 200
    streams[0].close()
    stack.wait_for(lambda: not refused(httpd, headers={"X-Forwarded-For": "192.0.2.1"}), 10,
                   "refused for ever")
    for stream in streams:
        stream.close()


@pytest.mark.expects_log("KC2300")
def test_an_ipv6_network_is_one_client(make_feed):
    httpd = make_feed(modules=["remoteip"], snippet="""\
KafkaCamMaxViewersPerClient 2
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
""")
    status = {}
    streams = []
    for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2::3", "2001:db8:1:3::1",
                    "::ffff:192.0.2.1", "::ffff:192.0.2.2", "192.0.2.1", "192.0.2.1"):
        streams.append(clients.Stream(httpd, "/cam/1", headers={"X-Forwarded-For": address}))
        status.setdefault(address, []).append(streams[-1].status)
    for stream in streams:
        stream.close()
    assert status == {
        "2001:db8:1:2::1": [200], "2001:db8:1:2:ffff::2": [200], "2001:db8:1:2::3": [503],
        "2001:db8:1:3::1": [200], "::ffff:192.0.2.1": [200], "::ffff:192.0.2.2": [200],
        "192.0.2.1": [200, 503]}


@pytest.mark.expects_log("KC2330")
def test_a_wall_shows_no_more_cameras_than_it_may(make_feed):
    httpd = make_feed(cams=8, snippet="KafkaCamMaxWallCameras 3\n")
    with clients.Stream(httpd, "/wall") as wall:
        assert wall.answer.getheader("X-KafkaCam-Left-Out") == "5"
        assert {wall.part()[0]["x-camera"] for _ in range(20)} == {"1", "2", "3"}


@pytest.mark.expects_log("KC2300")
@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_viewers_that_hold_workers_leave_some_for_the_site(make_feed, mpm):
    httpd = make_feed(mpm=mpm, threads=8, snippet="KafkaCamMaxBlockingViewers 3\n")
    streams = [clients.Stream(httpd, "/cam/1") for _ in range(3)]
    assert all(stream.jpeg() for stream in streams)
    assert refused(httpd)
    assert httpd.counters()["blocking_viewers"] == 3
    for stream in streams:
        stream.close()
    stack.wait_for(lambda: httpd.counters()["blocking_viewers"] == 0, 10, "workers are still held")


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_a_viewer_of_a_silent_camera_who_leaves_is_noticed(make_feed, mpm):
    httpd = make_feed(mpm=mpm, fps=0)
    stream = clients.Stream(httpd, "/cam/1")
    stack.wait_for(lambda: httpd.counters()["viewers"] == 1, 5, "no viewer")
    stream.close()
    stack.wait_for(lambda: httpd.counters()["viewers"] == 0, 5, "the viewer is still there")


def test_what_a_filter_may_hold_up_does_not_reach_the_pump(make_feed):
    """mod_ratelimit sleeps: in a pump it would hold up everybody."""
    httpd = make_feed(fps=10, size=20000, modules=["ratelimit", "env"], snippet="""\
<Location "/cam/2">
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 20
</Location>
""")
    with clients.Stream(httpd, "/cam/2"):
        stack.wait_for(lambda: httpd.counters()["blocking_viewers"] == 1, 5, "it got a pump")
        result = watch(httpd, "-n", 4, "-c", 1, "-s", 3).result()
        assert result["pictures"] > 4 * 3 * 10 * 0.3


def test_filters_that_every_site_has_do_not_cost_the_pump(make_feed):
    httpd = make_feed(fps=10, size=20000, modules=["deflate", "filter"], snippet="""\
SetOutputFilter DEFLATE
AddOutputFilterByType DEFLATE image/jpeg multipart/x-mixed-replace
Header set X-Test yes
""")
    with clients.Stream(httpd, "/cam/1", headers={"Accept-Encoding": "gzip"}) as stream:
        assert stream.answer.getheader("Content-Encoding") is None
        assert stream.answer.getheader("X-Test") == "yes"
        assert all(stream.jpeg().startswith(b"\xff\xd8") for _ in range(5))
        assert httpd.counters()["blocking_viewers"] == 0


def test_head_gets_the_headers_alone(make_feed):
    httpd = make_feed()
    answer = requests.head(httpd.url("/cam/1"), timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
    assert answer.headers["Cache-Control"] == "no-store"


def curl(*options):
    done = subprocess.run(["curl", "-sk", *options], capture_output=True, check=False, timeout=30)
    return done.stdout


def test_over_http2_a_stream_asks_for_http11_and_everything_else_stays(make_feed):
    httpd = make_feed(fps=10, tls=True, http2=True)
    answer = curl("-m", "2", "-o", os.devnull, "-w", "%{http_version} %{http_code} %{size_download}",
                  httpd.url("/cam/1"))
    version, status, size = answer.decode().split()
    assert (version, status) == ("1.1", "200") and int(size) > 500000
    assert curl("-o", os.devnull, "-w", "%{http_version}", httpd.url("/counters")) == b"2"
    # The refusal is not a request of its own.
    assert all(" 403 " not in line for line in httpd.access_lines())


def test_who_insists_on_http2_is_served_within_the_bound(make_feed):
    httpd = make_feed(fps=10, size=20000, tls=True, http2=True, threads=16,
                      snippet="KafkaCamMaxBlockingViewers 2\n")
    done = subprocess.Popen(["nghttp", "-n", "-m", "3", "-t", "4", httpd.url("/cam/1")],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        stack.wait_for(lambda: httpd.counters()["blocking_viewers"] >= 1, 5, "not served")
        assert curl("-o", os.devnull, "-m", "5", "-w", "%{http_version} %{http_code}",
                    httpd.url("/counters")) == b"2 200"
        assert httpd.counters()["blocking_viewers"] <= 2
    finally:
        done.terminate()
        done.communicate(timeout=10)
    stack.wait_for(lambda: httpd.counters()["blocking_viewers"] == 0, 10, "workers are still held")


@pytest.mark.expects_log("KC2320", "KC2321", "KC2322")
def test_a_server_that_would_cut_viewers_says_so_at_its_start(make_feed):
    httpd = make_feed(children=2, threads=10, snippet="""\
AsyncRequestWorkerFactor 2
MaxSpareThreads 15
MaxConnectionsPerChild 1000
""")
    text = httpd.log_text()
    assert all(f"KC{number}" in text for number in (2320, 2321, 2322))
