"""A real Apache Kafka."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import threading

from .part import Part
from .places import SOURCE, cache_folder
from .ports import free_port, listening
from .waiting import StackError

HERE = SOURCE / "demo" / "kafka"
fetching_once = threading.Lock()    # several nodes start side by side


class ApacheKafka(Part):
    """A real Apache Kafka, KRaft, alone or a node of a Cluster. The first start ever fetches it with Maven. Makes no
    topic by itself: the producer's admin client does, as in production."""

    name = "kafka"
    own_account = True
    start_s = 90
    stop_s = 60
    good_ends = (143,)          # Java's for SIGTERM
    client_settings = {}
    creates_topics = True

    def __init__(self, folder, port=0, settings=None, node=1, controllers=None):
        """node: its number among the controllers, {number: port}; alone it is the only one. settings:
        more of server.properties."""
        if controllers:
            self.name = f"kafka-{node}"
        super().__init__(folder)
        self.port = port or free_port()
        self.node, self.controllers = node, controllers or {node: free_port()}
        self.settings = settings or {}

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
        pom = HERE / "pom.xml"
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
        with fetching_once:
            classes = self.classes()
        return ["java", "-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-cp", f"{classes}/*",
                f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}", *arguments]

    def prepare(self):
        shutil.copy2(HERE / "log4j2.properties", self.folder)   # the tree may be where only root can go
        settings = self.folder / "server.properties"
        data = self.folder / "data"
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in self.controllers.items())
        settings.write_text(f"""\
process.roles=broker,controller
node.id={self.node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controllers[self.node]}
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
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
                **self.account())
            if done.returncode != 0:
                raise StackError(f"Apache Kafka's storage: {done.stdout}{done.stderr}")

    def command(self):
        return self.java("kafka.Kafka", str(self.folder / "server.properties"))

    def ready(self):
        return "Kafka Server started" in self.log_since_start() and listening(self.port)
