"""An httpd whose cameras are guarded by httpd's own modules, for the tests of who may see what."""

import contextlib
import hashlib
import sqlite3
import subprocess
import time

import requests
import requests.auth

import clients

REALM = "cameras"
PASSWORDS = {"alice": "one", "bob": "two"}
BASIC = {name: requests.auth.HTTPBasicAuth(name, word) for name, word in PASSWORDS.items()}

# Everything that can be asked for of one camera.
FORMS = ("", ".jpg", ".json", "/", "/stream")
STREAMS = ("", "?meta=1", "?fps=5", "/stream")


class Users:
    """The same two users for each of httpd's ways to know them, in a folder its children may read."""

    def __init__(self, folder):
        self.folder = folder / "users"
        self.folder.mkdir()
        self.password, self.digest = self.folder / "password", self.folder / "digest"
        self.groups, self.database = self.folder / "groups", self.folder / "users.sqlite"
        for at in (folder.parent, folder, self.folder):
            at.chmod(at.stat().st_mode | 0o011)
        self.names = list(PASSWORDS)
        with sqlite3.connect(self.database) as database:
            database.execute("CREATE TABLE users (name TEXT, password TEXT)")
        self.write()

    def write(self):
        """Each file at once, as an editor would."""
        self._replace(self.password, "".join(f"{name}:{self.hashed(name)}\n" for name in self.names))
        self._replace(self.digest, "".join(f"{name}:{REALM}:{self.ha1(name)}\n" for name in self.names))
        self._replace(self.groups, f"viewers: {' '.join(self.names)}\n")
        with sqlite3.connect(self.database) as database:
            database.execute("DELETE FROM users")
            database.executemany("INSERT INTO users VALUES (?, ?)",
                                 [(name, self.hashed(name)) for name in self.names])
        self.database.chmod(0o644)

    def delete(self, name):
        self.names.remove(name)
        self.write()

    @staticmethod
    def _replace(path, text):
        new = path.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o644)
        new.rename(path)

    @staticmethod
    def hashed(name):
        return subprocess.run(["openssl", "passwd", "-apr1", "-salt", "kafkacam", PASSWORDS[name]],
                              capture_output=True, text=True, timeout=30, check=True).stdout.strip()

    @staticmethod
    def ha1(name):
        return hashlib.md5(f"{name}:{REALM}:{PASSWORDS[name]}".encode()).hexdigest()

    def section(self, way):
        """The inside of a <Location>."""
        return {
            "basic": f"AuthType Basic\nAuthName {REALM}\nAuthUserFile {self.password}\nRequire valid-user",
            "digest": f"AuthType Digest\nAuthName {REALM}\nAuthUserFile {self.digest}\nRequire valid-user",
            "group": f"AuthType Basic\nAuthName {REALM}\nAuthUserFile {self.password}\n"
                     f"AuthGroupFile {self.groups}\nRequire group viewers",
            "dbd": f"AuthType Basic\nAuthName {REALM}\nAuthBasicProvider dbd\nAuthDBDUserPWQuery "
                   "\"SELECT password FROM users WHERE name = %s\"\nRequire valid-user",
        }[way]

    def server(self, most=4):
        """For the dbd way, outside of all sections."""
        return f"DBDriver sqlite3\nDBDParams {self.database}\nDBDMin 0\nDBDKeep 1\nDBDMax {most}\n"

    @staticmethod
    def modules(way):
        return {"digest": ("auth_digest",), "group": ("authz_groupfile",),
                "dbd": ("dbd", "authn_dbd")}.get(way, ())


def locations(guard, path="/cam"):
    """All of ours, with guard inside of each."""
    return "".join(f'<Location "{where}">\nSetHandler kafkacam-{handler}\n{guard}\n</Location>\n'
                   for where, handler in ((path, "cam"), ("/cameras", "cameras"),
                                          ("/cameras.json", "cameras")))


def listed(httpd, **options):
    """The cameras that the list shows to this client."""
    return [one["camera"] for one in clients.get(httpd, "/cameras.json", **options).json()["cameras"]]


def statuses(httpd, number, forms=FORMS, **options):
    """What each form of a camera's URL answers."""
    found = {}
    for form in forms:
        with clients.get(httpd, f"/cam/{number}{form}", stream=True, **options) as answer:
            found[form] = answer.status_code
    return found


def seconds_open(stream, most=30):
    """How long an open stream (of requests) goes on; most if it does not end."""
    begin = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - begin < most and stream.raw._fp.read1(65536):
            pass
    return time.monotonic() - begin
