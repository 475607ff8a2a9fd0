"""Several Apache Kafkas that are one."""

import json
import shutil
import subprocess

from .apache_kafka import ApacheKafka
from .part import Running
from .ports import free_port
from .waiting import together

# Every topic on all nodes: whichever node dies, each partition goes on.
REPLICATED = {"default.replication.factor": "{count}", "min.insync.replicas": "1",
              "offsets.topic.replication.factor": "{count}",
              "transaction.state.log.replication.factor": "{count}",
              "leader.imbalance.check.interval.seconds": "5"}


# What docs/OPERATIONS.md advises beside the brokers' session: a dead controller is replaced in one second
# instead of two, and only then are dead brokers noticed.
QUICK = {"controller.quorum.fetch.timeout.ms": "1000", "controller.quorum.election.timeout.ms": "500",
         "controller.quorum.election.backoff.max.ms": "500", "controller.quorum.request.timeout.ms": "1000"}


class Cluster(Running):
    """Brokers 1 to count, each a controller too, so that any one of three may die. To its clients it is
    one broker; its nodes are parts of their own."""

    name = "kafka"
    client_settings = {}
    creates_topics = True

    def __init__(self, folder, count=3, settings=None):
        replicated = {name: value.format(count=count) for name, value in REPLICATED.items()}
        controllers = {node: free_port() for node in range(1, count + 1)}
        self.nodes = [ApacheKafka(folder, node=node, controllers=controllers,
                                  settings={**replicated, **QUICK, **(settings or {})})
                      for node in controllers]

    @property
    def address(self):
        return ",".join(node.address for node in self.nodes)

    def start(self):
        together([node.start for node in self.nodes])
        return self

    def stop(self):
        """All at once: the last two cannot elect anybody without the first."""
        together([node.stop for node in self.nodes if node.process])

    def abandon(self):
        for node in self.nodes:
            node.abandon()

    def check(self):
        for node in self.nodes:
            node.check()

    def node(self, number):
        return self.nodes[number - 1]

    def leaders(self, topic):
        """{partition: number of the node that leads it, -1 for none}, {} if nobody says."""
        kcat = shutil.which("kcat") or "kafkacat"
        done = subprocess.run([kcat, "-b", self.address, "-L", "-J", "-t", topic, "-m", "5"],
                              capture_output=True, text=True, timeout=30, check=False)
        topics = json.loads(done.stdout)["topics"] if done.returncode == 0 else []
        return {one["partition"]: one["leader"] for found in topics for one in found["partitions"]}
