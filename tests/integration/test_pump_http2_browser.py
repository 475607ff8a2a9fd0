"""A browser over HTTP/2: pictures come over HTTP/1.1 by themselves, the rest stays as it was."""

import shutil
import sys

import pytest

import clients
import stack

sys.path.insert(0, str(stack.SOURCE / "bench"))

import madeup     # noqa: E402

webdriver = pytest.importorskip("selenium.webdriver")
Service = pytest.importorskip("selenium.webdriver.chrome.service").Service

PAGE = """<!DOCTYPE html><title>pictures</title><img id=one src=/cam/1><script>
let bytes = {};
for (const path of ["/cam/2", "/wall"])
    fetch(path).then(async answer => {
        for (const reader = answer.body.getReader();;) {
            const {done, value} = await reader.read();
            if (done) return;
            bytes[path] = (bytes[path] || 0) + value.length;
        }
    });
</script>"""


@pytest.fixture
def chromium():
    if not shutil.which("chromium"):
        pytest.skip("no chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
                 "disable-background-networking", "disable-component-update", "disable-sync",
                 "disable-dev-shm-usage", "ignore-certificate-errors"):
        options.add_argument(f"--{word}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.mark.slow_sanitized
def test_chromium_gets_pictures_over_http11_and_the_page_over_http2(chromium, folder, build):
    for place in (folder.parent, folder):
        place.chmod(0o755)
    (folder / "one.jpg").write_bytes(clients.paint(1))
    (folder / "page.html").write_text(PAGE)
    httpd = madeup.Feed(folder, build=build, children=1, fps=10, tls=True, http2=True,
                      file=folder / "one.jpg", snippet=f"""\
Alias "/page" "{folder}/page.html"
<Location "/page">
    Require all granted
    ForceType text/html
</Location>
""")
    with httpd:
        chromium.get(httpd.url("/page"))
        protocol = chromium.execute_script(
            "return performance.getEntriesByType('navigation')[0].nextHopProtocol")
        assert protocol == "h2"
        stack.wait_for(lambda: chromium.execute_script("return one.naturalWidth") > 0, 20,
                       "no picture")
        for path in ("/cam/2", "/wall"):
            before = chromium.execute_script(f"return bytes['{path}'] || 0")
            stack.wait_for(lambda p=path, b=before: chromium.execute_script(
                f"return bytes['{p}'] || 0") > b + 20000, 20, f"{path} does not stream")
        assert httpd.counters()["blocking_viewers"] == 0
        assert httpd.counters()["viewers"] == 3
    assert all(" 403 " not in line for line in httpd.access_lines())
