"""httpd with mod_kafkacam's senders and made-up pictures (tests/modules/mod_kafkacam_feed.c), and the
load client: what the benchmarks and the tests of the pump share."""

import json
import os
import pathlib
import resource
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
import stack


class NoBroker:
    """Nobody asks it anything."""

    address = "127.0.0.1:1"
    client_settings = {}


class Feed(stack.Httpd):
    """cams cameras that each make a picture of size bytes fps times a second."""

    LOCATIONS = """\
<Location "/cam">
    SetHandler kafkacam-feed
</Location>
<Location "/wall">
    SetHandler kafkacam-feed
</Location>
<Location "/counters">
    SetHandler kafkacam-counters
</Location>
<Location "/server-status">
    SetHandler server-status
</Location>
"""

    def __init__(self, folder, *, cams=4, fps=5, size=50000, pump=True, direct=True, late=None,
                 may=None, file=None, build=None,
                 snippet="", **more):
        build = build or stack.Build()
        super().__init__(folder, NoBroker(), build, locations=self.LOCATIONS,
                         snippet="ListenBacklog 4096\n"
                                 f"KafkaCamMaxViewers 15000\nKafkaCamMaxViewersPerClient 0\n"
                                 f"{snippet}", **more)
        self.words = f"{cams} {fps} {size}"
        self.pump, self.direct, self.late = pump, direct, late
        self.may, self.file = may, file

    def configuration(self):
        text = super().configuration()
        modules = self.build.folder / "tests" / "modules" / ".libs"
        text = text.replace(str(self.build.module), str(modules / "mod_kafkacam_feed.so"))
        if self.late:
            text += f"LoadModule kafkacam_late_module {modules / 'mod_kafkacam_late.so'}\n"
        return text

    def environment(self):
        environment = {**super().environment(), "KAFKACAM_FEED": self.words}
        if not self.pump:
            environment["KAFKACAM_NO_PUMP"] = "1"
        if not self.direct:
            environment["KAFKACAM_FILTER"] = "1"
        if self.file:
            environment["KAFKACAM_FEED_FILE"] = str(self.file)
        if self.may:
            environment["KAFKACAM_FEED_MAY"] = str(self.may)
        if self.late:
            environment["KAFKACAM_LATE"] = "%d %d" % self.late
        return environment

    def get(self, path):
        command = ["curl", "-sk", "-m", "10", self.url(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def counters(self):
        lines = [line.split(": ") for line in self.get("/counters").splitlines()]
        return {name: int(value) for name, value in lines}

    def access_lines(self):
        path = self.folder / "access.log"
        return path.read_text().splitlines() if path.exists() else []


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def processor_s(pids):
    """Seconds of processor time of these processes' threads."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                pass
    return total / 1e9


def memory_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Viewers:
    """A run of the load client (bench/viewers.c). processor_of: whose processor time counts."""

    def __init__(self, port, path="/cam/%d", *, options=(), processor_of=(), build=None):
        program = (build or stack.Build()).folder / "bench" / "viewers"
        self.pids = processor_of
        self.process = subprocess.Popen(
            [str(program), *[str(option) for option in options], "127.0.0.1", str(port), path],
            stdout=subprocess.PIPE, text=True)

    def wait_begin(self):
        assert self.process.stdout.readline().strip() == "begin", "the load client failed"
        self.before = processor_s(self.pids)
        return self

    def result(self):
        if not hasattr(self, "before"):
            self.wait_begin()
        assert self.process.stdout.readline().strip() == "end", "the load client failed"
        used = processor_s(self.pids) - self.before
        result = json.loads(self.process.stdout.readline())
        self.process.wait()
        return {**result, "server_s": used,
                "s_per_gb": used / (result["bytes"] / 1e9) if result["bytes"] else None}


def churn(port, cycles, at_once=32, build=None, path="/cam/%d", timeout=900):
    """Connect, ask, reset; that many times. Returns how many could not even connect."""
    program = (build or stack.Build()).folder / "bench" / "viewers"
    done = subprocess.run([str(program), "-x", str(cycles), "-n", str(at_once), "127.0.0.1",
                           str(port), path], capture_output=True, text=True, check=True,
                          timeout=timeout)
    return json.loads(done.stdout)


# Viewers whose timers run whatever the cameras do, and walls.
TIMED = (("/cam/%d?fps=7", 200), ("/cam/%d?fps=7&meta=1", 40), ("/wall?fps=7", 20), ("/wall", 10))


def restart_under_viewers(httpd, groups=TIMED, deadline_s=20):
    """A graceful restart while these look: seconds until the old child is gone. All viewers must have
    been ended, and seen nothing but pictures until then."""
    old = httpd.children_pids()[-1]
    runs = [Viewers(httpd.port, path, options=["-n", count, "-c", 4, "-w", 0.2, "-s", 60, "-g"],
                    build=httpd.build) for path, count in groups]
    for run in runs:
        run.wait_begin()
    stack.wait_for(lambda: httpd.counters()["viewers"] == sum(count for _, count in groups),
                   deadline_s, "not all viewers are served")
    begun = time.monotonic()
    httpd.graceful()
    stack.wait_for(lambda: not os.path.exists(f"/proc/{old}"), deadline_s, "the old child stays")
    took = time.monotonic() - begun
    for run in runs:
        result = run.result()
        assert (result["open"], result["refused"], result["wrong"]) == (0, 0, 0), result
    return took
