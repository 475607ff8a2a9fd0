"""Browser tests: what the page logs or what its Content-Security-Policy refuses fails the test; so
does what httpd logs as a warning."""
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from fake_server import Fake, camera    # noqa: E402
from pagekit import Browser, Wall       # noqa: E402


@pytest.fixture
def new_browser(tmp_path, request):
    """A function that starts one more browser; each is checked and gone at the test's end."""
    if "wall" in request.fixturenames:
        request.getfixturevalue("wall")     # which then ends after the browsers
    browsers = []

    def start(**settings):
        browsers.append(Browser(tmp_path / f"profile{len(browsers)}", **settings))
        return browsers[-1]

    yield start
    try:
        for browser in browsers:
            browser.check()
    finally:
        for browser in browsers:
            browser.quit()


@pytest.fixture
def browser(new_browser):
    return new_browser()


@pytest.fixture
def fake():
    server = Fake([camera(number) for number in range(1, 5)])
    yield server
    server.stop()


@pytest.fixture
def wall(request):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kc-"))
    folder.chmod(0o755)             # httpd's children are somebody else
    place = Wall(folder)
    yield place
    try:
        place.stop()
    finally:
        for part in place.parts:
            part.abandon()
    log = place.httpd.log_text() if hasattr(place, "httpd") else ""
    known = [text for mark in request.node.iter_markers("expects_log") for text in mark.args]
    known.append("AH03093")         # httpd's own, when it is stopped while a connection goes idle
    wrong = [line for line in log.splitlines()
             if re.search(r":(warn|error|crit|alert|emerg)\]|Sanitizer", line) and not any(text in line for text in known)]
    assert not wrong, "httpd's log: " + "\n".join(wrong[:20])
    shutil.rmtree(folder)
