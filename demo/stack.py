"""The parts of a kafkacam system, started and stopped for the demo, the tests and the benchmarks:
broker, database, demo cameras, producer, httpd. Each lives in a folder of its own with its log, on
ports of its own on 127.0.0.1, and waits until it really answers.

    with Stack(folder, cameras=4) as stack:
        print(stack.httpd.url("/cam/1"))

A part that does not come up, does not stop, or leaves a process behind raises StackError with what
happened and the end of its log. Passwords stand in files that only the owner reads."""

import contextlib
import fcntl
import grp
import json
import os
import pathlib
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent
PYTHON = "/usr/bin/python3"     # Debian's own: the one that has gi

EPHEMERAL = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")

MAX_CAMERAS = 64                # partitions the embedded broker makes: it cannot add any later


class StackError(Exception):
    """One line that says what went wrong, perhaps followed by the end of a log."""


def wait_for(condition, deadline_s, what):
    """Call condition until it is true and return what it returned; StackError after deadline_s."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise StackError(f"{what}: not within {deadline_s:g} s")
        time.sleep(0.02)


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


class Running:
    """`with` starts it, and stops it again; when something failed, kills it."""

    def __enter__(self):
        return self.start()

    def __exit__(self, *failure):
        if failure[0]:
            self.abandon()
        else:
            self.stop()


class Part(Running):
    """One program of the stack: starts in its folder, logs there, is gone after stop()."""

    name = "part"
    start_s = 30                # until it is ready
    stop_signal = signal.SIGTERM
    stop_s = 15                 # from the signal until it is gone
    good_ends = (0,)            # exit status after SIGTERM
    on_create = None            # called with each new part: the tests watch all logs

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / self.name
        self.process = None
        self.log = self.folder / "log"
        self.on_start = None            # called when the process is there, ready or not
        if Part.on_create:
            Part.on_create(self)

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def prepare(self):
        """Write configuration; called before each start."""

    def ready(self):
        """True once it answers. Asked again and again until start_s is over."""
        return True

    def start(self):
        if self.running():
            raise StackError(f"{self.name} runs already")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.log_begin = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and its members are
            # all that this part started.
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment(), cwd=self.folder,
                                            start_new_session=True)
        if self.on_start:
            self.on_start()
        try:
            wait_for(self._ready_or_ended, self.start_s, f"{self.name} is not ready")
        except StackError as error:
            self.abandon()
            raise StackError(f"{error}\n{self.log_tail()}") from None
        return self

    def _ready_or_ended(self):
        if self.process.poll() is not None:
            raise StackError(f"{self.name} ended with status {self.process.returncode}")
        return self.ready()

    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def check(self):
        """StackError if it has ended by itself."""
        if self.process and self.process.poll() is not None:
            raise StackError(f"{self.name} ended by itself, status {self.process.returncode}"
                             f"\n{self.log_tail()}")

    def members(self):
        """Pids of the part's processes: itself, children, grandchildren."""
        return session_members(self.pid) if self.process else []

    def stop(self):
        """Tell it to stop, wait until it and everything it started is gone. StackError if that fails
        (then it is killed); a part that died by itself before is an error too."""
        if not self.process:
            return
        died = self.process.poll()
        if died is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(self.stop_s)
            except subprocess.TimeoutExpired:
                self.abandon()
                raise StackError(f"{self.name} did not stop within {self.stop_s} s of {self.stop_signal.name}"
                                 f"\n{self.log_tail()}") from None
        status = self.process.returncode
        self._no_orphans()
        self.process = None
        if died is not None:
            raise StackError(f"{self.name} had ended by itself, status {died}\n{self.log_tail()}")
        if status not in self.good_ends:
            raise StackError(f"{self.name} stopped with status {status}\n{self.log_tail()}")

    def kill(self, number=signal.SIGKILL):
        """Kill the program alone, as a crash would, and wait for its end; children are its own
        affair (see members())."""
        self.process.send_signal(number)
        self.process.wait(self.stop_s)
        self.process = None

    def signal(self, number):
        self.process.send_signal(number)

    def abandon(self):
        """Kill it with everything it started."""
        if self.process:
            for pid in session_members(self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _no_orphans(self):
        session = self.process.pid
        try:
            wait_for(lambda: not session_members(session), 5, f"{self.name} left processes behind")
        except StackError:
            left = [(pid, command_line(pid)) for pid in session_members(session)]
            self.abandon()
            raise StackError(f"{self.name} left processes behind: {left}") from None

    def log_text(self):
        """All it has logged, over all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_since_start(self):
        """What it has logged since its last start."""
        if not self.log.exists():
            return ""
        with open(self.log, errors="replace") as log:
            log.seek(self.log_begin)
            return log.read()

    def log_tail(self, lines=15):
        tail = "\n".join(self.log_text().splitlines()[-lines:])
        return f"--- the end of {self.log}:\n{tail}" if tail else f"--- {self.log} is empty"

    def wait_log(self, pattern, deadline_s=20, begin=0):
        """Wait for a line that matches pattern from offset begin of the log on."""
        return wait_for(lambda: re.search(pattern, self.log_text()[begin:], re.M), deadline_s,
                        f"no {pattern!r} in the log of {self.name}")


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


class Broker(Part):
    """librdkafka's mock cluster (demo/broker.c): starts at once, keeps nothing."""

    name = "broker"

    def __init__(self, folder, build=None, topics=None, port=0):
        super().__init__(folder)
        self.build = build or Build()
        self.topics = topics or {"video": MAX_CAMERAS + 1, "video.status": 1,
                                 "video.small": MAX_CAMERAS + 1}
        self.port = port

    # What clients set for it: a fetch that waits is not woken by news.
    client_settings = {"fetch.wait.max.ms": "5", "fetch.error.backoff.ms": "5"}
    creates_topics = False

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        command = [str(self.build.need(self.build.broker)), "--port", str(self.port)]
        for name, partitions in self.topics.items():
            command += ["--topic", f"{name}:{partitions}"]
        return command

    def ready(self):
        found = re.search(r"^ready \S+:(\d+)$", self.log_since_start(), re.M)
        if found:
            self.port = int(found.group(1))     # a restart gets the same one
        return found


class ApacheKafka(Part):
    """A real Apache Kafka, one node, KRaft. The first start ever fetches it with Maven. Makes no
    topic by itself: the producer's admin client does, as in production."""

    name = "kafka"
    start_s = 90
    stop_s = 60
    good_ends = (143,)          # Java's for SIGTERM
    client_settings = {}
    creates_topics = True

    def __init__(self, folder, port=0, settings=None):
        super().__init__(folder)
        self.port = port or free_port()
        self.controller_port = free_port()
        self.settings = settings or {}      # more of server.properties

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @staticmethod
    def missing():
        """What this machine lacks for it, or None."""
        lacking = [name for name in ("java", "mvn") if not shutil.which(name)]
        return f"{' and '.join(lacking)} not found" if lacking else None

    @staticmethod
    def classes():
        """The folder with Kafka's jars, fetched if need be."""
        pom = HERE / "kafka" / "pom.xml"
        version = re.search(r"kafka_2.13</artifactId>\s*<version>([^<]+)", pom.read_text()).group(1)
        folder = cache_folder() / f"kafka-{version}"
        if folder.exists():
            return folder
        if ApacheKafka.missing():
            raise StackError(f"Apache Kafka: {ApacheKafka.missing()}: "
                             f"apt-get install maven default-jdk-headless")
        fetching = pathlib.Path(f"{folder}.{os.getpid()}")
        done = subprocess.run(["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies",
                               f"-DoutputDirectory={fetching}", "-DincludeScope=runtime"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=600, check=False)
        if done.returncode != 0:
            shutil.rmtree(fetching, ignore_errors=True)
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise StackError(f"Maven did not get Apache Kafka {version}:\n{tail}")
        with contextlib.suppress(OSError):      # somebody else's fetch was quicker
            fetching.rename(folder)
        shutil.rmtree(fetching, ignore_errors=True)
        return folder

    def java(self, *arguments):
        return ["java", "-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-cp", f"{self.classes()}/*",
                f"-Dlog4j2.configurationFile={HERE / 'kafka' / 'log4j2.properties'}", *arguments]

    def prepare(self):
        settings = self.folder / "server.properties"
        data = self.folder / "data"
        settings.write_text(f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self.controller_port}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
""" + "".join(f"{name}={value}\n" for name, value in self.settings.items()))
        if not (data / "meta.properties").exists():
            done = subprocess.run(
                self.java("kafka.tools.StorageTool", "format", "--cluster-id",
                          "a2Fma2FjYW0tZGVtby0wMQ", "--config", str(settings)),
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode != 0:
                raise StackError(f"Apache Kafka's storage: {done.stdout}{done.stderr}")

    def command(self):
        return self.java("kafka.Kafka", str(self.folder / "server.properties"))

    def ready(self):
        return "Kafka Server started" in self.log_since_start() and listening(self.port)


class Database(Part):
    """A MariaDB of its own with conf/schema.sql. The producer's user may SELECT and nothing else."""

    name = "mariadb"

    def __init__(self, folder, schema=None):
        super().__init__(folder)
        self.socket = self.folder / "sock"
        self.port = 0
        self.schema = schema or SOURCE / "conf" / "schema.sql"
        self.user, self.password, self.database = "kafkacam", secrets.token_urlsafe(12), "kafkacam"

    def command(self):
        # Without --no-defaults the machine's own settings would come in.
        return ["mariadbd" if shutil.which("mariadbd") else "/usr/sbin/mariadbd", "--no-defaults",
                f"--datadir={self.folder / 'data'}", f"--socket={self.socket}",
                f"--port={self.port}", "--bind-address=127.0.0.1",
                f"--pid-file={self.folder / 'pid'}",
                # In a shared one, servers that start remove each other's temporary tables.
                f"--tmpdir={self.folder}",
                "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M",
                "--innodb-flush-log-at-trx-commit=0", "--log-warnings=1",
                "--performance-schema=OFF", "--skip-name-resolve", *as_root_user()]

    def prepare(self):
        if len(str(self.socket)) > 100:
            raise StackError(f"{self.socket}: too long a path for a socket, take a shorter folder")
        self.port = self.port or free_port()
        if (self.folder / "data").exists():
            return
        done = subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}",
             # --force: a host name that nobody can look up is no reason not to start.
             "--auth-root-authentication-method=normal", "--skip-test-db", "--force",
             "--skip-name-resolve", f"--tmpdir={self.folder}",
             "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", *as_root_user()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
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
            for host in ("localhost", "127.0.0.1"):
                cursor.execute(f"CREATE USER 'kafkacam'@'{host}' IDENTIFIED BY %s",
                               (self.password,))
                cursor.execute(f"GRANT SELECT ON kafkacam.cameras TO 'kafkacam'@'{host}'")
        connection.commit()

    def connect(self, database="kafkacam"):
        import pymysql
        return pymysql.connect(unix_socket=str(self.socket), user="root", database=database,
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


def as_root_user():
    return ["--user=root"] if os.geteuid() == 0 else []


def statements(sql):
    """The statements of an SQL file, without comments; none of ours has a ';' inside a string."""
    bare = re.sub(r"^\s*--.*$", "", sql, flags=re.M)
    return [part.strip() for part in re.split(r";\s*$", bare, flags=re.M) if part.strip()]


class Cameras(Part):
    """Demo cameras (demo/cameras.py): rtsp://127.0.0.1:PORT/1 and on."""

    name = "cameras"
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

    def prepare(self):
        write_private(self.folder / "credentials", f"{self.user}:{self.password}\n")

    def command(self):
        command = [PYTHON, str(HERE / "cameras.py"), "--port", str(self.port),
                   "--only", ",".join(map(str, self.numbers)),
                   "--cache", str(cache_folder() / "loops"),
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


class Producer(Part):
    """kafkacam-producer with a producer.conf of its own. settings: {"section": {"key": value}}."""

    name = "producer"

    def __init__(self, folder, database, broker, build=None, settings=None, topic="video"):
        super().__init__(folder)
        self.database, self.broker, self.topic = database, broker, topic
        self.build = build or Build()
        self.settings = settings or {}

    def sections(self):
        sections = {
            "database": {"socket": self.database.socket, "user": self.database.user,
                         "password": self.database.password, "name": self.database.database},
            "kafka": {"brokers": self.broker.address, "topic": self.topic},
            "producer": {"camera_program": self.build.camera, "catalog_interval": "2 s",
                         "report_interval": "1 s"},
        }
        for section, keys in self.settings.items():
            sections.setdefault(section, {}).update(keys)
        return sections

    @property
    def conf(self):
        return self.folder / "producer.conf"

    def prepare(self):
        text = ""
        for section, keys in self.sections().items():
            text += f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        write_private(self.conf, text)

    def command(self):
        return [str(self.build.need(self.build.producer)), "-c", str(self.conf)]

    def ready(self):
        return " started\n" in self.log_since_start()

    def camera_pids(self):
        return [pid for pid in self.members() if "kafkacam-camera" in command_line(pid)]


class Httpd(Part):
    """Apache httpd with mod_kafkacam and nothing of the machine's own configuration."""

    name = "httpd"
    stop_s = 20
    stopped_at = None       # how long the log was when it was told to stop

    # What httpd needs besides the MPM; mod_kafkacam comes last.
    modules = ("authz_core", "authz_host", "authz_user", "authn_core", "authn_file", "auth_basic",
               "alias", "headers", "status", "setenvif", "reqtimeout")

    LOCATIONS = """\
<Location "/cam">
    SetHandler kafkacam-cam
</Location>
<Location "/cameras">
    SetHandler kafkacam-cameras
</Location>
<Location "/cameras.json">
    SetHandler kafkacam-cameras
</Location>
<Location "/kafkacam-status">
    SetHandler kafkacam-status
</Location>
<Location "/kafkacam-metrics">
    SetHandler kafkacam-metrics
</Location>
RedirectMatch "^/$" "/cameras"
"""

    def __init__(self, folder, broker, build=None, *, snippet="", mpm="event", tls=False,
                 http2=False, port=0, threads=25, children=2, locations=LOCATIONS, host="127.0.0.1",
                 modules=(), log_level="info", topic="video"):
        super().__init__(folder)
        self.broker, self.build = broker, build or Build()
        self.snippet, self.mpm, self.tls, self.http2 = snippet, mpm, tls, http2
        self.host, self.port, self.threads, self.children = host, port, threads, children
        self.locations, self.log_level, self.topic = locations, log_level, topic
        self.modules = self.modules + tuple(modules)
        self.log = self.folder / "error.log"

    def url(self, path="/"):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    def stop(self):
        """At SIGTERM a child of httpd 2.4.71's event MPM may crash: its main thread destroys what a worker
        still uses (seen in 1 of 50 stops on a busy machine with no module of ours; the core's
        stack is the MPM's). A graceful stop waits for the workers; where a crash costs more than the
        second it takes, it is used."""
        self.stopped_at = len(self.log_text())
        if self.build.sanitizer():
            self.stop_signal = signal.SIGWINCH
        super().stop()

    @staticmethod
    def module_folder():
        for folder in ("/usr/lib/apache2/modules", "/usr/local/apache2/modules"):
            if os.path.isdir(folder):
                return folder
        raise StackError("no Apache httpd modules: apt-get install apache2-bin")

    @staticmethod
    def program():
        found = shutil.which("apache2", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
        if not found:
            raise StackError("no apache2: apt-get install apache2-bin")
        return found

    def prepare(self):
        self.port = self.port or free_port()
        if self.tls and not (self.folder / "key.pem").exists():
            self._certificate()
        self.conf.write_text(self.configuration())

    @property
    def conf(self):
        return self.folder / "httpd.conf"

    def document_root(self):
        """An empty folder. httpd's children must be able to walk there; when root starts httpd they
        are somebody else, who may not enter a private folder."""
        if os.geteuid() == 0:
            return "/usr/local/games" if os.path.isdir("/usr/local/games") else "/usr"
        folder = self.folder / "docroot"
        folder.mkdir(exist_ok=True)
        return folder

    def _certificate(self):
        done = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
             str(self.folder / "key.pem"), "-out", str(self.folder / "cert.pem")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise StackError(f"openssl: {done.stderr}")

    def configuration(self):
        modules = [f"mpm_{self.mpm}", *self.modules]
        extra = ""
        if self.tls:
            modules += ["socache_shmcb", "ssl"]
            extra += (f"SSLEngine on\nSSLCertificateFile {self.folder}/cert.pem\n"
                      f"SSLCertificateKeyFile {self.folder}/key.pem\n")
        if self.http2:
            modules.append("http2")
            extra += "Protocols h2 h2c http/1.1\n"
        return f"""\
ServerRoot {self.folder}
ServerName localhost
DefaultRuntimeDir {self.folder}
PidFile {self.folder}/httpd.pid
GracefulShutdownTimeout 5
Listen {self.host}:{self.port}
{load_modules(modules, self.module_folder())}
LoadModule kafkacam_module {self.build.need(self.build.module)}
{drop_privileges()}
{self._mpm_settings()}
DocumentRoot {self.document_root()}
ErrorLog {self.log}
LogLevel {self.log_level}
LogFormat "%h %t \\"%r\\" %>s %O %D %X" demo
CustomLog {self.folder}/access.log demo
Timeout 60
{extra}
KafkaCamBrokers {self.broker.address}
KafkaCamTopic {self.topic}
{self._client_settings()}{self.locations}
{self.snippet}
"""

    def _mpm_settings(self):
        if self.mpm == "prefork":
            return "StartServers 4\nServerLimit 64\nMaxRequestWorkers 64\n"
        # A child that ends gracefully keeps its slot until its last connection is gone.
        # Suspended viewers count as connections: room for KafkaCamMaxViewers of them.
        factor = (f"AsyncRequestWorkerFactor {20000 // (self.children * self.threads)}\n"
                  if self.mpm == "event" else "")
        return (f"{factor}StartServers {self.children}\nServerLimit {4 * self.children}\n"
                f"ThreadsPerChild {self.threads}\nThreadLimit {self.threads}\n"
                f"MaxRequestWorkers {self.children * self.threads}\n"
                f"MinSpareThreads 1\nMaxSpareThreads {self.children * self.threads}\n")

    def _client_settings(self):
        return "".join(f"KafkaCamProperty {name} {value}\n"
                       for name, value in self.broker.client_settings.items())

    def environment(self):
        environment = {name: value for name, value in os.environ.items()
                       if name in ("PATH", "HOME", "LANG", "TMPDIR", "TZ")}
        sanitizer = self.build.sanitizer()
        if sanitizer:
            # httpd itself is not instrumented, so the library must come first; leaks of its pools
            # and of the other modules are not ours to find.
            environment.update(LD_PRELOAD=sanitizer, UBSAN_OPTIONS="print_stacktrace=1",
                               ASAN_OPTIONS="detect_leaks=0:detect_odr_violation=0")
        return environment

    def command(self):
        return [self.program(), "-f", str(self.conf), "-DFOREGROUND"]

    def start(self):
        check = self.configtest()
        if check.returncode != 0:
            raise StackError(f"httpd's configuration: {check.stderr.strip()}")
        return super().start()

    def configtest(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        return subprocess.run([*self.command()[:3], "-t"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, check=False,
                              env=self.environment())

    def ready(self):
        return "resuming normal operations" in self.log_since_start() and listening(self.port)

    def graceful(self):
        """Restart gracefully and wait until the new children serve."""
        begin = len(self.log_text())
        self.signal(signal.SIGUSR1)
        self.wait_log("resuming normal operations", begin=begin)

    def children_pids(self):
        return [pid for pid in self.members() if pid != self.pid]


def load_modules(names, folder):
    """LoadModule lines; what is built into httpd itself (on some systems) needs none."""
    return "\n".join(f"LoadModule {name}_module {folder}/mod_{name}.so" for name in names
                     if os.path.exists(f"{folder}/mod_{name}.so"))


def drop_privileges():
    """httpd started by root wants another user for its children."""
    if os.geteuid() != 0:
        return ""
    for user, group in (("www-data", "www-data"), ("nobody", "nogroup"), ("nobody", "nobody")):
        with contextlib.suppress(KeyError):
            return f"User {pwd.getpwnam(user).pw_name}\nGroup {grp.getgrnam(group).gr_name}"
    raise StackError("neither www-data nor nobody exists: httpd cannot run as root")


class Outside:
    """A broker that somebody else runs."""

    client_settings = {}
    creates_topics = True

    def __init__(self, address):
        self.address = address

    def start(self):
        host, _, port = self.address.rpartition(":")
        if not port.isdigit() or not listening(int(port), host):
            raise StackError(f"Kafka at {self.address} does not answer")

    def stop(self):
        pass

    def check(self):
        pass


def make_broker(kind, folder, build):
    if kind == "embedded":
        return Broker(folder, build)
    return ApacheKafka(folder) if kind == "apache" else Outside(kind)


class Stack(Running):
    """The whole chain in one folder. Everything that does not depend on another starts at once."""

    def __init__(self, folder, *, cameras=4, kafka="embedded", broker=None, port=0, urls=(),
                 build=None, fps=5, producer=None, httpd=None, camera_options=()):
        """kafka: embedded, apache, or HOST:PORT; broker: one that runs and goes on running. producer:
        its settings; httpd: options of Httpd."""
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        build = build or Build()
        self.urls, self.fps = list(urls), fps
        self.own_broker = broker is None
        self.broker = broker or make_broker(kafka, self.folder, build)
        topic = getattr(broker, "topic", "video")
        self.database = Database(self.folder)
        self.cameras = None if urls else Cameras(
            self.folder, cameras, mjpeg=[2] if cameras > 1 else [],
            digest=[3] if cameras > 2 else [], options=camera_options)
        self.producer = Producer(self.folder, self.database, self.broker, build, producer, topic)
        self.httpd = Httpd(self.folder, self.broker, build, port=port, topic=topic, **(httpd or {}))
        self.journal = None     # a file that names all our processes, for stop_recorded()
        for part in self.parts:
            part.on_start = self._write_journal

    @property
    def parts(self):
        """In the order of starting."""
        broker = self.broker if self.own_broker else None
        return [part for part in (broker, self.database, self.cameras, self.producer,
                                  self.httpd) if part]

    @property
    def numbers(self):
        return list(range(1, len(self.urls) + 1)) if self.urls else self.cameras.numbers

    def start(self):
        try:
            together([part.start for part in self.parts[:-2]])
            self.add_rows()
            together([self.producer.start, self.httpd.start])
        except BaseException:
            self.abandon()
            raise
        return self

    def add_rows(self):
        if self.database.execute("SELECT COUNT(*) FROM cameras")[0][0]:
            return                              # started again in the same folder
        for number in self.numbers:
            url = self.urls[number - 1] if self.urls else self.cameras.url(number)
            self.database.add_camera(number, url, fps=self.fps)

    def stop(self):
        """Stop all, in the opposite order; the first trouble is raised when everything is down."""
        troubles = []
        for part in reversed(self.parts):
            try:
                part.stop()
            except StackError as error:
                troubles.append(error)
        if troubles:
            raise troubles[0]

    def abandon(self):
        for part in reversed(self.parts):
            if isinstance(part, Part):
                part.abandon()

    def check(self):
        """StackError if a part has ended by itself."""
        for part in self.parts:
            part.check()

    def _write_journal(self):
        if not self.journal:
            return
        pids = {}
        for part in reversed(self.parts):
            stat = process_stat(part.pid) if isinstance(part, Part) and part.pid else None
            if stat:
                pids[part.name] = [part.pid, stat[1]]
        write_journal(self.journal, pids)


def together(calls):
    """Run calls in a thread each; the first one's exception is raised when all have ended."""
    failures = []

    def run(call):
        try:
            call()
        except Exception as error:  # noqa: BLE001: raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:       # Ctrl-C: whoever cleans up wants them to have ended
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]


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
