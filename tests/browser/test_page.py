"""The page against a made-up server: what it does with keys, addresses, windows and bad streams."""
import json
import re
import time
import urllib.request

import pytest
from selenium.webdriver.common.keys import Keys

from fake_server import camera, part
from marks import picture
from pagekit import wait_for


def live(browser, count):
    return wait_for(lambda: (marks := [m for m in browser.marks().values() if m]) and len(marks) == count and marks,
                    20, f"{count} tiles with pictures")


def test_every_tile_shows_its_own_camera(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    assert {name: mark[0] for name, mark in browser.marks().items()} == {f"Camera {n}": n for n in range(1, 5)}
    assert browser.text("#count") == "4 live"


@pytest.mark.parametrize("path, shown", [("/cameras/2", [1, 2]), ("/cameras/3,1", [3, 1]), ("/cameras/2-2", [2]),
                                         ("/cameras/2-4", [2, 3, 4])])
def test_the_path_says_which_cameras(browser, fake, path, shown):
    browser.open(fake.url + path)
    live(browser, len(shown))
    assert [tile["mark"][0] for tile in browser.tiles()] == shown
    assert fake.streams == [path + "/stream"]


def test_enter_enlarges_escape_goes_back_and_the_address_says_so(browser, fake):
    browser.open(fake.url + "/cameras?cols=2")
    live(browser, 4)
    browser.js("document.querySelectorAll('.face')[0].focus()")
    browser.key(Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ENTER)
    wait_for(lambda: browser.js("return location.search") == "?cols=2&focus=4")
    wait_for(lambda: fake.streams[-1] == "/cameras/4-4/stream" and fake.open == 1, what="only the large one's stream")
    shown = [tile for tile in browser.tiles() if not tile["hidden"]]
    assert [tile["name"] for tile in shown] == ["Camera 4"] and shown[0]["large"]
    assert browser.js("return document.title") == "Camera 4"
    browser.key(Keys.ARROW_LEFT)
    wait_for(lambda: list(browser.marks()) == ["Camera 3"] and browser.marks().get("Camera 3"))
    browser.key(Keys.ESCAPE)
    live(browser, 4)
    assert browser.js("return location.search") == "?cols=2"
    assert browser.js("return document.activeElement.getAttribute('aria-label')") == "Camera 3, live"
    wait_for(lambda: fake.open == 1, what="one stream again")


def test_back_and_forward_of_the_browser_work(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    browser.js("document.querySelectorAll('.face')[1].click()")
    wait_for(lambda: list(browser.marks()) == ["Camera 2"])
    browser.driver.back()
    wait_for(lambda: len(browser.marks()) == 4)
    browser.driver.forward()
    wait_for(lambda: list(browser.marks()) == ["Camera 2"])


def test_an_address_with_a_focus_opens_large(browser, fake):
    browser.open(fake.url + "/cameras/4?focus=3")
    wait_for(lambda: list(browser.marks()) == ["Camera 3"] and browser.marks().get("Camera 3"))
    assert browser.marks()["Camera 3"][0] == 3
    assert [s for s in fake.streams if "3-3" not in s] == []


def test_arrows_do_not_leave_the_wall(browser, fake):
    browser.open(fake.url + "/cameras?cols=2")
    live(browser, 4)
    focused = "return document.activeElement.getAttribute('aria-label')"
    browser.js("document.querySelectorAll('.face')[0].focus()")
    browser.key(Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert browser.js(focused) == "Camera 1, live"
    browser.key(Keys.END, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert browser.js(focused) == "Camera 4, live"
    browser.key(Keys.HOME)
    assert browser.js(focused) == "Camera 1, live"
    assert browser.js("return document.querySelectorAll('.face[tabindex=\"0\"]').length") == 1


def test_choosing_cameras_goes_to_their_address(browser, fake):
    browser.open(fake.url + "/cameras?fps=5")
    live(browser, 4)
    browser.js("document.getElementById('open-chooser').click()")
    wait_for(lambda: browser.js("return document.querySelectorAll('#choices input:checked').length") == 4)
    browser.js("""document.querySelectorAll('#choices input')[1].click();
                  document.querySelector('#chooser [value=show]').click()""")
    wait_for(lambda: browser.driver.current_url == fake.url + "/cameras/1,3-4?fps=5")
    live(browser, 3)
    assert fake.streams[-1] == "/cameras/1,3-4/stream?fps=5"


def test_s_saves_the_picture_of_the_focused_camera(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    browser.js("""window.saved = []; HTMLAnchorElement.prototype.click = function () { saved.push([this.href, this.download]) }
                  document.querySelectorAll('.face')[2].focus()""")
    browser.key("s")
    (href, name), = browser.js("return saved")
    assert href == fake.url + "/cam/3.jpg" and re.fullmatch(r"camera-3-[0-9T.-]+\.jpg", name)


def test_f_asks_for_the_full_screen(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    browser.key("f")
    wait_for(lambda: browser.js("return document.fullscreenElement === document.documentElement"))
    assert browser.js("return getComputedStyle(document.getElementById('bar')).display") == "none"
    browser.key("f")
    wait_for(lambda: browser.js("return document.fullscreenElement === null"))


def test_a_hidden_tab_has_no_stream(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    assert fake.open == 1
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    wait_for(lambda: fake.open == 0, what="no stream while hidden")
    browser.driver.close()
    browser.driver.switch_to.window(first)
    wait_for(lambda: fake.open == 1, what="the stream again")


def test_a_name_is_text_whatever_it_says(browser, fake):
    name = "<script>alert(1)</script>\"'&amp; \u202e\U0001f4f7"
    fake.cameras[0]["name"] = name
    browser.open(fake.url + "/cameras?focus=1")
    wait_for(lambda: browser.marks().get(name))
    assert browser.tiles()[0]["label"] == name + ", live"
    assert browser.js("return document.title").startswith("<script>")
    browser.js("document.getElementById('open-chooser').click()")
    wait_for(lambda: browser.js("return document.querySelector('#choices span')?.textContent") == name)
    assert browser.js("return document.scripts.length") == 1


def test_an_offline_camera_says_since_when(browser, fake):
    since = time.time() - 30
    fake.cameras[1].update(state="offline", since=int(since * 1000))
    fake.cameras[2].update(state="failed", since=int(since * 1000), error="401 Unauthorized")
    fake.cameras[3].update(state="waiting", since=0)
    browser.open(fake.url + "/cameras")
    wait_for(lambda: browser.marks().get("Camera 1"))
    clock = time.strftime("%H:%M", time.localtime(since))
    notes = [tile["note"] for tile in browser.tiles()]
    assert notes == ["", f"Offline since {clock}", f"401 Unauthorized. Offline since {clock}", "Waiting for a picture"]
    assert browser.text("#count") == "1 of 4 live"
    assert [tile["state"] for tile in browser.tiles()] == ["live", "off", "off", "soon"]


def test_a_state_part_changes_the_tile_at_once(browser, fake):
    def stream(write, selection):
        for n in (1, 2):
            write(part(picture(n, 7), cam=n, us=time.time_ns() // 1000))
        write(part(json.dumps(camera(2, state="offline", since=1)).encode(), "application/json"))
        write(part(b"{}", "application/json"))
        wait_for(lambda: fake.done, 30)

    fake.done, fake.stream = False, stream
    browser.open(fake.url + "/cameras/2")
    wait_for(lambda: [tile["state"] for tile in browser.tiles()] == ["live", "off"])
    wait_for(lambda: browser.marks()["Camera 2"] == [2, 7], what="the last picture, which stays, dimmed")
    fake.done = True


@pytest.mark.parametrize("reason, title", [("none", "No cameras yet"), ("producer", "No producer has reached this Kafka"),
                                           ("forbidden", "You may not see any camera"),
                                           ("kafka", "Kafka is away"), ("selection", "None of these cameras is here")])
def test_an_empty_wall_says_why(browser, fake, reason, title):
    fake.cameras, fake.reason = [], reason
    browser.open(fake.url + "/cameras/7-7")
    wait_for(lambda: browser.text("#empty-title") == title)
    assert fake.streams == []
    assert browser.js("return document.getElementById('empty-link').hidden") == (reason != "selection")
    if reason == "selection":
        assert browser.js("return document.getElementById('empty-link').href") == fake.url + "/cameras"


def test_kafka_away_is_said_above_the_pictures(browser, fake):
    fake.kafka = False
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    assert browser.text("#trouble") == "Kafka is away. What you see stands still"
    fake.trouble = "cannot reach kafka-broker:9092, as broker 1 calls itself"
    wait_for(lambda: browser.text("#trouble") == f"Kafka is away: {fake.trouble}. What you see stands still")
    fake.kafka = True
    wait_for(lambda: browser.text("#trouble") == f"Some cameras cannot be fetched: {fake.trouble}")
    fake.trouble, fake.kafka, fake.cameras, fake.reason = "no route to kafka-broker:9092", False, [], "kafka"
    browser.open(fake.url + "/cameras")
    wait_for(lambda: browser.text("#empty-title") == "Kafka is away")
    assert browser.text("#empty-text").endswith("(no route to kafka-broker:9092)")


def test_a_camera_comes_and_goes_without_reload(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    browser.js("window.mine = 1")
    fake.cameras = [c for c in fake.cameras if c["camera"] != 2] + [camera(9)]
    wait_for(lambda: list(browser.marks()) == ["Camera 1", "Camera 3", "Camera 4", "Camera 9"], 25)
    live(browser, 4)
    wait_for(lambda: fake.open == 1)
    assert browser.js("return window.mine") == 1


BROKEN = {
    "no boundary": b"hello there, this is no stream\r\n\r\n",
    "no length": b"--frame\r\nContent-Type: image/jpeg\r\nX-Camera: 1\r\nX-Timestamp: 1\r\n\r\n",
    "a huge length": b"--frame\r\nContent-Type: image/jpeg\r\nX-Camera: 1\r\nX-Timestamp: 1\r\nContent-Length: 99999999999\r\n\r\n",
    "a wrong length": b"--frame\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{}\r\n",
    "an endless header": b"--frame\r\n" + b"X: y\r\n" * 1000,
    "nothing": b"",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_malformed_stream_is_opened_anew(browser, fake, kind):
    good = fake.stream

    def stream(write, selection):
        if len(fake.streams) > 1:
            return good(write, selection)
        return write(BROKEN[kind])

    fake.stream = stream
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    assert len(fake.streams) == 2
    assert browser.text("#trouble") == ""


SENSELESS = {
    "no camera": b"--frame\r\nContent-Type: image/jpeg\r\nX-Timestamp: 1\r\nContent-Length: 0\r\n\r\n\r\n",
    "a camera of 6 digits": part(picture(1, 0), cam=100000, us=1),
    "no time": b"--frame\r\nContent-Type: image/jpeg\r\nX-Camera: 1\r\nContent-Length: 0\r\n\r\n\r\n",
    "a time of 17 digits": part(picture(1, 0), cam=1, us=10**16),
    "a time above 2^63": part(picture(1, 0), cam=1, us=2**63),
    "a time below 0": part(picture(1, 0), cam=1, us=-1),
    "another type": part(b"<b>hi</b>", "text/html"),
    "no JSON": part(b"}{", "application/json"),
    "JSON of another kind": part(b"null", "application/json") + part(b"[3]", "application/json"),
    "a state of no camera": part(b'{"camera":"1","state":"failed"}', "application/json"),
}


@pytest.mark.parametrize("kind", SENSELESS)
def test_a_part_that_makes_no_sense_costs_no_connection(browser, fake, kind):
    def stream(write, selection):
        for count in range(1, 1000):
            write(SENSELESS[kind])
            for number in range(1, 5):
                write(part(picture(number, count), cam=number, us=time.time_ns() // 1000))
            time.sleep(0.1)

    fake.stream = stream
    browser.open(fake.url + "/cameras")
    wait_for(lambda: all((browser.marks().get(f"Camera {n}") or [0, 0])[1] > 10 for n in range(1, 5)))
    assert len(fake.streams) == 1
    assert [tile["state"] for tile in browser.tiles()] == ["live"] * 4


def test_a_line_that_breaks_again_and_again_is_tried_more_and_more_rarely(browser, fake):
    def stream(write, selection):
        write(part(picture(1, 1), cam=1, us=time.time_ns() // 1000))
        write(b"hello there, this is no stream\r\n\r\n")

    fake.stream = stream
    browser.open(fake.url + "/cameras")
    wait_for(lambda: len(fake.streams) >= 3, 30)
    begin, count = time.monotonic(), len(fake.streams)
    wait_for(lambda: len(fake.streams) > count, 40)
    assert time.monotonic() - begin > 1.5       # 0.5 to 1.5 times 4 s, not of 1 s


def test_one_list_without_a_camera_removes_no_tile(browser, fake):
    """As a process of the server that has just begun might answer."""
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    everybody, fake.cameras = fake.cameras, []
    count = len(fake.lists)
    wait_for(lambda: len(fake.lists) == count + 1, 25)
    fake.cameras = everybody
    wait_for(lambda: len(fake.lists) >= count + 3, 40)
    assert len(browser.tiles()) == 4
    assert len(fake.streams) == 1


def test_a_server_that_does_not_know_its_cameras_yet_is_waited_for(browser, fake):
    browser.expected.append("503")
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    fake.list_status = 503
    count = len(fake.lists)
    wait_for(lambda: len(fake.lists) > count + 1, 30, "asked again soon")
    live(browser, 4)
    browser.open(fake.url + "/cameras")
    wait_for(lambda: browser.text("#empty-title") == "One moment")
    fake.list_status = 200
    live(browser, 4)


@pytest.mark.deadline(120)
def test_a_stream_that_does_not_know_a_camera_is_opened_anew(browser, fake):
    good = fake.stream

    def stream(write, selection):
        return good(write, "1-3" if len(fake.streams) == 1 else selection)

    fake.stream = stream
    browser.open(fake.url + "/cameras")
    live(browser, 3)
    wait_for(lambda: len(fake.streams) == 2, 60, "the second stream")
    live(browser, 4)
    wait_for(lambda: fake.open == 1, what="one stream again")


def test_a_broken_picture_harms_nobody(browser, fake):
    def stream(write, selection):
        count = 0
        while True:
            count += 1
            stamp = time.time_ns() // 1000
            write(part(picture(1, count), cam=1, us=stamp))
            write(part(b"\xff\xd8 this is no picture", cam=2, us=stamp))
            write(part(picture(3, count)[:700], cam=3, us=stamp))
            write(part(picture(77, count), cam=77, us=stamp))       # nobody asked for it
            time.sleep(0.1)

    fake.stream = stream
    browser.open(fake.url + "/cameras")
    wait_for(lambda: (browser.marks().get("Camera 1") or [0, 0])[1] > 10)
    assert browser.tiles()[1]["note"] == "The picture is damaged"
    assert len(fake.streams) == 1


def test_a_lost_connection_is_said_and_mended(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    good, fake.stream = fake.stream, lambda write, selection: None      # ends at once
    fake.cut()
    wait_for(lambda: "Connection lost" in browser.text("#trouble"))
    assert browser.js("return document.body.classList.contains('lost')")
    fake.stream = good
    wait_for(lambda: browser.text("#trouble") == "", 40)
    live(browser, 4)


def test_silence_is_a_dead_line(browser, fake):
    good = fake.stream

    def stream(write, selection):
        if len(fake.streams) > 1:
            return good(write, selection)
        write(part(picture(1, 1), cam=1, us=time.time_ns() // 1000))
        return wait_for(lambda: len(fake.streams) > 1, 60)

    fake.stream = stream
    browser.open(fake.url + "/cameras")
    begin = time.monotonic()
    wait_for(lambda: len(fake.streams) > 1, 60)
    assert 15 < time.monotonic() - begin < 40


def test_a_single_cameras_page_takes_a_new_version_too(browser, fake):
    browser.open(fake.url + "/cam/1/")
    live(browser, 1)
    browser.js("window.mine = 1")
    fake.page = "newer"
    wait_for(lambda: browser.js("return window.mine") is None, 25, "a reload")
    live(browser, 1)


def test_a_new_version_of_the_page_is_taken_once(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    browser.js("window.mine = 1")
    fake.page = "newer"
    wait_for(lambda: browser.js("return window.mine") is None, 25, "a reload")
    live(browser, 4)
    browser.js("window.mine = 2")
    lists = len([r for r in fake.lists])
    wait_for(lambda: len(fake.lists) > lists + 1, 40)
    assert browser.js("return window.mine") == 2, "not again and again"


def test_small_pictures_for_small_tiles(browser, fake):
    for one in fake.cameras:
        one["small"] = True
    browser.size(700, 500)
    browser.open(fake.url + "/cameras")
    wait_for(lambda: fake.streams)
    assert fake.streams == ["/cameras/stream?small=1"]
    browser.js("document.querySelectorAll('.face')[0].click()")
    wait_for(lambda: fake.streams[-1] == "/cameras/1-1/stream", what="large means full quality")
    browser.open(fake.url + "/cameras?small=0")
    wait_for(lambda: fake.streams[-1] == "/cameras/stream")


def test_pictures_are_as_large_as_the_window_allows(browser, fake):
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    script = """
      const done = arguments[arguments.length - 1];
      import(document.querySelector('link[href$="layout.js"]').href).then(({ arrange }) => {
        const bad = [];
        let random = 1;
        const next = () => (random = random * 16807 % 2147483647) / 2147483647;
        for (let round = 0; round < 3000; round++) {
          const n = 1 + Math.floor(next() * 40), W = 300 + next() * 3600, H = 300 + next() * 2000;
          const aspects = Array.from({ length: n }, () => round % 2 ? 16 / 9 : 0.5 + next() * 2.5);
          const { boxes } = arrange(aspects, W, H);
          boxes.forEach((b, i) => {
            if (!(b.w > 0 && b.h > 0 && b.x > -0.01 && b.y > -0.01 && b.x + b.w < W + 0.01 && b.y + b.h < H + 0.01)) bad.push(['outside', round, b, W, H]);
            if (Math.abs(b.w / b.h / aspects[i] - 1) > 0.001) bad.push(['shape', round, b, aspects[i]]);
            boxes.slice(0, i).forEach(a => {
              if (a.x < b.x + b.w - 0.01 && b.x < a.x + a.w - 0.01 && a.y < b.y + b.h - 0.01 && b.y < a.y + a.h - 0.01) bad.push(['overlap', round, a, b]);
            });
          });
        }
        const filled = (n, W, H) => arrange(Array(n).fill(16 / 9), W, H, { gap: 0 }).boxes.reduce((s, b) => s + b.w * b.h, 0) / (W * H);
        done([bad.slice(0, 5), filled(4, 1600, 900), filled(1, 1600, 900), filled(9, 1600, 900), filled(7, 1600, 900), filled(3, 450, 800)]);
      });"""
    bad, four, one, nine, seven, upright = browser.driver.execute_async_script(script)
    assert bad == []
    assert four > 0.999 and one > 0.999 and nine > 0.999 and seven > 0.77 and upright > 0.94


def test_a_phone_scrolls_a_big_wall_and_decodes_what_it_shows(browser, fake):
    fake.cameras = [camera(n) for n in range(1, 81)]
    fake.fps = 2
    browser.size(390, 844, scale=2, mobile=True)
    browser.open(fake.url + "/cameras")
    wait_for(lambda: browser.marks().get("Camera 1"))
    tiles = browser.tiles()
    assert all(tile["box"]["width"] >= 90 for tile in tiles)
    assert max(tile["box"]["bottom"] for tile in tiles) > 844
    assert tiles[79]["mark"] is None
    browser.js("document.getElementById('stage').scrollTo(0, 1e6)")
    wait_for(lambda: browser.marks().get("Camera 80"))


def test_no_words_move_where_motion_is_unwanted(browser, fake):
    browser.scheme("light", "reduce")
    browser.open(fake.url + "/cameras")
    live(browser, 4)
    assert browser.js("return getComputedStyle(document.querySelector('canvas')).transitionDuration") == "0s"
    light = browser.js("return getComputedStyle(document.body).backgroundColor")
    browser.scheme("dark")
    dark = browser.js("return getComputedStyle(document.body).backgroundColor")
    assert light != dark


def test_the_page_is_light(fake):
    import pathlib
    web = pathlib.Path(__file__).resolve().parents[2] / "mod_kafkacam" / "web"
    assert urllib.request.urlopen(fake.url + "/cameras").status == 200
    assert sum(f.stat().st_size for f in web.iterdir() if f.suffix != ".sh") <= 64 * 1024
