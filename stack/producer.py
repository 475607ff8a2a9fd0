"""kafkacam-producer."""

from .build import Build
from .part import Part
from .places import write_private
from .processes import command_line


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
