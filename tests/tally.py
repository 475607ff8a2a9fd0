"""For scripts/check: pytest -p tally --tally FILE writes one line into FILE, "PASSED FAILED SKIPPED", and
the names of tests that failed at first, when those few were tried once more by themselves: on a machine
that others share, a deadline may pass without a fault. A crash, or what a sanitizer says, is never tried
again."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

FEW = 5
CRASH = re.compile(r"Sanitizer|runtime error:|exit signal")
WORST = ("passed", "skipped", "failed")


def pytest_addoption(parser):
    parser.addoption("--tally", metavar="FILE", type=pathlib.Path, help="count the tests into FILE")
    parser.addoption("--tally-once", action="store_true", help="try nothing again")


def pytest_configure(config):
    if config.getoption("--tally") and not hasattr(config, "workerinput"):      # not xdist's workers
        config.pluginmanager.register(Tally(config))


class Tally:
    def __init__(self, config):
        self.config = config
        self.outcomes = {}          # of each test the worst of its phases
        self.crashed = False
        self.again = []

    def pytest_runtest_logreport(self, report):
        before = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = max(before, report.outcome, key=WORST.index)
        if report.failed:
            said = f"{report.longrepr}" + "".join(text for _, text in report.sections)
            self.crashed = self.crashed or bool(CRASH.search(said))

    def names(self, outcome):
        return [name for name, one in self.outcomes.items() if one == outcome]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        failed = self.names("failed")
        if (exitstatus == pytest.ExitCode.TESTS_FAILED and 0 < len(failed) <= FEW and not self.crashed
                and not self.config.getoption("--tally-once")):
            self.again = failed
            if self.try_again(failed) == 0:
                session.exitstatus = pytest.ExitCode.OK
        counts = [len(self.names(outcome)) for outcome in ("passed", "failed", "skipped")]
        self.config.getoption("--tally").write_text(f"{' '.join(map(str, counts))}\n"
                                                    + "".join(f"{name}\n" for name in self.again))

    def try_again(self, names):
        """The status of a run of these alone; what passes now has passed."""
        file = pathlib.Path(f"{self.config.getoption('--tally')}.again")
        command = [sys.executable, "-m", "pytest", "-q", "-rfEs", "-p", "tally", "--tally", str(file),
                   "--tally-once", "-p", "no:cacheprovider"]
        if self.config.getoption("--kafka", None):
            command += ["--kafka", self.config.getoption("--kafka")]
        sys.stdout.flush()
        print(f"\ntally: once more, by themselves: {' '.join(names)}", flush=True)
        done = subprocess.run([*command, *names], cwd=self.config.rootpath, stdin=subprocess.DEVNULL,
                              env=dict(os.environ), check=False)
        if done.returncode == 0:
            self.outcomes.update(dict.fromkeys(names, "passed"))
        return done.returncode
