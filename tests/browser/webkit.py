"""WebKitGTK (MiniBrowser, through Debian's webkit2gtk-driver)."""
import os
import re
import shutil

from selenium import webdriver

import stack
from pagekit import Browser, wait_for

MISSING = None if shutil.which("WebKitWebDriver") and shutil.which("Xvfb") else \
    "no WebKitWebDriver or Xvfb: apt-get install webkit2gtk-driver xvfb"


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
    """One MiniBrowser with one tab, its driver and its display."""

    READ_PLAIN_JS = "return readMarks(plain)"

    def __init__(self, folder):
        self.display = Display(folder)
        self.service = Driver(folder, self.display)
        self.expected = []

    def start(self):
        options = webdriver.WebKitGTKOptions()
        options.add_argument("--automation")
        options.set_capability("acceptInsecureCerts", True)
        self.display.start()
        self.service.start()
        self.driver = webdriver.Remote(f"http://127.0.0.1:{self.service.port}", options=options)
        return self

    def open(self, url):
        super().open(url)
        self.js(LISTEN_JS)
        return self

    def collect(self):
        return self.js("return problems")

    def quit(self):
        super().quit()
        wait_for(lambda: self.service.members() == [self.service.pid], what="the browser's end")
        self.service.stop()
        self.display.stop()

    def abandon(self):
        self.service.abandon()
        self.display.abandon()
