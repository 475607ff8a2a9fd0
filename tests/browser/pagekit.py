"""What the browser tests share: Chromium without a window, through selenium, and a wall of made-up
pictures behind real httpd and broker."""
import pathlib
import re
import shutil
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

HERE = pathlib.Path(__file__).resolve().parent
import marks
import stack
from feed import Feed

TILES_JS = marks.READ_JS + """
return [...document.querySelectorAll('.tile')].map(tile => ({
  label: tile.querySelector('.face').getAttribute('aria-label'),
  name: tile.querySelector('.name').textContent,
  note: tile.querySelector('.note').textContent,
  facts: tile.querySelector('.facts').textContent,
  state: tile.dataset.state, hidden: tile.hidden, large: tile.classList.contains('large'),
  late: tile.classList.contains('late'), mark: readMarks(tile.querySelector('canvas')),
  box: tile.getBoundingClientRect().toJSON(), width: tile.querySelector('canvas').width,
}));
"""


def wait_for(condition, deadline_s=20, what="it"):
    """The first true answer; the last false one is told if there is none in time."""
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {deadline_s} s, last: {answer!r}"
        time.sleep(0.05)


class Browser:
    """One Chromium with one tab."""

    def __init__(self, folder, arguments=(), prefs=None, size=(1366, 768)):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                         "--disable-background-networking", "--disable-component-update", "--disable-sync",
                         "--ignore-certificate-errors", "--enable-precise-memory-info",
                         f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}", *arguments):
            options.add_argument(argument)
        if prefs:
            options.add_experimental_option("prefs", prefs)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.folder = folder
        self.begin(*size)

    def begin(self, *size):
        self.problems = []
        self.expected = []          # regular expressions of console lines that this test provokes
        self.size(*size)

    def open_tab(self):
        """A tab that knows nothing of those before it, for a browser that serves several tests."""
        self.driver.switch_to.new_window("tab")
        self.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        self.begin(1366, 768)

    def close_tab(self):
        self.driver.close()
        self.driver.switch_to.window(self.driver.window_handles[0])
        self.collect()

    def size(self, width, height, scale=1, mobile=False):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", dict(
            width=width, height=height, deviceScaleFactor=scale, mobile=mobile))

    def scheme(self, scheme="dark", motion="no-preference"):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion}]})

    def open(self, url):
        self.driver.get(url)
        return self

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def tiles(self):
        return self.js(TILES_JS)

    def marks(self):
        """{name of the tile: [camera, count] read from its pixels}"""
        return {tile["name"]: tile["mark"] for tile in self.tiles() if not tile["hidden"]}

    def text(self, selector):
        return self.js("const e = document.querySelector(arguments[0]); return e.hidden ? '' : e.textContent", selector)

    def key(self, *keys):
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def collect(self):
        """What the console has said, with the policy's refusals."""
        for line in self.driver.get_log("browser"):
            if line["level"] != "INFO" or "Security Policy" in line["message"]:
                self.problems.append(line["message"])
        return self.problems

    def check(self):
        wrong = [line for line in self.collect() if not any(re.search(known, line) for known in self.expected)]
        assert not wrong, f"the console of the page: {wrong}"

    def quit(self):
        self.driver.quit()


class Wall:
    """Broker and httpd, with pictures that the test makes up (marks.py) instead of cameras."""

    def __init__(self, folder):
        self.folder = folder
        self.parts = []
        self.relays = []

    def start(self, cameras=4, fps=5, size=(320, 180), bytes_about=0, partitions=110, names=None, **httpd):
        topics = {"video": partitions, "video.status": 1, "video.small": partitions}
        self.broker = stack.Broker(self.folder, topics=topics).start()
        self.parts.append(self.broker)
        self.feed = Feed(self.broker.address, range(1, cameras + 1), fps=fps, size=size,
                         bytes_about=bytes_about, names=names)
        self.httpd = stack.Httpd(self.folder, self.broker, **httpd).start()
        self.parts.append(self.httpd)
        return self

    def url(self, path="/cameras"):
        return self.httpd.url(path)

    def stop(self):
        feed = getattr(self, "feed", None)
        if feed:
            feed.stop()
        for relay in self.relays:
            relay.stop()
        for part in reversed(self.parts):
            part.stop()
