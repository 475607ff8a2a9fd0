"""kafkacam-camera under a supervisor of ten lines, for tests of the camera alone: the job over a
socketpair as the real one does it, reports kept, started again when it ends."""

import json
import os
import pathlib
import select
import signal
import socket
import threading
import time

import kafka

import clients
import stack

STATES = ("connecting", "waiting", "streaming", "failed")


class Process:
    """A child that finds its job in descriptor 3, which subprocess.Popen cannot do."""

    def __init__(self, command, job_fd, log):
        environment = {"PATH": os.environ["PATH"],
                       **{name: text for name, text in os.environ.items() if "SAN_OPTIONS" in name}}
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.pid = os.posix_spawn(command[0], command, environment, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, job_fd, 3)])
        self.status = None
        self.core = None            # whether it left one
        self.lock = threading.Lock()

    def poll(self):
        with self.lock:
            if self.status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.status = os.waitstatus_to_exitcode(status)
                    self.core = os.WCOREDUMP(status)
            return self.status

    def wait(self, deadline_s):
        stack.wait_for(lambda: self.poll() is not None, deadline_s, f"process {self.pid} is still there")
        return self.status

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)


class Camera:
    """One camera. `with Camera(...) as camera:` runs it; restart=False lets it end once."""

    name = "kafkacam-camera"

    def __init__(self, folder, build, broker, url, number=1, restart=True, **job):
        self.folder, self.build, self.broker = pathlib.Path(folder), build, broker
        self.number, self.restart = number, restart
        self.log = self.folder / f"camera{number}.log"
        self.job = {
            "cam": number, "name": "Test", "url": url, "transport": 0, "fps": 0.0, "width": 0,
            "quality": 0, "small_width": 0, "small_fps": 1.0, "timeout_ms": 1500,
            "report_interval_ms": 250, "max_frame_bytes": 4000000, "tls_verify": 0, "tls_ca": None,
            "topic": "video", "small_topic": "video.small", "log_level": 3,
            "kafka": [["bootstrap.servers", broker.address]], **job}
        self.reports = []           # (when, report)
        self.starts = 0
        self.process = None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._keep, daemon=True)
        self.peak_kb = self.peak_files = 0
        stack.Part.on_create and stack.Part.on_create(self)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Within 2 s of SIGTERM it must be gone, with status 0."""
        self.ending.set()
        self.thread.join(10)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines=15):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def _start(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = Process([str(self.build.need(self.build.camera))], theirs.fileno(), self.log)
        theirs.close()
        self.starts += 1
        ours.send(json.dumps({**self.job, "epoch_ms": int(time.time() * 1000)}).encode())
        return ours

    def _keep(self):
        while not self.ending.is_set():
            with self._start() as pipe:
                while self._read(pipe) and not self.ending.is_set():
                    self._measure()
                if self.ending.is_set():
                    begun = time.monotonic()
                    self.process.send_signal(signal.SIGTERM)
                    self.status = self.process.wait(10)
                    self.stop_s = time.monotonic() - begun
                else:
                    self.status = self.process.wait(10)
            if not self.restart:
                return
            self.ending.wait(0.2)

    def _read(self, pipe):
        if not select.select([pipe], [], [], 0.1)[0]:
            return True
        try:
            data = pipe.recv(200000)
        except ConnectionResetError:
            return False
        if data:
            report = json.loads(data)
            report["state"] = STATES[report["state"]]
            self.reports.append((time.monotonic(), report))
        return bool(data)

    def _measure(self):
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
            files = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except OSError:
            return
        if "VmRSS:" in status:
            self.peak_kb = max(self.peak_kb, int(status.split("VmRSS:")[1].split()[0]))
        self.peak_files = max(self.peak_files, files)

    @property
    def report(self):
        return self.reports[-1][1] if self.reports else None

    def wait_report(self, condition, what, deadline_s=20, after=0):
        """The first report from after (time.monotonic()) on that fulfils condition."""
        def found():
            return next((report for when, report in list(self.reports)
                         if when > after and condition(report)), None)
        try:
            return stack.wait_for(found, deadline_s, what)
        except stack.StackError as error:
            raise AssertionError(f"{error}; reports: {self.reports[-3:]}\n{self.log_tail()}") from None

    def wait_state(self, state, deadline_s=20, after=0):
        return self.wait_report(lambda report: report["state"] == state, f"never {state}",
                                deadline_s, after)


class Watch:
    """Reads a camera's partition from now on."""

    def __init__(self, broker, number=1, topic="video"):
        self.place = kafka.TopicPartition(topic, number)
        self.consumer = kafka.KafkaConsumer(bootstrap_servers=broker.address, fetch_max_wait_ms=20,
                                            max_partition_fetch_bytes=8 << 20)
        self.consumer.assign([self.place])
        self.consumer.seek_to_end(self.place)
        self.consumer.position(self.place)      # now, not at the first poll

    def records(self, count, deadline_s=20):
        """The next count records."""
        found, end = [], time.monotonic() + deadline_s
        while len(found) < count:
            assert time.monotonic() < end, f"only {len(found)} of {count} records in {deadline_s} s"
            for batch in self.consumer.poll(100).values():
                found += batch
        return found

    def during(self, seconds):
        """All records of the coming seconds."""
        found, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            for batch in self.consumer.poll(50).values():
                found += batch
        return found

    def next_after(self, begun, deadline_s=30):
        """Seconds from begun to a record captured after it that has yet to be read."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            for batch in self.consumer.poll(50).values():
                if any(meta(record)["us"] > begun * 1e6 for record in batch):
                    return time.time() - begun
        raise AssertionError(f"no picture within {deadline_s} s")

    def close(self):
        self.consumer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def meta(record):
    return {name: int(value) for name, value in record.headers}


def read(record):
    """(number, frame) in the record's picture."""
    return clients.read_picture(record.value)
