"""What all tests in Python share: the demo's parts, and a deadline for each test. They may run side by
side (pytest-xdist: -n 4), all but those marked alone; scripts/check does."""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "demo"))

TEST_S = 240        # of one test, unless marked deadline(seconds): there to catch what hangs


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A test that hangs fails with a traceback of where it hung."""
    marker = item.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else TEST_S

    def late(*_):
        raise TimeoutError(f"the test's deadline of {seconds} s is over")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
