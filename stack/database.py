"""The cameras' table."""

import os
import pwd
import re
import secrets
import shutil
import subprocess

from .part import Part
from .places import SOURCE
from .waiting import StackError


class Database(Part):
    """A MariaDB of its own with conf/schema.sql, on a socket alone. The producer's user may SELECT and
    nothing else. Whoever runs us is its administrator, because the kernel says who they are: there is no
    password that could be guessed or left out."""

    name = "mariadb"
    own_account = True
    administrator = pwd.getpwuid(os.geteuid()).pw_name

    def __init__(self, folder, schema=None):
        super().__init__(folder)
        self.socket = self.folder / "sock"
        self.schema = schema or SOURCE / "conf" / "schema.sql"
        self.user, self.password, self.database = "kafkacam", secrets.token_urlsafe(12), "kafkacam"

    def command(self):
        # Without --no-defaults the machine's own settings would come in.
        return ["mariadbd" if shutil.which("mariadbd") else "/usr/sbin/mariadbd", "--no-defaults",
                f"--datadir={self.folder / 'data'}", f"--socket={self.socket}",
                "--skip-networking",
                f"--pid-file={self.folder / 'pid'}",
                # In a shared one, servers that start remove each other's temporary tables.
                f"--tmpdir={self.folder}",
                "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M",
                "--innodb-flush-log-at-trx-commit=0", "--log-warnings=1",
                "--performance-schema=OFF"]

    def prepare(self):
        if len(str(self.socket)) > 100:
            raise StackError(f"{self.socket}: too long a path for a socket, take a shorter folder")
        if (self.folder / "data").exists():
            return
        done = subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}",
             # --force: a host name that nobody can look up is no reason not to start.
             "--auth-root-authentication-method=socket",
             f"--auth-root-socket-user={self.administrator}", "--skip-test-db", "--force",
             "--skip-name-resolve", f"--tmpdir={self.folder}",
             "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
            cwd=self.folder, **self.account())
        if done.returncode != 0:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            raise StackError(f"mariadb-install-db: {done.stdout}{done.stderr}")
        self.fresh = True

    fresh = False

    def ready(self):
        import pymysql
        if not self.socket.exists():
            return False
        try:
            with self.connect(database=None) as connection:
                if self.fresh:
                    self._fill(connection)
                    self.fresh = False
            return True
        except pymysql.err.OperationalError:
            return False

    def _fill(self, connection):
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE IF NOT EXISTS kafkacam CHARACTER SET utf8mb4")
            cursor.execute("USE kafkacam")
            for statement in statements(self.schema.read_text()):
                cursor.execute(statement)
            cursor.execute("CREATE USER 'kafkacam'@'localhost' IDENTIFIED BY %s", (self.password,))
            cursor.execute("GRANT SELECT ON kafkacam.cameras TO 'kafkacam'@'localhost'")
        connection.commit()

    def connect(self, database="kafkacam"):
        import pymysql
        return pymysql.connect(unix_socket=str(self.socket), user=self.administrator, database=database,
                               autocommit=True)

    def execute(self, sql, *values):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def add_camera(self, number, url, name=None, **columns):
        row = {"id": number, "name": name or f"Camera {number}", "url": url, **columns}
        names = ", ".join(f"`{column}`" for column in row)
        self.execute(f"INSERT INTO cameras ({names}) VALUES ({', '.join(['%s'] * len(row))})",
                     *row.values())

    def change_camera(self, number, **columns):
        changes = ", ".join(f"`{column}` = %s" for column in columns)
        self.execute(f"UPDATE cameras SET {changes} WHERE id = %s", *columns.values(), number)

    def delete_camera(self, number):
        self.execute("DELETE FROM cameras WHERE id = %s", number)


def statements(sql):
    """The statements of an SQL file, without comments; none of ours has a ';' inside a string."""
    bare = re.sub(r"^\s*--.*$", "", sql, flags=re.M)
    return [part.strip() for part in re.split(r";\s*$", bare, flags=re.M) if part.strip()]
