"""Where make has put the programs."""

import os
import pathlib
import re
import subprocess

from .places import SOURCE
from .waiting import StackError


class Build:
    """Where make has put the programs. KAFKACAM_BUILD names another directory than build/."""

    def __init__(self, folder=None):
        self.folder = pathlib.Path(folder or os.environ.get("KAFKACAM_BUILD") or SOURCE / "build")
        self.broker = self.folder / "demo" / "kafkacam-broker"
        self.producer = self.folder / "producer" / "kafkacam-producer"
        self.camera = self.folder / "producer" / "kafkacam-camera"
        self.module = self.folder / "mod_kafkacam" / ".libs" / "mod_kafkacam.so"

    def need(self, path):
        if not path.exists():
            raise StackError(f"{path} is missing: build first (make), or set KAFKACAM_BUILD")
        return path

    def sanitizer(self):
        """Path of the AddressSanitizer library that the module was built with, or None."""
        needed = subprocess.run(["ldd", self.need(self.module)], capture_output=True, text=True)
        found = re.search(r"libasan\S* => (\S+)", needed.stdout)
        return found.group(1) if found else None
