"""Where things lie: the tree, what is kept from run to run, files for one pair of eyes."""

import os
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[1]

PYTHON = "/usr/bin/python3"     # Debian's own: the one that has gi


def cache_folder():
    """Where fetched and encoded things are kept from run to run; scripts/demo has the same. root's is one
    that those can enter whom root runs things as."""
    home = "/var/cache" if os.geteuid() == 0 else os.path.expanduser("~/.cache")
    place = os.environ.get("KAFKACAM_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or home, "kafkacam")
    folder = pathlib.Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_private(path, text, user=-1, group=-1, **_):
    """A file that nobody else can read, from its first moment; somebody else's if user says so."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        os.fchown(file.fileno(), user, group)
        file.write(text)
