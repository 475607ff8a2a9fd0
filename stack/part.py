"""What all parts have in common: a program, its folder, its log, its start and its end."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

from .account import hand_over, somebody
from .processes import command_line, session_members
from .waiting import StackError, wait_for


class Running:
    """`with` starts it, and stops it again; when something failed, kills it."""

    def __enter__(self):
        return self.start()

    def __exit__(self, *failure):
        if failure[0]:
            self.abandon()
        else:
            self.stop()


class Part(Running):
    """One program of the stack: starts in its folder, logs there, is gone after stop()."""

    name = "part"
    start_s = 30                # until it is ready
    stop_signal = signal.SIGTERM
    stop_s = 15                 # from the signal until it is gone
    good_ends = (0,)            # exit status after SIGTERM
    own_account = False         # when root starts it, it runs as somebody who owns nothing else
    on_create = None            # called with each new part: the tests watch all logs

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / self.name
        self.process = None
        self.log = self.folder / "log"
        self.on_start = None            # called when the process is there, ready or not
        if Part.on_create:
            Part.on_create(self)

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def account(self):
        """Whom it runs as, in subprocess's words."""
        return somebody() if self.own_account else {}

    def prepare(self):
        """Write configuration; called before each start."""

    def ready(self):
        """True once it answers. Asked again and again until start_s is over."""
        return True

    def start(self):
        if self.running():
            raise StackError(f"{self.name} runs already")
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.own_account:
            hand_over(self.folder)
        self.prepare()
        self.log_begin = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and its members are
            # all that this part started.
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment(), cwd=self.folder,
                                            start_new_session=True, **self.account())
        if self.on_start:
            self.on_start()
        try:
            wait_for(self._ready_or_ended, self.start_s, f"{self.name} is not ready")
        except StackError as error:
            self.abandon()
            raise StackError(f"{error}\n{self.log_tail()}") from None
        return self

    def _ready_or_ended(self):
        if self.process.poll() is not None:
            raise StackError(f"{self.name} ended with status {self.process.returncode}")
        return self.ready()

    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def check(self):
        """StackError if it has ended by itself."""
        if self.process and self.process.poll() is not None:
            raise StackError(f"{self.name} ended by itself, status {self.process.returncode}"
                             f"\n{self.log_tail()}")

    def members(self):
        """Pids of the part's processes: itself, children, grandchildren."""
        return session_members(self.pid) if self.process else []

    def stop(self):
        """Tell it to stop, wait until it and everything it started is gone. StackError if that fails
        (then it is killed); a part that died by itself before is an error too."""
        if not self.process:
            return
        died = self.process.poll()
        if died is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(self.stop_s)
            except subprocess.TimeoutExpired:
                self.abandon()
                raise StackError(f"{self.name} did not stop within {self.stop_s} s of {self.stop_signal.name}"
                                 f"\n{self.log_tail()}") from None
        status = self.process.returncode
        self._no_orphans()
        self.process = None
        if died is not None:
            raise StackError(f"{self.name} had ended by itself, status {died}\n{self.log_tail()}")
        if status not in self.good_ends:
            raise StackError(f"{self.name} stopped with status {status}\n{self.log_tail()}")

    def kill(self, number=signal.SIGKILL):
        """Kill the program alone, as a crash would, and wait for its end; children are its own
        affair (see members())."""
        self.process.send_signal(number)
        self.process.wait(self.stop_s)
        self.process = None

    def signal(self, number):
        self.process.send_signal(number)

    def abandon(self):
        """Kill it with everything it started."""
        if self.process:
            for pid in session_members(self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _no_orphans(self):
        session = self.process.pid
        try:
            wait_for(lambda: not session_members(session), 5, f"{self.name} left processes behind")
        except StackError:
            left = [(pid, command_line(pid)) for pid in session_members(session)]
            self.abandon()
            raise StackError(f"{self.name} left processes behind: {left}") from None

    def log_text(self):
        """All it has logged, over all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_since_start(self):
        """What it has logged since its last start."""
        if not self.log.exists():
            return ""
        with open(self.log, errors="replace") as log:
            log.seek(self.log_begin)
            return log.read()

    def log_tail(self, lines=15):
        tail = "\n".join(self.log_text().splitlines()[-lines:])
        return f"--- the end of {self.log}:\n{tail}" if tail else f"--- {self.log} is empty"

    def wait_log(self, pattern, deadline_s=20, begin=0):
        """Wait for a line that matches pattern from offset begin of the log on."""
        return wait_for(lambda: re.search(pattern, self.log_text()[begin:], re.M), deadline_s,
                        f"no {pattern!r} in the log of {self.name}")
