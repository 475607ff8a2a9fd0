"""What all tests in Python share: the demo's parts, and a deadline for each test. They may run side by
side (pytest-xdist: -n 4), all but those marked alone; scripts/check does."""

import pathlib
import signal
import sys

import pytest

# Where the modules lie that tests import; the benchmarks get the same from scripts/bench.
SOURCE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(SOURCE), *(str(SOURCE / name) for name in ("demo", "bench", "tests/browser"))]

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
