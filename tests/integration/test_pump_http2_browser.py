"""Browsers over HTTP/2: pictures come over HTTP/1.1 by themselves, the rest stays as it was."""

import re
import shutil

import pytest

import clients
import madeup
import stack

pytest.importorskip("selenium.webdriver")

import firefox    # noqa: E402
import pagekit    # noqa: E402
import webkit     # noqa: E402

# Begun when the page is complete: WebDriver waits for that, and an <img> that plays never is. WebKit's
# fetch() ends a multipart/x-mixed-replace after one picture, over any HTTP: the <img> shows one.
PAGE = """<!DOCTYPE html><title>pictures</title><img id=one><script>
let bytes = 0;
onload = async () => {
    one.src = "/cam/1";
    const answer = await fetch("/wall");
    for (const reader = answer.body.getReader();;) {
        const {done, value} = await reader.read();
        if (done) return;
        bytes += value.length;
    }
};
</script>"""


class Chromium:
    MISSING = None if shutil.which("chromedriver") else \
        "no chromedriver: apt-get install chromium chromium-driver"

    def __init__(self, folder):
        self.folder = folder

    def start(self):
        self.browser = pagekit.Browser(self.folder / "profile")
        return self.browser

    def abandon(self):
        pass


ENGINES = {"chromium": (Chromium.MISSING, Chromium), "webkit": (webkit.MISSING, webkit.WebKit),
           "firefox": (firefox.MISSING, firefox.Firefox)}


@pytest.fixture
def httpd(folder, build):
    for place in (folder.parent, folder):
        place.chmod(0o755)
    (folder / "one.jpg").write_bytes(clients.paint(1))
    (folder / "page.html").write_text(PAGE)
    with madeup.Feed(folder, build=build, children=1, fps=10, tls=True, http2=True,
                     file=folder / "one.jpg", snippet=f"""\
Alias "/page" "{folder}/page.html"
<Location "/page">
    Require all granted
    ForceType text/html
</Location>
""") as httpd:
        yield httpd


@pytest.fixture(params=ENGINES)
def browser(request, folder, httpd):
    missing, kind = ENGINES[request.param]
    if missing:
        pytest.skip(missing)
    service = kind(folder)
    try:
        browser = service.start()
        yield browser
        browser.quit()
    finally:
        service.abandon()


@pytest.mark.slow_sanitized
def test_a_browser_gets_pictures_over_http11_and_the_page_over_http2(browser, httpd):
    browser.open(httpd.url("/page"))
    assert browser.js("return performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    stack.wait_for(lambda: browser.js("return one.naturalWidth") == 320, 60, "no picture")
    before = browser.js("return bytes")
    stack.wait_for(lambda: browser.js("return bytes") > before + 20000, 60, "the wall does not stream")
    assert httpd.counters()["blocking_viewers"] == 0
    assert httpd.counters()["viewers"] == 2
    browser.open("about:blank")
    stack.wait_for(lambda: httpd.counters()["viewers"] == 0, 30, "the browser goes on")
    lines = httpd.access_lines()
    for path in ("/cam/1", "/wall"):
        asked = [line for line in lines if f'"GET {path} ' in line]
        assert len(asked) == 1 and re.search(r'HTTP/1\.1" 200 ', asked[0]), asked
    assert any('"GET /page HTTP/2.0" 200 ' in line for line in lines)
