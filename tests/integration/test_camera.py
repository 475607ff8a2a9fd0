"""kafkacam-camera against cameras that work: what arrives in Kafka is right."""

import os
import signal
import subprocess
import time

import cv2
import numpy
import pytest

import clients
import hostile
import stack
from camera import Camera, Watch, meta, read


def moving(frames, loop):
    """Forward, each a little, in a loop of so many frames."""
    return all(0 < (b - a) % loop < 25 for a, b in zip(frames, frames[1:]))


def test_the_record_is_what_the_module_expects(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        camera = run(server.url())
        records = watch.records(30)
    metas = [meta(record) for record in records]
    now = time.time()
    assert {record.key for record in records} == {b"1"}
    assert all(record.timestamp_type == 0 for record in records)        # CreateTime
    assert [one["seq"] for one in metas] == list(range(1, 31))
    assert len({one["epoch"] for one in metas}) == 1
    assert all((one["w"], one["h"]) == (320, 180) for one in metas)
    assert all(one["us"] // 1000 == record.timestamp for one, record in zip(metas, records))
    assert all(a["us"] < b["us"] for a, b in zip(metas, metas[1:]))
    assert abs(now - metas[-1]["us"] / 1e6) < 5
    frames = [read(record) for record in records]
    assert {number for number, _ in frames} == {1}
    assert moving([frame for _, frame in frames], 100)
    assert camera.wait_state("streaming")["why"] == ""


def restart_markers(jpeg):
    scan = jpeg[jpeg.index(b"\xff\xda"):]
    return sum(scan.count(bytes([0xFF, 0xD0 + i])) for i in range(8))


def test_the_jpeg_is_baseline_420_with_a_restart_marker_per_row(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        run(server.url())
        jpeg = watch.records(1)[0].value
    assert jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9")
    frame = jpeg.index(b"\xff\xc0")
    assert jpeg[frame + 9] == 3 and jpeg[frame + 11] == 0x22            # 4:2:0
    assert restart_markers(jpeg) == (180 + 15) // 16 - 1


# RGB as the demo painter means them, by way of each range and matrix that a camera may send.
@pytest.mark.parametrize("options", [
    ("-color_range", "tv", "-colorspace", "smpte170m"),
    ("-color_range", "tv", "-colorspace", "bt709"),
    ("-color_range", "pc", "-colorspace", "smpte170m"),
    ("-color_range", "pc", "-colorspace", "bt709")], ids=lambda o: f"{o[1]}-{o[3]}")
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_colours_are_right(run, broker, tmp_path, options, pixels):
    colours = numpy.zeros((128, 256, 3), numpy.uint8)                   # BGR bars
    bars = [(30, 30, 200), (40, 180, 40), (200, 60, 40), (128, 128, 128), (250, 250, 250),
            (10, 10, 10), (40, 200, 220), (180, 60, 180)]
    for at, bar in enumerate(bars):
        colours[:, at * 32:(at + 1) * 32] = bar
    cv2.imwrite(str(tmp_path / "bars.png"), colours)
    matrix, full = options[3], options[1] == "pc"
    data = subprocess.run(
        ["ffmpeg", "-v", "error", "-loop", "1", "-i", tmp_path / "bars.png", "-t", "2", "-r", "10",
         "-vf", f"scale=out_color_matrix={matrix}:out_range={options[1]}:flags=accurate_rnd+"
                f"full_chroma_int,format={pixels}", *options, "-c:v", "libx264", "-qp", "8",
         "-preset", "ultrafast", "-bf", "0", "-g", "10",
         "-x264-params", f"aud=1:range={'pc' if full else 'tv'}:colormatrix={matrix}",
         "-f", "h264", "-"], stdout=subprocess.PIPE, check=True).stdout
    stream = hostile.H264.from_annex_b(data, 10)
    with hostile.Server(stream) as server, Watch(broker) as watch:
        run(server.url(), quality=95)
        image = clients.decode(watch.records(2)[-1].value)
    for at, bar in enumerate(bars):
        seen = image[32:96, at * 32 + 8:at * 32 + 24].reshape(-1, 3).mean(axis=0)
        assert numpy.abs(seen - bar).max() < 9, f"bar {at}: {seen} instead of {bar}"


@pytest.mark.parametrize("codec", ["h264", "h265", "mpeg4", "mjpeg"])
@pytest.mark.parametrize("transport", [0, 1], ids=["tcp", "udp"])
def test_each_codec_over_each_transport(run, broker, new_folder, codec, transport):
    with stack.Cameras(new_folder(), 1, options=["--codec", codec, "--loop", "4"]) as cameras, \
            Watch(broker) as watch:
        # The first picture of a camera that has just begun may take it a while.
        camera = run(cameras.url(1), transport=transport, timeout_ms=10000)
        frames = [read(record) for record in watch.records(40)]
        assert {number for number, _ in frames} == {1}
        assert moving([frame for _, frame in frames], 100)
        camera.wait_report(lambda r: 15 < r["fps_out"] < 35, "no 25 fps")


def test_audio_beside_video_is_left_alone(run, broker, new_folder):
    with stack.Cameras(new_folder(), 1, options=["--audio", "--loop", "4"]) as cameras, \
            Watch(broker) as watch:
        run(cameras.url(1))
        assert {read(record)[0] for record in watch.records(30)} == {1}


def test_mjpeg_passes_untouched_and_is_decoded_for_another_width(run, broker):
    stream = hostile.Jpeg()
    with hostile.Server(stream) as server:
        with Watch(broker) as watch:
            camera = run(server.url())
            records = watch.records(10)
        assert {read(record)[0] for record in records} == {1}
        assert camera.report["decode_ms"] == 0 and camera.report["encode_ms"] == 0
        camera.stop()
        with Watch(broker, 2) as watch:
            camera = run(server.url(), number=2, width=160)
            metas = [meta(record) for record in watch.records(10)]
        assert all((one["w"], one["h"]) == (160, 88) for one in metas)
        camera.wait_report(lambda report: report["encode_ms"] > 0, "not encoded")


def test_fps_cap_keeps_an_even_rhythm(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        run(server.url(), fps=5.0)
        times = [meta(record)["us"] / 1e6 for record in watch.records(15)][2:]
    steps = [b - a for a, b in zip(times, times[1:])]
    assert all(0.15 < step < 0.25 for step in steps), steps


def test_key_frames_alone_are_decoded_where_they_suffice(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as watch:
        camera = run(server.url(), fps=1.0)
        records = watch.records(6)
        # Only key frames: each first of a group of 25.
        frames = [read(record)[1] for record in records]
        assert {frame % 25 for frame in frames[3:]} == {0}, frames
        camera.wait_report(lambda r: r["fps_in"] > 20 and 0.5 < r["fps_out"] < 9, "no rate")


def test_references_alone_are_decoded_where_they_suffice(run, broker, tmp_path):
    stream = hostile.with_b_frames(tmp_path)
    with hostile.Server(stream) as server, Watch(broker) as watch:
        run(server.url(), fps=5.0)
        frames = [read(record)[1] for record in watch.records(40)]
    assert moving(frames, 144)
    references = {stream.shown[at] for at, (_, payloads) in enumerate(stream.units)
                  if all(payload[0] & 0x60 for payload in payloads if payload[0] & 31 in (1, 5, 28))}
    assert len(references) < 100
    assert set(frames[30:]) <= references, frames


def test_a_small_picture_from_the_same_decode(run, broker, h264):
    with hostile.Server(h264) as server, Watch(broker) as whole, \
            Watch(broker, topic="video.small") as small:
        run(server.url(), small_width=96, small_fps=5.0)
        assert meta(whole.records(5)[0])["w"] == 320
        records = small.records(10)
    assert all((meta(record)["w"], meta(record)["h"]) == (96, 54) for record in records)
    steps = [b.timestamp - a.timestamp for a, b in zip(records[2:], records[3:])]
    assert all(150 < step < 250 for step in steps), steps


def test_pixels_that_are_not_square_come_out_square_and_odd_sizes_whole(run, broker):
    stream = hostile.H264(size=(352, 288), options=["-vf", "setsar=12/11"])
    odd = hostile.H264(size=(322, 182), options=["-vf", "crop=321:181:exact=1,format=yuv444p"],
                       pixels="yuv444p")
    for number, (source, size) in enumerate(((stream, (352, 264)), (odd, (321, 181))), 1):
        with hostile.Server(source) as server, Watch(broker, number) as watch:
            camera = run(server.url(), number=number)
            record = watch.records(2)[-1]
            camera.stop()
        assert (meta(record)["w"], meta(record)["h"]) == size
        assert clients.decode(record.value).shape[:2] == size[::-1]
        assert read(record)[0] == 1


@pytest.mark.expects_log("KC1550")
def test_a_picture_that_is_too_large_is_encoded_again_then_dropped(run, broker):
    stream = hostile.H264(size=(640, 360))
    with hostile.Server(stream) as server:
        with Watch(broker) as watch:
            camera = run(server.url(), quality=95)
            full = len(watch.records(3)[-1].value)
            camera.stop()
        with Watch(broker, 2) as watch:
            camera = run(server.url(), number=2, quality=95, max_frame_bytes=full * 2 // 3)
            sizes = [len(record.value) for record in watch.records(20)]
            assert max(sizes) <= full * 2 // 3
            camera.stop()
        camera = run(server.url(), number=3, max_frame_bytes=1500)
        camera.wait_report(lambda report: report["dropped"] > 5, "none dropped")
        assert camera.report["frames"] == 0


def test_the_camera_s_own_clock_tells_when_a_picture_was_taken(run, broker, h264):
    """The server's sender reports say the truth; frames come 25 a second: even to the millisecond,
    whatever the network and this machine do."""
    with hostile.Server(h264) as server, Watch(broker) as watch:
        run(server.url())
        times = [meta(record)["us"] for record in watch.records(40)][10:]
    steps = sorted(b - a for a, b in zip(times, times[1:]))
    assert abs(steps[len(steps) // 2] - 40000) < 1000, steps


def processes_of(folder):
    return [pid for pid in os.listdir("/proc") if pid.isdigit()
            and "kafkacam-camera" in stack.command_line(int(pid)).split(" ")[0]
            and os.path.realpath(f"/proc/{pid}/fd/1").startswith(str(folder))]


def test_it_ends_with_its_supervisor_and_on_sigterm(run, folder, broker, h264):
    with hostile.Server(h264) as server:
        camera = run(server.url())
        camera.wait_state("streaming")
        camera.stop()
        assert camera.status == 0 and camera.stop_s < 2
        # The supervisor killed: only its end of the socketpair tells.
        orphan = Camera(folder, camera.build, broker, server.url(), number=2)
        pipe = orphan._start()
        stack.wait_for(lambda: "streaming" in orphan.log_text(), 10, "does not stream")
        pipe.close()
        assert orphan.process.wait(3) == 0
    assert processes_of(folder) == []


@pytest.mark.parametrize("url, why", [
    ("file:///etc/passwd", "only rtsp"), ("concat:rtsp://127.0.0.1/1", "only rtsp"),
    ("http://127.0.0.1/1", "only rtsp"), ("/etc/passwd", "only rtsp"),
    ("rtsp://127.0.0.1:1/1", "refused"), ("rtsp://no.such.host.invalid/1", "resolve")])
def test_an_address_that_cannot_work_says_why(run, url, why):
    camera = run(url, restart=False)
    report = camera.wait_state("failed")
    assert why in report["why"].lower(), report
    camera.thread.join(5)
    assert camera.status == 1


def test_by_hand(build, broker, h264):
    with hostile.Server(h264) as server, Watch(broker, 7) as watch:
        process = subprocess.Popen([build.need(build.camera), "--brokers", broker.address, "--cam", "7",
                                    "--fps", "5", "--report", "0.5"], stdin=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        process.stdin.write(server.url(login="user:secret") + "\n")
        process.stdin.close()
        assert read(watch.records(3)[0])[0] == 1
        assert "secret" not in stack.command_line(process.pid)
        process.send_signal(signal.SIGINT)
        log = process.stderr.read()
        assert process.wait(3) == 0
    assert "streaming h264 320x180 over tcp" in log and "secret" not in log
    for arguments, words in ((["--fps", "x"], "no value for --fps"), (["--cam", "1"], "needed"),
                             (["--fsp", "1"], "unrecognized"), (["rtsp://u:p@h/"], "no arguments")):
        done = subprocess.run([build.camera, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        assert done.returncode == 2 and words in done.stderr
    assert subprocess.run([build.camera, "--help"], capture_output=True).returncode == 0
