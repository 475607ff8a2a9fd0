"""Whom a part runs as when root starts it: somebody who owns nothing else on this machine."""

import contextlib
import os
import pathlib
import pwd
import stat
import tempfile

from .waiting import StackError

FIRST = 60600       # numbers from here on neither Debian nor systemd gives to anybody


def somebody():
    """What subprocess wants to hear: {} when we are not root and so are somebody already."""
    if os.geteuid() != 0:
        return {}
    number = FIRST
    with contextlib.suppress(KeyError):
        while pwd.getpwuid(number):
            number += 1
    return {"user": number, "group": number, "extra_groups": []}


def hand_over(folder):
    """The folder is somebody's, and nobody else's. StackError if they cannot get there."""
    folder.mkdir(parents=True, exist_ok=True)
    who = somebody()
    if not who:
        return
    for above in folder.resolve().parents:
        if not above.stat().st_mode & stat.S_IXOTH:
            raise StackError(f"{above}: user {who['user']}, who runs things for root, cannot get through: "
                             f"take a folder elsewhere")
    os.chown(folder, who["user"], who["group"])
    folder.chmod(0o700)


def close_to_others(folder):
    """Nobody else sees what is in it; whom root runs things as can walk through."""
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


@contextlib.contextmanager
def temporary_folder(prefix="kc-"):
    """A new folder that is closed to others, gone at the end. Short: sockets live in it."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        folder = pathlib.Path(name)
        close_to_others(folder)
        yield folder
