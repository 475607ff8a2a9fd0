"""Browser tests: what the page logs or what its Content-Security-Policy refuses fails the test; so
does what httpd logs as a warning."""
import pathlib
import re
import shutil
import tempfile

import pytest
from selenium.common.exceptions import WebDriverException

from fake_server import Fake, camera
from pagekit import Browser, Wall


@pytest.fixture
def server_first(request):
    """What a test's pages come from ends after its browsers."""
    for name in {"wall", "fake"} & set(request.fixturenames):
        request.getfixturevalue(name)


@pytest.fixture
def new_browser(tmp_path, server_first):
    """A function that starts one more browser; each is checked and gone at the test's end."""
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


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The session's Chromium in a list, whose start takes longer than most tests; empty if there is
    none yet, or if it has died."""
    running = []
    yield running
    for browser in running:
        browser.quit()


@pytest.fixture
def browser(chromium, tmp_path_factory, server_first):
    """A tab of the session's Chromium."""
    if not chromium:
        chromium.append(Browser(tmp_path_factory.mktemp("profile")))
    one = chromium[0]
    one.open_tab()
    yield one
    try:
        one.check()
    finally:
        try:
            one.close_tab()
        except WebDriverException:          # the next test gets another
            chromium.clear()
            one.quit()


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
    known += ["AH03093",            # httpd's own, when it is stopped while a connection goes idle
              "AH01882"]            # mod_ssl's, where OpenSSL is older than the one it was built with
    wrong = [line for line in log.splitlines()
             if re.search(r":(warn|error|crit|alert|emerg)\]|Sanitizer", line) and not any(text in line for text in known)]
    assert not wrong, "httpd's log: " + "\n".join(wrong[:20])
    shutil.rmtree(folder)
