"""The Kafka of a stack: embedded, or one that somebody else runs."""

import re
import shutil
import signal

from .build import Build
from .part import Part
from .ports import listening
from .waiting import StackError, wait_for

MAX_CAMERAS = 64                # partitions the embedded broker makes: it cannot add any later


class Broker(Part):
    """librdkafka's mock cluster (demo/broker.c): starts at once, keeps nothing."""

    name = "broker"
    own_account = True

    def __init__(self, folder, build=None, topics=None, port=0, brokers=1):
        super().__init__(folder)
        self.brokers = brokers
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

    def prepare(self):
        # A copy: the tree may be where only root can go.
        shutil.copy2(self.build.need(self.build.broker), self.folder)

    def command(self):
        command = [str(self.folder / self.build.broker.name), "--port", str(self.port),
                   "--brokers", str(self.brokers), "--commands", str(self.folder / "commands")]
        for name, partitions in self.topics.items():
            command += ["--topic", f"{name}:{partitions}"]
        return command

    def ready(self):
        found = re.search(r"^ready [^,]+:(\d+)(,\S+)?$", self.log_since_start(), re.M)
        if found:
            self.port = int(found.group(1))     # a restart gets the same one
        return found

    def tell(self, *commands):
        """Make trouble, as the program's --help says; returns when it is made."""
        begin = len(re.findall(r"^done ", self.log_text(), re.M))
        (self.folder / "commands").write_text("".join(f"{line}\n" for line in commands))
        self.signal(signal.SIGHUP)
        wait_for(lambda: len(re.findall(r"^done ", self.log_text(), re.M)) > begin, 10,
                 f"the broker has not done {commands}")


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
