"""The parts together."""

import pathlib
import threading

from .account import close_to_others
from .apache_kafka import ApacheKafka
from .broker import Broker, Outside
from .build import Build
from .cameras import Cameras
from .cluster import Cluster
from .database import Database
from .httpd import Httpd
from .journal import write_journal
from .part import Part, Running
from .processes import process_stat
from .producer import Producer
from .waiting import StackError, together


def make_broker(kind, folder, build, count=1):
    if count > 1 and kind != "apache":
        raise StackError(f"{count} brokers are several Apache Kafkas: kafka={kind} is one")
    if kind == "embedded":
        return Broker(folder, build)
    if kind == "apache":
        return Cluster(folder, count) if count > 1 else ApacheKafka(folder)
    return Outside(kind)


class Stack(Running):
    """The whole chain in one folder. Everything that does not depend on another starts at once."""

    def __init__(self, folder, *, cameras=4, kafka="embedded", brokers=1, broker=None, port=0, urls=(),
                 build=None, fps=5, producer=None, httpd=None, camera_options=()):
        """kafka: embedded, apache, or HOST:PORT; brokers: how many, if apache; broker: one that runs and
        goes on running. producer: its settings; httpd: options of Httpd."""
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        close_to_others(self.folder)
        build = build or Build()
        self.urls, self.fps = list(urls), fps
        self.own_broker = broker is None
        self.broker = broker or make_broker(kafka, self.folder, build, brokers)
        topic = getattr(broker, "topic", "video")
        self.database = Database(self.folder)
        self.cameras = None if urls else Cameras(
            self.folder, cameras, mjpeg=[2] if cameras > 1 else [],
            digest=[3] if cameras > 2 else [], options=camera_options)
        self.producer = Producer(self.folder, self.database, self.broker, build, producer, topic)
        self.httpd = Httpd(self.folder, self.broker, build, port=port, topic=topic, **(httpd or {}))
        self.writing = threading.Lock()     # parts start side by side, and each is written down
        self.journal = None     # a file that names all our processes, for stop_recorded()
        for part in self.parts:
            part.on_start = self._write_journal

    @property
    def parts(self):
        """In the order of starting."""
        nodes = getattr(self.broker, "nodes", [self.broker]) if self.own_broker else []
        return [*nodes, *self._clients]

    @property
    def _clients(self):
        return [part for part in (self.database, self.cameras, self.producer, self.httpd) if part]

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
        kafka = [self.broker] if self.own_broker else []
        for part in reversed([*kafka, *self._clients]):
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
        with self.writing:
            pids = {}
            for part in reversed(self.parts):
                stat = process_stat(part.pid) if isinstance(part, Part) and part.pid else None
                if stat:
                    pids[part.name] = [part.pid, stat[1]]
            write_journal(self.journal, pids)
