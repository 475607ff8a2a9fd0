"""The bar of the past below the wall."""
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import stack
from pagekit import wait_for

LOOKS_BACK = stack.Httpd.LOCATIONS.replace("SetHandler kafkacam-cam", "KafkaCamPast on\n    SetHandler kafkacam-cam")


@pytest.fixture
def recorded(wall, browser):
    """A wall of four cameras with some seconds behind it."""
    wall.start(cameras=4, locations=LOOKS_BACK)
    browser.open(wall.url("/cameras/1-4"))
    wait_for(lambda: len(counts(browser)) == 4 and wall.feed.count > 40, 60, "four cameras and eight seconds")
    wait_for(lambda: not browser.js("return document.getElementById('past').hidden"), 60, "the bar")
    return wall


def counts(browser):
    """What each tile shows: the number of its picture."""
    return {name: mark[1] for name, mark in browser.marks().items() if mark}


def line_key(browser, *keys):
    browser.driver.find_element(By.ID, "line").send_keys(*keys)


def press(browser, name):
    browser.driver.find_element(By.ID, name).click()


def standing(browser):
    """The counts when they have not changed for a while."""
    def same():
        before = counts(browser)
        time.sleep(0.6)
        values = before.values()
        return before if counts(browser) == before and max(values) - min(values) <= 1 else None
    return wait_for(same, 30, "pictures that stand still, all of one moment")


def test_all_cameras_stop_move_and_come_back_together(recorded, browser):
    press(browser, "pause")
    at = standing(browser)["Camera 1"]
    assert "at=" in browser.js("return location.search")
    line_key(browser, Keys.ARROW_LEFT)                      # one picture back
    wait_for(lambda: standing(browser)["Camera 1"] == at - 1, 30, "one picture back")
    line_key(browser, Keys.ARROW_RIGHT)
    wait_for(lambda: standing(browser)["Camera 1"] == at, 30, "one picture on")
    press(browser, "live")
    wait_for(lambda: recorded.feed.count - counts(browser).get("Camera 1", 0) <= 3, 30, "live again")
    assert "at=" not in browser.js("return location.search")


def test_an_address_with_a_moment_shows_that_moment_to_a_colleague(recorded, browser):
    count = recorded.feed.count - 25
    at = recorded.feed.sent[count] + 0.01
    browser.open(recorded.url(f"/cameras/1-4?at={at * 1000:.0f}"))
    seen = []

    def moves():
        now = set(counts(browser).values())
        seen.extend(now)
        return len(now) >= 1 and max(now) >= count + 5
    wait_for(moves, 30, "play from there")
    assert min(seen) >= count - 1
    press(browser, "pause")
    standing(browser)


def test_backwards_and_faster(recorded, browser):
    browser.key("j")
    begin = wait_for(lambda: counts(browser), 10)["Camera 1"]
    wait_for(lambda: counts(browser).get("Camera 1", 10**9) < begin - 3, 30, "backwards")
    browser.key("k")
    standing(browser)
    browser.key("l", "l", "l", "l")                         # on, 2, 4, 8: past what was, then live
    wait_for(lambda: browser.js("return document.getElementById('live').getAttribute('aria-pressed')") == "true",
             60, "it reaches now")
    wait_for(lambda: recorded.feed.count - counts(browser).get("Camera 1", 0) <= 3, 30, "live")


def test_a_click_on_the_bar_jumps_and_hovering_shows_a_small_picture(recorded, browser):
    browser.js("""
      const line = document.getElementById('line'), box = line.getBoundingClientRect();
      const at = part => ({ bubbles: true, pointerId: 1, clientX: box.left + box.width * part, clientY: box.top + 5 });
      line.setPointerCapture = () => {};
      line.dispatchEvent(new PointerEvent('pointermove', at(0.97)));
      line.dispatchEvent(new PointerEvent('pointerdown', at(0.96)));
      line.dispatchEvent(new PointerEvent('pointerup', at(0.95)));
    """)
    wait_for(lambda: browser.js("return document.querySelector('#peek img').naturalWidth") > 0, 30, "a small picture")
    wait_for(lambda: "at=" in browser.js("return location.search"), 10, "a moment in the address")
    assert browser.js("return document.getElementById('live').getAttribute('aria-pressed')") == "false"


def test_a_clip_is_marked_and_saved(recorded, browser):
    press(browser, "pause")
    standing(browser)
    browser.key("o")
    line_key(browser, Keys.SHIFT, Keys.ARROW_LEFT)
    browser.key(Keys.NULL, "i")
    assert browser.js("""
      window.saved = null;
      HTMLAnchorElement.prototype.click = function () { window.saved = this.href; };
      document.getElementById('clip').click();
      return window.saved""").split("?")[0].endswith("/cameras/1-4.zip")


def test_a_screen_reader_and_a_keyboard_find_the_bar(recorded, browser):
    line = browser.driver.find_element(By.ID, "line")
    assert line.get_attribute("role") == "slider"
    wait_for(lambda: line.get_attribute("aria-valuetext") == "Live", 10)
    press(browser, "pause")
    wait_for(lambda: line.get_attribute("aria-valuetext") not in (None, "Live"), 10, "the moment in words")
    assert browser.text("#zone")                            # the zone is said
    for button in browser.driver.find_elements(By.CSS_SELECTOR, "#play button"):
        assert button.text or button.get_attribute("aria-label")


def test_what_one_may_not_see_is_not_offered(wall, browser):
    wall.start(cameras=2)
    browser.open(wall.url("/cameras/1-2"))
    wait_for(lambda: len(counts(browser)) == 2, 60, "two cameras")
    assert browser.js("return document.getElementById('past').hidden")
    browser.key("j", "k", "l")
    assert "at=" not in browser.js("return location.search")
