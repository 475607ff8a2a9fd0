"""/cam/N.mkv and /cameras/SEL.zip: clips of what Kafka holds, not one picture encoded again."""

import csv
import hashlib
import io
import json
import subprocess
import time
import zipfile

import pytest

import clients
import past


@pytest.fixture
def looking_back(broker, feed, make_httpd):
    return make_httpd(broker, locations=past.LOOKS_BACK)


def probe(path):
    """(ms since the first, size, position) of each picture as ffprobe sees them, and the file's tags."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_entries",
         "packet=pts_time,size,pos:format=format_name:format_tags:stream=codec_name,width,height",
         path], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr
    return json.loads(done.stdout)


def jpegs_of(path, folder):
    """The pictures of a Matroska file as ffmpeg takes them out, unchanged."""
    folder.mkdir()
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-f", "image2",
                    "-start_number", "0", str(folder / "%06d.jpg")], timeout=60, check=True)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@pytest.mark.both_brokers
def test_a_clip_has_every_picture_with_its_time_and_its_bytes(looking_back, feed, folder):
    feed.status(3, {"name": "Gate \u00e4 & b", "state": "streaming"})
    recording = past.Recording(feed, 3, 80, interval_ms=130, age_s=5)
    answer = past.get(looking_back, f"/cam/3.mkv?from={recording.at(10)}&until={recording.at(59)}")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "video/x-matroska"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="3 ')
    path = folder / "clip.mkv"
    path.write_bytes(answer.content)
    seen = probe(path)
    assert seen["streams"][0]["codec_name"] == "mjpeg"
    assert (seen["streams"][0]["width"], seen["streams"][0]["height"]) == (160, 96)
    times = [float(packet["pts_time"]) for packet in seen["packets"]]
    expected = [(us - recording.times[10]) / 1e6 for us in recording.times[10:60]]
    assert len(times) == 50
    assert all(abs(one - other) <= 0.001 for one, other in zip(times, expected))
    assert [int(packet["size"]) for packet in seen["packets"]] == \
        [len(jpeg) for jpeg in recording.jpegs[10:60]]
    assert jpegs_of(path, folder / "jpegs") == recording.jpegs[10:60]


@pytest.mark.both_brokers
def test_a_zip_has_a_list_of_every_picture_and_its_sha256(looking_back, feed, folder):
    feed.status(1, {"name": "../Gate", "state": "streaming"})
    feed.status(2, {"name": "=Yard\"", "state": "streaming"})
    until = int(time.time() * 1e6) - 5_000_000
    recordings = {number: past.Recording(feed, number, 40, interval_ms=150, until_us=until)
                  for number in (1, 2)}
    past.wait_for_wall(looking_back, (1, 2))
    span = f"from={recordings[1].at(5)}&until={recordings[1].at(30)}"
    answer = past.get(looking_back, f"/cameras/1-2.zip?{span}")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = archive.namelist()
    assert len(names) == 3 and names[-1] == "manifest.csv"
    assert all("/" not in name and ".." not in name for name in names)
    lines = list(csv.DictReader(io.TextIOWrapper(archive.open("manifest.csv"), "utf-8")))
    for number, recording in recordings.items():
        mine = [line for line in lines if line["camera"] == str(number)]
        assert [int(line["us"]) for line in mine] == recording.times[5:31]
        assert [int(line["offset"]) for line in mine] == recording.offsets[5:31]
        assert [line["sha256"] for line in mine] == \
            [hashlib.sha256(jpeg).hexdigest() for jpeg in recording.jpegs[5:31]]
        path = folder / f"{number}.mkv"
        path.write_bytes(archive.read(mine[0]["file"]))
        assert jpegs_of(path, folder / str(number)) == recording.jpegs[5:31]
    pictures = zipfile.ZipFile(io.BytesIO(past.get(looking_back, f"/cameras/1-2.zip?{span}&as=jpg").content))
    assert pictures.testzip() is None
    lines = list(csv.DictReader(io.TextIOWrapper(pictures.open("manifest.csv"), "utf-8")))
    assert len(lines) == 52 and {line["file"] for line in lines} == set(pictures.namelist()[:-1])
    for line in lines:
        assert hashlib.sha256(pictures.read(line["file"])).hexdigest() == line["sha256"]
    path = folder / "all.zip"
    path.write_bytes(answer.content)
    subprocess.run(["unzip", "-tqq", path], check=True, timeout=60)


def test_wrong_clips_are_refused_in_words(looking_back, feed):
    recording = past.Recording(feed, 3, 5, age_s=60)
    past.wait_for_wall(looking_back, (3,))
    for path in ("/cam/3.mkv", "/cameras/3-3.zip"):
        for query in ("", "until=-1s", "from=x", "from=-1s&until=-2s", "from=-1s&until=x"):
            answer = past.get(looking_back, f"{path}?{query}")
            assert answer.status_code == 400, (path, query)
    assert past.get(looking_back, "/cam/3.mkv?from=-5s").status_code == 404
    answer = past.get(looking_back, "/cameras/3-3.zip?from=-5s")
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["manifest.csv"]
    assert past.get(looking_back, f"/cam/3.mkv?from={recording.at(0)}").status_code == 200


def test_a_clip_has_no_more_than_one_may_see(broker, feed, make_httpd):
    past.Recording(feed, 1, 10, interval_ms=10000)
    past.Recording(feed, 2, 3)
    httpd = make_httpd(broker, locations=past.LOOKS_BACK + """
<Location "/cam/1">
    KafkaCamPast 35s
</Location>
<Location "/cam/2">
    KafkaCamPast off
</Location>
""")
    past.wait_for_wall(httpd, (1, 2))
    assert past.get(httpd, "/cam/2.mkv?from=-1h").status_code == 403
    assert past.get(httpd, "/cameras/2-2.zip?from=-1h").status_code == 403
    answer = past.get(httpd, "/cameras/1-2.zip?from=-1h&as=jpg")
    lines = list(csv.DictReader(io.TextIOWrapper(
        zipfile.ZipFile(io.BytesIO(answer.content)).open("manifest.csv"), "utf-8")))
    assert 3 <= len(lines) <= 4 and {line["camera"] for line in lines} == {"1"}


def test_a_slow_client_of_a_long_clip_takes_no_memory(broker, feed, make_httpd):
    """Four readers of 5 MB each, at whatever speed: httpd grows by the cache and no more."""
    big = clients.paint(3, 1, (1280, 720), 95)
    for _ in range((4 << 20) // len(big)):
        feed.record(3, big)
    httpd = make_httpd(broker, locations=past.LOOKS_BACK, children=1, snippet="KafkaCamPastCache 1\n")

    def memory():
        return max(int(line.split()[1]) for pid in httpd.children_pids()
                   for line in open(f"/proc/{pid}/status", encoding="ascii") if line.startswith("VmRSS"))
    assert len(past.get(httpd, "/cam/3.mkv?from=-1h").content) > 3 << 20
    before = memory()
    for _ in range(10):
        answer = past.get(httpd, "/cam/3.mkv?from=-1h", stream=True)
        while answer.raw.read(65536):
            pass
    assert memory() < before + 16384
