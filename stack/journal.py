"""Which processes a detached demo has left running, and their end."""

import contextlib
import json
import os
import pathlib
import signal

from .places import write_private
from .processes import process_stat, session_members
from .waiting import StackError, wait_for


def boot():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write_journal(path, pids):
    """pids: {"httpd": [pid, start time]}, in the order of stopping."""
    new = path.with_suffix(".new")
    write_private(new, json.dumps({"boot": boot(), "pids": pids}) + "\n")
    os.replace(new, path)


def read_journal(path):
    """What of a journal is alive: {"httpd": pid}. A pid that is somebody else's by now is not."""
    try:
        journal = json.loads(path.read_text())
        if journal["boot"] != boot():
            return {}
        return {name: pid for name, (pid, started) in journal["pids"].items()
                if ours(pid, started)}
    except (FileNotFoundError, ValueError, KeyError):
        return {}


def ours(pid, started):
    stat = process_stat(pid)
    if stat:
        return stat[1] == started
    return bool(session_members(pid))       # it died, its children live


def stop_recorded(pids):
    """Stop what another process has started, {"httpd": pid}, in this order. Returns the names of
    those that had to be killed."""
    killed = []
    for name, pid in pids.items():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        try:
            wait_for(lambda pid=pid: not session_members(pid), 20, name)
        except StackError:
            killed.append(name)
            for member in session_members(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
    return killed
