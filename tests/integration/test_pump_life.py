"""How viewers come and go: resets at any moment, ends of every kind, what is left behind."""

import collections
import os
import signal
import socket
import ssl
import threading

import pytest

import clients
import madeup
import stack

LOG = ('LogFormat "%U %>s %b %{kafkacam-camera}n %{kafkacam-frames}n %{kafkacam-skipped}n %D" notes\n'
       "CustomLog FOLDER/notes.log notes\n")
Line = collections.namedtuple("Line", "path status bytes camera frames skipped us")


@pytest.fixture
def make_feed(new_folder, build):
    """Call it for an httpd with made-up cameras; stopped afterwards."""
    running = []

    def make(**options):
        folder = new_folder()
        options["snippet"] = options.get("snippet", "") + LOG.replace("FOLDER", str(folder))
        running.append(madeup.Feed(folder, build=build, children=1, **options))
        running[-1].notes = lambda: [Line(*line.split())
                                     for line in (folder / "notes.log").read_text().splitlines()]
        return running[-1].start()
    yield make
    for httpd in running:
        httpd.stop()


def child(httpd):
    return httpd.children_pids()[-1]


def wait_until_quiet(httpd):
    """Every viewer is gone, and every connection's memory with it."""
    stack.wait_for(lambda: all(httpd.counters()[name] == 0 for name in ("viewers", "pending_pools")),
                   20, "viewers or connections are left")


def wait_for_files(pid, count):
    """The last question for the counters may still be closing its connection."""
    stack.wait_for(lambda: madeup.descriptors(pid) <= count, 10, "files stay open")


@pytest.mark.parametrize("late", [None, (5, 100)], ids=["prompt", "late-workers"])
def test_resets_at_any_moment_leave_nothing_behind(make_feed, late):
    httpd = make_feed(fps=20, size=20000, threads=32, late=late)
    madeup.churn(httpd.port, 640, build=httpd.build)
    wait_until_quiet(httpd)
    pid, files, memory = child(httpd), madeup.descriptors(child(httpd)), madeup.memory_kb(child(httpd))
    done = madeup.churn(httpd.port, 3200, build=httpd.build)
    assert done == {"cycles": 3200, "bad": 0}
    wait_until_quiet(httpd)
    assert child(httpd) == pid
    wait_for_files(pid, files)
    if not httpd.build.sanitizer():
        assert madeup.memory_kb(pid) < memory + 1024
    status = dict(line.split(": ", 1) for line in httpd.get("/server-status?auto").splitlines()
                  if ": " in line)
    assert all(0 <= int(status[name]) < 100 for name in status if name.startswith("Conns"))
    begun = httpd.counters()["viewers_begun"]
    assert sum(line.path.startswith("/cam/") for line in httpd.notes()) == begun > 3000
    with clients.Stream(httpd, "/cam/1") as viewer:
        viewer.jpeg()


def test_tls_viewers_that_break_off_leave_nothing_behind(make_feed):
    httpd = make_feed(fps=20, size=20000, tls=True, late=(5, 100))

    def watch():
        for number in range(60):
            with clients.Stream(httpd, f"/cam/{number % 4 + 1}") as viewer:
                viewer.jpeg()
    watch()
    wait_until_quiet(httpd)
    files = madeup.descriptors(child(httpd))
    watch()
    wait_until_quiet(httpd)
    wait_for_files(child(httpd), files)


def test_a_viewer_is_one_line_in_the_log_with_what_it_got(make_feed):
    httpd = make_feed(fps=20)
    with clients.Stream(httpd, "/cam/3") as viewer:
        sizes = [len(viewer.jpeg()) for _ in range(10)]
    wait_until_quiet(httpd)
    (line,) = [line for line in httpd.notes() if line.path == "/cam/3"]
    assert (line.status, line.camera) == ("200", "3")
    assert 10 <= int(line.frames) <= 20
    assert int(line.bytes) >= sum(sizes)
    assert int(line.us) > 200_000


def test_a_camera_without_pictures_opens_at_once_and_its_viewers_leave(make_feed):
    httpd = make_feed(fps=0)
    with clients.Stream(httpd, "/cam/1") as viewer:
        assert viewer.status == 200
        viewer._until(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n")
        assert httpd.counters()["viewers"] == 1
    wait_until_quiet(httpd)


@pytest.mark.parametrize("pump", [True, False], ids=["pump", "thread-per-viewer"])
@pytest.mark.parametrize("how", ["graceful", "stop"])
def test_when_httpd_restarts_or_stops_every_viewer_ends_and_is_logged(make_feed, how, pump):
    httpd = make_feed(fps=5, threads=64, pump=pump, snippet="KafkaCamMaxBlockingViewers 60\n")
    count = 300 if pump else 40
    run = madeup.Viewers(httpd.port, options=["-n", count, "-c", 4, "-s", 30, "-g"],
                       build=httpd.build).wait_begin()
    assert httpd.counters()["viewers"] == count
    old = child(httpd)
    if how == "graceful":
        httpd.graceful()
        stack.wait_for(lambda: not os.path.exists(f"/proc/{old}"), 10, "the old child stays")
    else:
        httpd.stop()
    result = run.result()
    assert result["closed"] == count and result["open"] == 0
    assert result["seconds"] < 15
    assert len([line for line in httpd.notes() if line.path.startswith("/cam/")]) == count


@pytest.mark.deadline(600)
def test_no_viewer_with_a_rate_and_no_wall_keeps_a_child_that_is_to_stop(make_feed):
    httpd = make_feed(fps=25, size=2000, threads=32)
    for _ in range(15):
        madeup.restart_under_viewers(httpd)


class Reader(threading.Thread):
    """A client that reads all there is, as its own system sees it: no reset, TLS's own end."""

    def __init__(self, httpd, path):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", httpd.port), 20)
        if httpd.tls:
            self.socket = ssl._create_unverified_context().wrap_socket(
                self.socket, suppress_ragged_eofs=False)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.size, self.tail, self.trouble = 0, b"", None

    def run(self):
        try:
            while data := self.socket.recv(65536):
                self.size += len(data)
                self.tail = (self.tail + data)[-100:]
        except OSError as error:
            self.trouble = error
        self.socket.close()


@pytest.mark.parametrize("how", ["graceful", "stop"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_stream_that_httpd_ends_ends_cleanly(make_feed, tls, how):
    httpd = make_feed(fps=20, size=500000, tls=tls)
    readers = [Reader(httpd, f"/cam/{number % 4 + 1}") for number in range(8)]
    for reader in readers:
        reader.start()
    stack.wait_for(lambda: all(reader.size > 2_000_000 for reader in readers), 20, "no pictures")
    httpd.graceful() if how == "graceful" else httpd.stop()
    for reader in readers:
        reader.join(10)
        assert not reader.is_alive() and reader.trouble is None
        if how == "graceful":   # a stop has no time for the rest of a picture
            assert reader.tail.endswith(b"\xff\xd9\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n")


@pytest.mark.expects_log("KC2322")
def test_a_child_that_has_served_its_connections_lets_its_viewers_go(make_feed):
    httpd = make_feed(fps=5, snippet="MaxConnectionsPerChild 30\n")
    old = child(httpd)
    run = madeup.Viewers(httpd.port, options=["-n", 20, "-c", 4, "-s", 20, "-g"],
                       build=httpd.build).wait_begin()
    for _ in range(15):
        httpd.get("/counters")
    assert run.result()["closed"] == 20
    stack.wait_for(lambda: not os.path.exists(f"/proc/{old}"), 10, "the old child stays")


def test_a_client_that_reads_nothing_is_cut(make_feed):
    httpd = make_feed(fps=20, size=400000, snippet="KafkaCamStallTimeout 2\n")
    run = madeup.Viewers(httpd.port, options=["-n", 4, "-Z", 1, "-c", 4, "-s", 4],
                       build=httpd.build)
    stack.wait_for(lambda: httpd.counters()["viewers_stalled"] == 1, 10, "nobody was cut")
    result = run.result()
    assert (result["closed"], result["wrong"]) == (1, 0)


def test_a_client_that_wants_little_and_reads_nothing_is_cut_as_well(make_feed):
    httpd = make_feed(fps=5, size=400000, snippet="KafkaCamStallTimeout 2\nKafkaCamHeartbeat 1\n")
    run = madeup.Viewers(httpd.port, "/cam/%d?fps=0.001", build=httpd.build,
                         options=["-n", 5, "-Z", 2, "-c", 4, "-s", 10])
    stack.wait_for(lambda: httpd.counters()["viewers_stalled"] == 2, 30, "they were not cut")
    result = run.result()
    assert (result["closed"], result["open"], result["wrong"]) == (2, 3, 0)


@pytest.mark.parametrize("mpm", ["event", "worker"])
def test_a_client_that_takes_a_little_now_and_then_is_cut_and_a_slow_one_is_not(make_feed, mpm):
    """Each of them has taken something within the time-out, always."""
    httpd = make_feed(fps=5, size=1500000, mpm=mpm, snippet="""\
KafkaCamStallTimeout 4
KafkaCamLeastRate 500000
""")
    slow = madeup.Viewers(httpd.port, build=httpd.build, options=["-n", 1, "-S", "1:1500000", "-s", 20])
    run = madeup.Viewers(httpd.port, build=httpd.build,
                         options=["-n", 2, "-S", "2:100000", "-c", 4, "-s", 90, "-g"])
    stack.wait_for(lambda: httpd.counters()["viewers_stalled"] == 2, 60, "they were not cut")
    assert run.result()["closed"] == 2
    assert slow.result()["open"] == 1


def open_sockets(httpd, count, path):
    """Clients that ask and read nothing."""
    opened = []
    for _ in range(count):
        opened.append(socket.create_connection(("127.0.0.1", httpd.port), 20))
        opened[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    for one in opened:
        assert one.recv(1, socket.MSG_PEEK) == b"H"
    return opened


@pytest.mark.expects_log("KC2300")
def test_when_places_run_out_those_who_read_keep_theirs_and_others_make_room(make_feed):
    httpd = make_feed(fps=20, size=50000, snippet="KafkaCamMaxViewers 10\n")
    readers = madeup.Viewers(httpd.port, build=httpd.build,
                             options=["-n", 3, "-c", 4, "-w", 2, "-s", 20]).wait_begin()
    deaf = open_sockets(httpd, 7, "/cam/1?fps=0.001")
    late = madeup.Viewers(httpd.port, build=httpd.build,
                          options=["-n", 7, "-c", 4, "-w", 2, "-s", 8]).wait_begin()
    assert httpd.counters()["viewers_displaced"] == 7
    with clients.Stream(httpd, "/cam/1") as stream:     # nobody is left who has not read
        assert stream.status == 503
    for result, count in ((late.result(), 7), (readers.result(), 3)):
        assert (result["open"], result["closed"], result["wrong"]) == (count, 0, 0)
    for one in deaf:
        one.close()
    lines = [line for line in httpd.log_text().splitlines() if "viewers cut" in line]
    assert 1 <= len(lines) <= 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_may_not_see_a_camera_any_more_stops_seeing_it(make_feed, folder, tls):
    folder.chmod(0o755)
    may = folder / "may"
    may.write_text("")
    for parent in [may.parent, *may.parents]:
        if parent.stat().st_uid == os.geteuid() and parent.parts[:2] == ("/", "tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    httpd = make_feed(fps=10, tls=tls, may=may, snippet="KafkaCamRecheck 1\n")
    with clients.Stream(httpd, "/cam/1") as one, clients.Stream(httpd, "/wall") as wall:
        assert {wall.part()[0]["x-camera"] for _ in range(12)} == {"1", "2", "3", "4"}
        may.unlink()
        with pytest.raises(EOFError):
            while True:
                one.jpeg()
        left = stack.wait_for(
            lambda: "1" not in {wall.part()[0]["x-camera"] for _ in range(12)}, 10,
            "the wall goes on with the camera")
        assert left


def test_many_who_are_asked_about_at_once_all_stop_or_all_go_on(make_feed, folder):
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    may = folder / "may"
    may.write_text("")
    count = 300
    httpd = make_feed(fps=5, size=2000, may=may, snippet="KafkaCamRecheck 1\n")
    run = madeup.Viewers(httpd.port, "/cam/1", options=["-n", count, "-s", 60, "-g"],
                         build=httpd.build).wait_begin()
    others = madeup.Viewers(httpd.port, "/cam/2", options=["-n", count, "-s", 4],
                            build=httpd.build).wait_begin()
    may.unlink()
    result = others.result()
    assert (result["open"], result["closed"], result["wrong"]) == (count, 0, 0)
    assert result["pictures"] > count * 4
    assert run.result()["closed"] == count


def test_a_child_that_crashes_leaves_no_viewers_in_the_counters(make_feed):
    # Not httpd's own word on it: crashes in a log fail a test.
    httpd = make_feed(fps=5, snippet="KafkaCamMaxViewersPerClient 30\nLogLevel core:warn\n")
    madeup.Viewers(httpd.port, options=["-n", 20, "-s", 0], build=httpd.build).wait_begin()
    old = child(httpd)
    os.kill(old, signal.SIGKILL)
    stack.wait_for(lambda: not os.path.exists(f"/proc/{old}"), 10, "it lives")
    stack.wait_for(lambda: httpd.children_pids(), 10, "no new child")
    assert httpd.counters()["viewers"] == 0
    assert madeup.Viewers(httpd.port, options=["-n", 20, "-s", 0.2],
                        build=httpd.build).result()["open"] == 20
