#!/usr/bin/python3
"""Takes the pictures in docs/screenshots/ of a running demo (scripts/demo --cameras 16 --detach).

Usage: screenshots.py http://127.0.0.1:8080 [NAME...]"""
import io
import json
import pathlib
import sys
import tempfile
import time
import urllib.request

from PIL import Image

import fake_server
import pagekit

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SCREENS = {"phone": (390, 844, 2), "laptop": (1366, 768, 1), "4k": (3840, 2160, 1)}
WIDEST = 1280


def shots(server):
    """(name, address, screen, scheme)"""
    for count in (1, 4, 7, 16):
        for screen in SCREENS:
            yield f"{count}-{screen}", f"{server}/cameras/{count}", screen, "dark"
    yield "4-light", f"{server}/cameras/4", "laptop", "light"
    yield "large", f"{server}/cameras?focus=3", "laptop", "dark"
    yield "single", f"{server}/cam/2/", "laptop", "dark"


def take(browser, name, address, screen, scheme, ready, act=None):
    width, height, scale = SCREENS[screen]
    browser.size(width, height, scale, mobile=screen == "phone")
    browser.scheme(scheme)
    browser.open(address)
    pagekit.wait_for(ready, 40, name)
    if act:
        act()
    time.sleep(2)                   # several pictures, and the figures with them
    image = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, image.height * WIDEST // image.width), Image.LANCZOS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    image.save(FOLDER / f"{name}.jpg", quality=72, optimize=True, progressive=True)
    print(FOLDER / f"{name}.jpg")


def painted(browser):
    return browser.js("""const shown = [...document.querySelectorAll('.tile:not([hidden])')];
        return shown.length > 0 && shown.every(t => t.dataset.state !== 'live' || t.querySelector('canvas').width !== 300)""")


def words(server):
    """Pages that a good demo does not show."""
    pictures = {number: urllib.request.urlopen(f"{server}/cam/{number}.jpg").read() for number in (1, 5)}
    since = int((time.time() - 4000) * 1000)
    for name, cameras, reason in (
            ("offline", [fake_server.camera(1, name="Gate"), fake_server.camera(2, name="Yard", state="offline", since=since),
                         fake_server.camera(3, name="Stairs", state="failed", since=since, error="401 Unauthorized: wrong user or password"),
                         fake_server.camera(4, name="Car park", state="connecting", since=0)], None),
            ("empty", [], "none"), ("forbidden", [], "forbidden"), ("kafka-away", [], "kafka")):
        fake = fake_server.Fake(cameras)
        fake.reason = reason
        fake.stream = lambda write, selection, fake=fake: still(fake, write, pictures)
        yield name, fake
        fake.stop()


def still(fake, write, pictures):
    for number, jpeg in zip((1, 2), pictures.values()):
        write(fake_server.part(jpeg, cam=number, us=time.time_ns() // 1000))
    for one in fake.cameras:
        write(fake_server.part(json.dumps(one).encode(), "application/json"))
    time.sleep(15)


def main(server, wanted):
    browser = pagekit.Browser(tempfile.mkdtemp())
    try:
        for name, address, screen, scheme in shots(server):
            if not wanted or name in wanted:
                take(browser, name, address, screen, scheme, lambda: painted(browser))
        for name, fake in words(server):
            if not wanted or name in wanted:
                take(browser, name, fake.url + "/cameras", "laptop", "dark",
                     lambda: browser.js("return document.querySelectorAll('.tile').length || !document.getElementById('empty').hidden"))
        if not wanted or "choose" in wanted:
            take(browser, "choose", server + "/cameras/16", "laptop", "dark", lambda: painted(browser),
                 lambda: browser.js("document.getElementById('open-chooser').click()"))
    finally:
        browser.quit()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2:])
