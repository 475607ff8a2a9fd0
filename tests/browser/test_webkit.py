"""The wall in WebKitGTK (MiniBrowser, through Debian's webkit2gtk-driver)."""
import os
import re
import shutil

import pytest
from selenium import webdriver

import marks
import stack
from pagekit import Browser, wait_for
from test_wall import moving

pytestmark = pytest.mark.skipif(not (shutil.which("WebKitWebDriver") and shutil.which("Xvfb")),
                                reason="no WebKitWebDriver or Xvfb: apt-get install webkit2gtk-driver xvfb")


class Display(stack.Part):
    """WebKitGTK has no headless mode."""

    name = "xvfb"

    def command(self):
        return ["Xvfb", "-displayfd", "1", "-screen", "0", "1366x768x24", "-nolisten", "tcp"]

    def ready(self):
        return re.search(r"^\d+$", self.log_since_start(), re.M)

    @property
    def number(self):
        return self.ready().group()


class Driver(stack.Part):
    """WebKitWebDriver and, in its session, the browser."""

    name = "webkit"
    good_ends = (0, -15)

    def __init__(self, folder, display):
        super().__init__(folder)
        self.display = display
        self.port = stack.free_port()

    def command(self):
        return ["WebKitWebDriver", f"--port={self.port}"]

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
                "DISPLAY": f":{self.display.number}", "LANG": "C.UTF-8", "LIBGL_ALWAYS_SOFTWARE": "1",
                "NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory", "DBUS_SESSION_BUS_ADDRESS": "disabled:",
                "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}    # for root and containers: our own page is all it sees

    def ready(self):
        return stack.listening(self.port)


# Under automation WebKitGTK 2.50 writes no console messages anywhere, whatever its settings say.
LISTEN_JS = """
window.problems = [];
for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation'])
  addEventListener(kind, e => problems.push(`${kind}: ${e.message ?? e.reason ?? e.violatedDirective}`));
"""


class WebKit(Browser):
    """One MiniBrowser with one tab."""

    def __init__(self, service):
        options = webdriver.WebKitGTKOptions()
        options.add_argument("--automation")
        self.service = service
        self.driver = webdriver.Remote(f"http://127.0.0.1:{service.port}", options=options)
        self.expected = []

    def open(self, url):
        super().open(url)
        self.js(LISTEN_JS)
        return self

    def collect(self):
        return self.js("return problems")

    def quit(self):
        super().quit()
        wait_for(lambda: self.service.members() == [self.service.pid], what="the browser's end")


@pytest.fixture
def webkit(wall):
    display = Display(wall.folder)
    service = Driver(wall.folder, display)
    try:
        display.start()
        service.start()
        browser = WebKit(service)
        yield browser
        browser.check()
        browser.quit()
        service.stop()
        display.stop()
    finally:
        service.abandon()
        display.abandon()


def test_webkit_shows_every_camera_and_a_plain_picture(webkit, wall):
    wall.start(cameras=7)
    webkit.open(wall.url())
    moving(webkit, 7)
    webkit.js("window.plain = document.body.appendChild(Object.assign(new Image(), { src: '/cam/1' }))")

    def shown():
        mark = webkit.js(marks.READ_JS + "return readMarks(plain)")
        assert mark is None or mark[0] == 1
        return mark

    first = wait_for(shown, 60, "a picture in the <img>")
    wait_for(lambda: (now := shown()) and now[1] > first[1], 60, "a later picture in the <img>")
    wait_for(lambda: {(tile["state"], tile["note"]) for tile in webkit.tiles()} == {("live", "")}, what="all is well on each tile")
    wait_for(lambda: webkit.text("#trouble") == "", what="all is well with the line")
