"""The page, httpd with the module, and Kafka together; pictures are written by feed.py."""
import os
import pathlib
import re
import statistics
import subprocess
import time
import urllib.parse

import pytest

import marks
from pagekit import wait_for
from relay import Relay


def all_own(browser, count):
    """Every tile shows its own camera: {name: count} or nothing."""
    found = browser.marks()
    if len(found) != count or not all(mark and name == f"Camera {mark[0]}" for name, mark in found.items()):
        return None
    return {name: mark[1] for name, mark in found.items()}


def moving(browser, count, deadline_s=60):
    """All tiles show their own number, and all of them a later picture after a while."""
    before = wait_for(lambda: all_own(browser, count), deadline_s, f"{count} tiles with their own number")
    wait_for(lambda: (now := all_own(browser, count)) and all(now[name] > before[name] for name in before),
             deadline_s, "all clocks go")


def connections(port):
    found = subprocess.run(["ss", "-Htn", "state", "established", f"( sport = :{port} )"], capture_output=True, text=True, check=True)
    return len(found.stdout.splitlines())


@pytest.mark.parametrize("count", [4, 7, 16, 36, 100])
def test_a_wall_of_any_size_over_one_connection(browser, wall, count):
    wall.start(cameras=count, fps=5 if count < 30 else 1)
    browser.size(1920, 1080)
    browser.open(wall.url())
    moving(browser, count)
    # The stream, and perhaps a kept-alive connection that fetched page or list.
    wait_for(lambda: connections(wall.httpd.port) <= 2, what="two connections at most")
    wall.httpd.stop()
    log = (wall.httpd.folder / "access.log").read_text()
    assert len(re.findall(r'"GET /cameras/stream', log)) == 1
    wall.httpd.start()
    browser.expected += [r"ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE_CHUNKED", "ERR_EMPTY_RESPONSE"]


def ages(browser, wall, seconds):
    """Once in a while: how old the picture on the oldest tile is."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        now = time.time()
        found.append(max(now - wall.feed.sent[mark[1]] for mark in browser.marks().values()))
        time.sleep(0.2)
    return found


@pytest.mark.alone
def test_on_a_slow_line_all_cameras_move_and_stay_fresh(browser, wall):
    wall.start(cameras=8, fps=5, bytes_about=30000)
    relay = Relay(wall.httpd.port, bytes_per_s=8 * 5 * 30000 / 2)
    wall.relays.append(relay)
    browser.open(f"http://127.0.0.1:{relay.port}/cameras")
    moving(browser, 8)
    before = all_own(browser, 8)
    seen = ages(browser, wall, 10)
    after = all_own(browser, 8)
    print(f"slow line: oldest tile {statistics.median(seen):.2f} s (median), {max(seen):.2f} s (most)")
    moved = [after[name] - before[name] for name in before]
    assert min(moved) > 25, "all of them move on"
    # What piled up would be 5 s old by now, and older with each second.
    assert statistics.median(seen) < 2


WATCH_JS = marks.READ_JS + """
const source = arguments[0] ?
  document.body.appendChild(Object.assign(new Image(), { src: arguments[0] })) : document.querySelector('canvas');
window.seen = {};
const look = () => {
  const mark = readMarks(source);
  if (mark) window.seen[mark[1]] ??= performance.timeOrigin + performance.now();
  requestAnimationFrame(look);
};
look();
"""


@pytest.mark.alone
@pytest.mark.parametrize("fps", [1, 5])
@pytest.mark.parametrize("what", ["img", "canvas"])
def test_a_picture_is_painted_before_the_next_one_comes(browser, wall, fps, what):
    wall.start(cameras=1, fps=fps)
    browser.open(wall.url("/cameras"))
    wait_for(lambda: browser.marks().get("Camera 1"))
    browser.js(WATCH_JS, "/cam/1" if what == "img" else None)
    wait_for(lambda: len(browser.js("return seen")) >= 8, 60)
    seen = {int(count): at for count, at in browser.js("return seen").items()}
    first = min(seen)
    late = [at - 1000 * wall.feed.sent[count] for count, at in seen.items() if count > first + 1 and count in wall.feed.sent]
    print(f"{what} at {fps} fps: {statistics.median(late):.0f} ms from the producer's send to the pixel (median of {len(late)})")
    # One frame late would be all of them, whatever else the machine does.
    assert statistics.quantiles(late, n=4)[0] < 900 / fps


def test_it_comes_back_after_a_restart_of_httpd(browser, wall):
    wall.start(cameras=4)
    browser.expected += ["ERR_CONNECTION", "ERR_INCOMPLETE_CHUNKED", "ERR_EMPTY_RESPONSE"]
    browser.open(wall.url())
    moving(browser, 4)
    wall.httpd.stop()
    wait_for(lambda: "Connection lost" in browser.text("#trouble"), 30)
    wall.httpd.start()
    wait_for(lambda: browser.text("#trouble") == "", 60)
    moving(browser, 4)


def test_it_comes_back_after_a_graceful_restart(browser, wall):
    wall.start(cameras=4)
    browser.expected += ["ERR_CONNECTION", "ERR_INCOMPLETE_CHUNKED", "ERR_EMPTY_RESPONSE"]
    browser.open(wall.url())
    moving(browser, 4)
    wall.httpd.graceful()
    moving(browser, 4)


def test_a_camera_in_the_table_comes_and_goes(browser, wall):
    wall.start(cameras=3)
    browser.open(wall.url())
    moving(browser, 3)
    browser.js("window.mine = 1")
    wall.feed.add(7)
    wait_for(lambda: "Camera 7" in browser.marks(), 30)
    moving(browser, 4)
    wall.feed.remove(2)
    wait_for(lambda: "Camera 2" not in browser.marks(), 30)
    moving(browser, 3)
    assert browser.js("return window.mine") == 1, "without a reload"


def test_a_silent_camera_is_offline_and_comes_back(browser, wall):
    wall.start(cameras=4, snippet="KafkaCamStaleAfter 2s")
    browser.open(wall.url())
    moving(browser, 4)
    wall.feed.silent.add(3)
    wait_for(lambda: browser.tiles()[2]["note"].startswith("Offline since"), 20)
    assert [tile["state"] for tile in browser.tiles()] == ["live", "live", "off", "live"]
    assert browser.marks()["Camera 3"][0] == 3
    wall.feed.silent.clear()
    wait_for(lambda: browser.tiles()[2]["state"] == "live" and browser.tiles()[2]["note"] == "", 20)
    moving(browser, 4)


@pytest.mark.expects_log("KC")
def test_kafka_away_is_said_and_over_when_it_is_back(browser, wall):
    wall.start(cameras=2)
    browser.open(wall.url())
    moving(browser, 2)
    wall.broker.stop()
    wait_for(lambda: "Kafka is away" in browser.text("#trouble"), 60)
    assert all(tile["mark"] for tile in browser.tiles())
    wall.broker.start()
    wait_for(lambda: browser.text("#trouble") == "", 60)


def test_small_tiles_get_the_small_layer(browser, wall):
    wall.start(cameras=16)
    wall.feed.small_size = (160, 90)
    browser.open(wall.url())
    wait_for(lambda: all(tile["width"] == 160 for tile in browser.tiles()), 40, "small pictures")
    moving(browser, 16)
    browser.js("document.querySelectorAll('.face')[4].click()")
    wait_for(lambda: any(tile["large"] and tile["width"] == 320 for tile in browser.tiles()), 20, "the full picture")


def test_the_page_of_one_camera(browser, wall):
    wall.start(cameras=4)
    browser.open(wall.url("/cam/3/"))
    moving(browser, 1)
    assert list(browser.marks()) == ["Camera 3"]
    assert browser.js("return document.title") == "Camera 3"
    assert browser.text("#open-chooser") == "" and browser.text("#back") == ""


def test_without_javascript_six_pictures_are_shown(browser, wall):
    wall.start(cameras=8, names={1: "<b>Gate</b>"})
    browser.expected += ["icon.svg"]        # waits for one of the six connections
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.driver.execute_cdp_cmd("Page.navigate", {"url": wall.url()})
    # No script can tell before, not even ours.
    wait_for(lambda: str(browser.driver.execute_cdp_cmd("DOM.getDocument", {"depth": -1})).count("'FIGCAPTION'") == 7)     # and the bar's
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    shown = wait_for(lambda: len(found := browser.js(marks.READ_JS + "return [...document.querySelectorAll('.plain img')].map(readMarks)")) == 6 and all(found) and found)
    assert [mark[0] for mark in shown] == [1, 2, 3, 4, 5, 6]
    assert browser.js("return document.querySelector('.plain figcaption').textContent") == "<b>Gate</b>"


ALICE = urllib.parse.quote("alice") + ":wonder"


def passwords(folder):
    """alice is an operator, bob is nobody in particular."""
    for name, password in (("alice", "wonder"), ("bob", "builder")):
        subprocess.run(["htpasswd", "-b", *([] if (folder / "users").exists() else ["-c"]), str(folder / "users"), name, password],
                       check=True, capture_output=True)
    (folder / "groups").write_text("operators: alice\n")
    return f"""\
<LocationMatch "^/(cam|cameras)">
    AuthType Basic
    AuthName "cameras"
    AuthUserFile {folder}/users
    AuthGroupFile {folder}/groups
    Require valid-user
</LocationMatch>
<LocationMatch "^/cam/2([./]|$)">
    Require group operators
</LocationMatch>
<LocationMatch "^/cam/3([./]|$)">
    AuthMerging And
    Require ip 192.0.2.1
</LocationMatch>
"""


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
@pytest.mark.expects_log("AH01873", "AH01906")
def test_a_wall_shows_what_its_viewer_may_see(new_browser, wall, tls):
    wall.start(cameras=4, tls=tls, snippet=passwords(wall.folder), modules=["authz_groupfile"])
    for who, shown in (("alice:wonder", [1, 2, 4]), ("bob:builder", [1, 4])):
        browser = new_browser()
        browser.open(wall.url().replace("://", f"://{who}@"))
        moving(browser, len(shown))
        assert [mark[0] for mark in browser.marks().values()] == shown
        assert browser.text("#count") == f"{len(shown)} live"
        browser.open(wall.url("/cameras/2"))        # the first two of those
        moving(browser, 2)
        assert [mark[0] for mark in browser.marks().values()] == shown[:2]
        browser.open(wall.url("/cameras/3-3"))
        wait_for(lambda: browser.text("#empty-title") == "None of these cameras is here")


def test_a_permission_that_ends_ends_the_picture(new_browser, wall):
    wall.start(cameras=4, snippet=passwords(wall.folder) + "KafkaCamRecheck 1s\n", modules=["authz_groupfile"])
    browser = new_browser()
    browser.open(wall.url("/cameras").replace("://", f"://{ALICE}@"))
    moving(browser, 3)
    (wall.folder / "groups").write_text("operators: nobody\n")
    wait_for(lambda: list(browser.marks()) == ["Camera 1", "Camera 4"], 40)
    moving(browser, 2)


def test_nothing_allowed_is_said_in_words(browser, wall):
    wall.start(cameras=4, snippet='<Location "/cam">\nRequire ip 192.0.2.1\n</Location>\n')
    browser.open(wall.url())
    wait_for(lambda: browser.text("#empty-title") == "You may not see any camera")


@pytest.mark.alone
@pytest.mark.deadline(900)
def test_memory_stays_where_it_is(browser, wall):
    """Ten minutes of 16 cameras are KAFKACAM_MEMORY_S=600; by default it is a short look."""
    seconds = int(os.environ.get("KAFKACAM_MEMORY_S", "20"))
    wall.start(cameras=16, fps=5, size=(640, 360))
    browser.open(wall.url())
    moving(browser, 16)
    first = None
    begin = time.monotonic()
    while (spent := time.monotonic() - begin) < seconds:
        if first is None and spent > min(60, seconds / 2):
            first = (spent, memory_mb(browser))
        if seconds > 60:
            print(f"after {spent:.0f} s: {memory_mb(browser)}")
        time.sleep(min(30, seconds / 10))
    last = memory_mb(browser)
    print(f"16 cameras at 5 fps, MB of the renderer: {first[1]} after {first[0]:.0f} s, {last} after {seconds} s")
    assert last["heap"] < first[1]["heap"] + 5
    assert last["renderer"] < first[1]["renderer"] + 80


def memory_mb(browser):
    """The page's renderer: private memory, and its JavaScript heap after a collection."""
    browser.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    heap = browser.js("return performance.memory.usedJSHeapSize") / 1e6
    most = 0
    for process in pathlib.Path("/proc").iterdir():
        try:
            line = (process / "cmdline").read_bytes()
            if b"--type=renderer" in line and str(browser.folder).encode() in line:
                status = (process / "status").read_text()
                most = max(most, int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) / 1000)
        except (OSError, AttributeError):
            continue
    assert most > 0
    return {"renderer": round(most), "heap": round(heap, 1)}
