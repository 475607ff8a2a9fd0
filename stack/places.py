"""Where things lie: the tree, what is kept from run to run, files for one pair of eyes."""

import os
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[1]

PYTHON = "/usr/bin/python3"     # Debian's own: the one that has gi


def cache_folder():
    """Where fetched and encoded things are kept from run to run."""
    place = os.environ.get("KAFKACAM_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kafkacam")
    folder = pathlib.Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_private(path, text):
    """A file that nobody else can read, from its first moment."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
