"""RTSP cameras."""

import os
import re
import secrets
import shutil
import urllib.parse

from .account import hand_over
from .part import Part
from .places import PYTHON, SOURCE, cache_folder, write_private


class Cameras(Part):
    """Demo cameras (demo/cameras.py): rtsp://127.0.0.1:PORT/1 and on."""

    name = "cameras"
    own_account = True
    start_s = 300               # the first time, loops are encoded: seconds each, when busy

    def __init__(self, folder, count=4, *, port=0, only=None, mjpeg=(), digest=(), auth=None,
                 options=(), name=None):
        self.name = name or self.name
        super().__init__(folder)
        self.numbers = sorted(only) if only else list(range(1, count + 1))
        self.port, self.mjpeg, self.auth = port, mjpeg, auth
        self.digest = set(digest) if not auth else set(self.numbers)
        self.options = list(options)
        self.user, self.password = "demo", secrets.token_urlsafe(9)

    @staticmethod
    def loops():
        """Where encoded loops are kept, and GStreamer's list of plugins, which takes seconds to make."""
        return cache_folder() / "loops"

    def prepare(self):
        hand_over(self.loops())
        write_private(self.folder / "credentials", f"{self.user}:{self.password}\n", **self.account())
        for name in ("cameras.py", "picture.py"):       # the tree may be where only root can go
            shutil.copy2(SOURCE / "demo" / name, self.folder)

    def environment(self):
        return dict(os.environ, GST_REGISTRY=str(self.loops() / "plugins"), HOME=str(self.folder))

    def command(self):
        command = [PYTHON, str(self.folder / "cameras.py"), "--port", str(self.port),
                   "--only", ",".join(map(str, self.numbers)),
                   "--cache", str(self.loops()),
                   "--credentials", str(self.folder / "credentials")]
        if self.auth:
            command += ["--auth", self.auth]
        for option, numbers in (("--mjpeg", self.mjpeg), ("--digest", self.digest)):
            if numbers:
                command += [option, ",".join(str(number) for number in numbers)]
        return command + self.options

    def ready(self):
        found = re.search(r"^ready \S+:(\d+)$", self.log_since_start(), re.M)
        if found:
            self.port = int(found.group(1))
        return found

    def url(self, number, password=None):
        """A camera's URL, with its password if it wants one (or with another password)."""
        login = ""
        if number in self.digest:
            secret = self.password if password is None else password
            login = f"{self.user}:{urllib.parse.quote(secret, safe='')}@"
        return f"rtsp://{login}127.0.0.1:{self.port}/{number}"
