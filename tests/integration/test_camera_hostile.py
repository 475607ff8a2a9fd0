"""kafkacam-camera against cameras, networks and brokers that misbehave. Each fault must end in a
picture again, in bounded time (printed: pytest -s), with no process, memory or descriptor left
behind, and with no password anywhere."""

import contextlib
import pathlib
import signal
import time

import pytest

import clients
import hostile
import relay
import stack
from camera import Camera, Watch, meta, read
from test_camera import moving

SECRET = "p@:/%w"           # in every URL here, and never to be seen

# A camera's memory at these sizes; the sanitizers' builds take several times that.
MOST_KB = 90000
MOST_FILES = 40


@pytest.fixture
def run(run, build):
    """As in the other tests, but each camera is looked at before it is stopped."""
    yield run
    for camera in run.cameras:
        check_secrets(camera)
        if not build.sanitizer():
            assert camera.peak_kb < MOST_KB, f"{camera.peak_kb} kB"
        assert camera.peak_files < MOST_FILES


def check_secrets(camera):
    where = [camera.log_text(), str(camera.reports)]
    if camera.running():
        process = pathlib.Path(f"/proc/{camera.process.pid}")
        with contextlib.suppress(OSError):      # it may end right now
            where += [(process / name).read_bytes().decode(errors="replace")
                      for name in ("cmdline", "environ")]
    for text in where:
        assert SECRET not in text and hostile.quote(SECRET) not in text


def recovers(name, watch, begun, most_s):
    """Wait for a picture taken after begun; print how long that took."""
    took = watch.next_after(begun, most_s)
    print(f"\nrecovery {name}: {took:.2f} s")


def login(user="user"):
    return f"{user}:{SECRET}"


@pytest.mark.parametrize("fault", ["close", "reset", "freeze", "garbage", "noise"])
@pytest.mark.parametrize("transport", [0, 1], ids=["tcp", "udp"])
def test_a_stream_that_breaks_comes_back(run, broker, h264, fault, transport):
    with hostile.Server(h264, login=("user", SECRET)) as server, Watch(broker) as watch:
        camera = run(server.url(login=login()), transport=transport)
        assert read(watch.records(5)[-1])[0] == 1
        server.faults.add(fault)
        broken = time.monotonic()
        if fault in ("garbage", "noise"):
            # Nothing of it is published, however long it goes on.
            time_of_last = watch.during(2.5)[-1:]
            assert all(read(record) for record in time_of_last)
        else:
            report = camera.wait_state("failed", after=broken)
            assert report["why"]
        server.faults.clear()
        recovers(f"{fault} {('tcp', 'udp')[transport]}", watch, time.time(), 40)
        frames = [read(record) for record in watch.records(10)]
        assert {number for number, _ in frames} == {1}


def test_a_camera_that_answers_nothing_is_given_up_in_time(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        server.faults.add("silent")
        begun = time.monotonic()
        camera = run(server.url(login=login()))
        camera.wait_state("failed")
        assert time.monotonic() - begun < 2 * 1.5 + 1.5
        server.faults.clear()
        recovers("silent accept", watch, time.time(), 20)


def test_a_frozen_and_a_killed_camera_process(run, broker, new_folder):
    with stack.Cameras(new_folder(), 1, options=["--loop", "4"]) as cameras, Watch(broker) as watch:
        camera = run(cameras.url(1))
        watch.records(5)
        frozen = time.monotonic()
        cameras.signal(signal.SIGSTOP)
        report = camera.wait_state("failed", after=frozen)
        assert "1.5 s" in report["why"], report["why"]
        cameras.signal(signal.SIGCONT)
        recovers("SIGSTOP", watch, time.time(), 20)
        killed = time.monotonic()
        cameras.kill()
        camera.wait_state("failed", after=killed)
        cameras.start()
        recovers("kill", watch, time.time(), 20)


@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_a_password_with_anything_in_it(run, broker, h264, auth):
    with hostile.Server(h264, login=("user", SECRET), auth=auth) as server:
        for number, written in enumerate((login(), f"user:{hostile.quote(SECRET)}"), 1):
            with Watch(broker, number) as watch:
                run(server.url(login=written), number=number)
                assert read(watch.records(2)[0])[0] == 1


def test_a_crash_leaves_no_core_with_the_password_in_it(run, broker, h264):
    with hostile.Server(h264, login=("user", SECRET)) as server, Watch(broker) as watch:
        camera = run(server.url(login=login()))
        watch.records(2)
        crashed = camera.process
        limits = pathlib.Path(f"/proc/{crashed.pid}/limits").read_text()
        assert next(line.split()[4:6] for line in limits.splitlines() if "core" in line) == ["0", "0"]
        crashed.send_signal(signal.SIGABRT)
        stack.wait_for(lambda: crashed.status is not None, 10, "still there")
        assert crashed.status == -signal.SIGABRT and not crashed.core
        recovers("crash", watch, time.time(), 20)


def test_a_wrong_password_is_called_one(run, h264):
    with hostile.Server(h264, login=("user", "another")) as server:
        camera = run(server.url(login=login()), restart=False)
        assert "password" in camera.wait_state("failed")["why"]
        camera.thread.join(5)
        assert camera.status == 1
        assert SECRET not in str(server.requests)


def test_a_redirect_is_followed_to_rtsp_alone(run, broker, h264):
    with hostile.Server(h264) as target, hostile.Server(h264) as server, Watch(broker) as watch:
        server.redirect_to = target.url()
        server.faults.add("redirect")
        camera = run(server.url(login=login()))
        assert read(watch.records(2)[0])[0] == 1
        server.redirect_to = f"http://127.0.0.1:{target.port}/steal"
        before = target.connections
        camera.stop()
        for elsewhere in (server.redirect_to, "file:///etc/passwd"):
            server.redirect_to = elsewhere
            camera = run(server.url(login=login()), number=2, restart=False)
            why = camera.wait_state("failed")["why"]
            assert "redirects to" in why and "refused" in why, why
        assert not any("steal" in url for _, url, _ in target.requests)
        assert target.connections - before <= 1


def test_a_truncated_jpeg_is_not_published(run, broker):
    with hostile.Server(hostile.Jpeg()) as server, Watch(broker) as watch:
        camera = run(server.url(login=login()))
        watch.records(5)
        server.faults.add("truncated")
        camera.wait_report(lambda report: report["dropped"] > 0, "truncated pictures go through", 10)
        watch.during(0.5)
        assert not watch.during(1)
        server.faults.clear()
        recovers("truncated JPEG", watch, time.time(), 20)


def test_a_change_of_resolution_in_mid_stream(run, broker, h264):
    large = hostile.H264(size=(640, 352))
    with hostile.Server(h264) as server, Watch(broker) as watch:
        camera = run(server.url(login=login()))
        watch.records(5)
        begun = time.time()
        server.switch(large)
        stack.wait_for(lambda: meta(watch.records(1)[0])["w"] == 640, 10, "no large picture")
        print(f"\nrecovery resolution change: {time.time() - begun:.2f} s")
        record = watch.records(1)[0]
        assert (meta(record)["w"], meta(record)["h"]) == (640, 352)
        assert clients.decode(record.value).shape[:2] == (352, 640) and read(record)[0] == 1
        assert camera.starts == 1


def test_a_change_of_codec_comes_with_a_new_session(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        run(server.url(login=login()))
        watch.records(5)
        server.stream = hostile.Jpeg()
        server.faults.add("close")
        time_of_change = time.time()
        stack.wait_for(lambda: server.connections > 1, 10, "not connected again")
        server.faults.clear()
        recovers("codec change", watch, time_of_change, 20)
        assert meta(watch.records(5)[-1])["h"] == 176


def check_no_smear(records, size):
    """Each picture is as it was painted."""
    for record in records:
        number, frame = read(record)
        assert number == 1
        original = clients.decode(clients.paint(1, frame, size, 95)).astype(int)
        error = abs(clients.decode(record.value) - original).mean()
        assert error < 4, f"frame {frame} is off by {error:.1f}"


def test_packet_loss_costs_pictures_but_no_picture_is_smeared(run, broker):
    """10 % of all packets; key frames of one packet or two, so that some get through whole."""
    with hostile.Server(hostile.H264(size=(160, 96), gop=5)) as server, Watch(broker) as watch:
        server.faults.add("loss")
        camera = run(server.url(login=login()), transport=1)
        records = watch.records(40, 60)
        camera.wait_report(lambda report: report["dropped"] > 0, "no loss noticed")
        check_no_smear(records, (160, 96))
        server.faults.clear()
        recovers("10 % loss", watch, time.time(), 20)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_bad_line_to_a_camera_smears_no_picture(run, broker, new_folder, codec):
    """The same with GStreamer's server, RTCP and all, behind a relay that drops a tenth."""
    options = ["--loop", "4", "--size", "160x96", "--gop", "5", "--codec", codec]
    with stack.Cameras(new_folder(), 1, options=options) as cameras, \
            relay.Relay(cameras.port) as line, Watch(broker) as watch:
        camera = run(line.url(), transport=1, timeout_ms=5000)
        check_no_smear(watch.records(25), (160, 96))
        assert camera.report["dropped"] == 0
        line.loss = 0.1
        begun = time.monotonic()
        camera.wait_report(lambda report: report["dropped"] > 0, "no loss noticed", after=begun)
        check_no_smear(watch.records(40, 60), (160, 96))
        assert line.dropped > 10 and camera.starts == 1
        line.loss = 0
        recovers(f"10 % loss between it and GStreamer ({codec})", watch, time.time(), 20)


def test_a_clock_that_jumps_an_hour_moves_no_time_stamp(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        camera = run(server.url(login=login()))
        records = watch.records(30)
        server.faults.add("clock")
        records += watch.records(75)
        server.faults.clear()
        records += watch.records(50)
        camera.stop()
        times = [meta(record)["us"] for record in records]
        steps = [b - a for a, b in zip(times, times[1:])]
        assert min(steps) > 0 and max(steps) < 1500000, (min(steps), max(steps))
        assert abs(times[-1] / 1e6 - time.time()) < 3
        assert "clock is off by 3600 s" in camera.log_text()


def test_a_stream_without_key_frames_is_waited_for_then_given_up(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        server.faults.add("deltas")
        camera = run(server.url(login=login()), key_frame_timeout_ms=8000)
        camera.wait_state("waiting")
        assert not watch.during(2)
        assert camera.report["fps_in"] > 10 and camera.report["state"] == "waiting"
        report = camera.wait_state("failed", 45)
        assert "key frame" in report["why"], report
        server.faults.clear()
        recovers("no key frames", watch, time.time(), 20)


def test_one_frame_a_second_and_4k(run, broker):
    slow = hostile.H264(fps=1, gop=5, seconds=10)
    with hostile.Server(slow) as server, Watch(broker) as watch:
        camera = run(server.url(login=login()))
        frames = [read(record)[1] for record in watch.records(6)]
        assert moving(frames, 10) and camera.starts == 1
    large = hostile.H264(size=(3840, 2160), fps=5, gop=5, seconds=2)
    with hostile.Server(large) as server, Watch(broker, 2) as watch:
        camera = Camera(camera.folder, camera.build, broker, server.url(), number=2)
        with camera:
            record = watch.records(4, 40)[-1]
            assert (meta(record)["w"], meta(record)["h"]) == (3840, 2160)
            assert read(record)[0] == 1
        print(f"\n4K: {camera.peak_kb / 1000:.0f} MB")


def test_udp_is_tried_where_tcp_is_refused(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        server.faults.add("no tcp")
        camera = run(server.url(login=login()), transport=2)
        assert read(watch.records(3)[0])[0] == 1
        assert "over udp" in camera.log_text() and camera.starts == 1


def test_certificates_are_checked(run, broker, h264, tmp_path, new_folder):
    ca, context = hostile.make_certificate(tmp_path)
    other_ca, _ = hostile.make_certificate(new_folder())
    with hostile.Server(h264, login=("user", SECRET), tls=context) as server:
        with Watch(broker) as watch:
            run(server.url(login=login()), tls_verify=1, tls_ca=str(ca))
            assert read(watch.records(2)[0])[0] == 1
        with Watch(broker, 2) as watch:             # not asked for
            run(server.url(login=login()), number=2)
            assert read(watch.records(2)[0])[0] == 1
        asked = server.conversations
        for number, job in enumerate(({"tls_ca": str(other_ca)}, {"tls_ca": None},
                                      {"tls_ca": "/nonexistent"}), 3):
            camera = run(server.url(login=login()), number=number, tls_verify=1, restart=False, **job)
            assert "certificate" in camera.wait_state("failed")["why"]
            camera.thread.join(5)
        wrong_name = server.url(login=login()).replace("127.0.0.1", "localhost")
        camera = run(wrong_name, number=6, tls_verify=1, tls_ca=str(ca), restart=False)
        assert "certificate" in camera.wait_state("failed")["why"]
        assert server.conversations == asked           # none got as far as a request


@pytest.mark.expects_log("KC1530")
def test_a_broker_that_dies_costs_pictures_and_two_lines(run, broker, h264):
    with hostile.Server(h264) as server:
        camera = run(server.url(login=login()))
        camera.wait_report(lambda report: report["fps_out"] > 10, "no pictures")
        broker.kill()
        killed = time.monotonic()
        camera.wait_report(lambda report: report["dropped"] > 20 and report["fps_out"] == 0,
                           "no drops", after=killed)
        assert camera.report["state"] == "streaming"
        broker.start()
        begun = time.monotonic()
        camera.wait_report(lambda report: report["fps_out"] > 10, "not back", after=begun)
        print(f"\nrecovery broker: {time.monotonic() - begun:.2f} s")
        assert camera.starts == 1
        assert camera.log_text().count("KC1530") == 1
        assert camera.log_text().count("Kafka takes pictures again") == 1


@pytest.mark.expects_log("KC1530")
def test_a_broker_that_freezes_costs_no_memory(run, broker):
    large = hostile.H264(size=(1280, 720), options=["-qp", "18"], seconds=2)
    with hostile.Server(large) as server:
        camera = run(server.url(), quality=95)
        camera.wait_report(lambda report: report["fps_out"] > 5, "no pictures", 40)
        before = camera.peak_kb
        broker.signal(signal.SIGSTOP)
        try:
            frozen = time.monotonic()
            camera.wait_report(lambda report: report["dropped"] > 40, "no drops", 30, after=frozen)
        finally:
            broker.signal(signal.SIGCONT)
        assert camera.peak_kb - before < 30000, f"{before} -> {camera.peak_kb} kB"
        begun = time.monotonic()
        camera.wait_report(lambda report: report["fps_out"] > 5, "not back", after=begun)


@pytest.mark.alone
@pytest.mark.slow_sanitized
def test_64_cameras_at_once(run, broker, h264):
    with hostile.Server(h264) as server:
        cameras = [run(server.url(login=login()), number=number, fps=1.0, timeout_ms=20000,
                       report_interval_ms=2000) for number in range(1, 65)]
        begun = time.monotonic()
        for camera in cameras:
            camera.wait_state("streaming", 90)
        print(f"\n64 cameras stream after {time.monotonic() - begun:.1f} s, "
              f"{sum(camera.peak_kb for camera in cameras) / 1000:.0f} MB together")
        for number in (1, 32, 64):
            with Watch(broker, number) as watch:
                assert read(watch.records(1, 30)[0])[0] == 1
        assert all(camera.starts == 1 for camera in cameras)
        # Before the server, or all of them would begin again and again meanwhile.
        stack.together([camera.stop for camera in cameras])
