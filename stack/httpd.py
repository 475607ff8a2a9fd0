"""Apache httpd with mod_kafkacam."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import subprocess

from .build import Build
from .part import Part
from .ports import free_port, listening
from .waiting import StackError


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
