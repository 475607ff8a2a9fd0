"""What /proc says of processes."""

import os
import pathlib


def process_stat(pid):
    """(session, start time, state) of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[3]), int(fields[19]), fields[0]


def session_members(session):
    """Live processes of a session: a part's own and all that it started."""
    members = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = process_stat(name)
            if stat and stat[0] == session and stat[2] != "Z":
                members.append(int(name))
    return members


def processes_in(folder):
    """Command lines of processes that name the folder, or that run in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            where = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        inside = f"{where}/".startswith(f"{folder}/") or str(folder) in command_line(pid)
        if inside and int(pid) != os.getpid():
            found.append(command_line(pid))
    return found


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
