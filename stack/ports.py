"""TCP ports of 127.0.0.1."""

import contextlib
import fcntl
import pathlib
import random
import socket

from .places import cache_folder
from .waiting import StackError

EPHEMERAL = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port():
    """A port of 127.0.0.1 that nobody has now, and that no other stack gets as long as this process
    lives. Below those that the kernel gives away by itself: no connection takes it meanwhile."""
    beyond = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 32768
    below = random.sample(range(10000, beyond), 50) if beyond > 11000 else []
    for port in [*below, 0]:                # 0: the kernel's choice
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if not port or reserve(port):
                return probe.getsockname()[1]
    raise StackError("no port is free")


reserved = {}       # ports of this process; None: the file of locks


def reserve(port):
    """OSError if another process has it, False if this one has. A lock on a byte of one file: gone
    with the process, however it ends."""
    if None not in reserved:                # open for good: closing it would unlock all
        reserved[None] = open(cache_folder() / "ports", "a", encoding="ascii")
    if port in reserved:
        return False
    fcntl.lockf(reserved[None], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    reserved[port] = True
    return True


def listening(port, host="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
