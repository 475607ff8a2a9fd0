"""The supervisor with a test double of a camera: processes follow the table, whatever happens."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import kafka
import pytest

import stack

FAKE = pathlib.Path(__file__).resolve().parent / "fake_camera.py"
SOON_S = 20


class Supervisor(stack.Producer):
    """kafkacam-producer with the test double, quick in all it does."""

    extra_environment = {}
    stop_s = 5              # that is what it promises

    def __init__(self, folder, database, broker, build, settings=None):
        quick = {"producer": {"camera_program": FAKE, "catalog_interval": "1 s",
                              "report_interval": "300 ms", "status_interval": "1 s",
                              "start_interval": "0 ms"}}
        for section, keys in (settings or {}).items():
            quick.setdefault(section, {}).update(keys)
        super().__init__(folder, database, broker, build, quick, topic=broker.topic)

    def environment(self):
        return {**os.environ, **self.extra_environment}

    def pid_of(self, cam):
        """The process that serves a camera now, or None."""
        for path in sorted(self.folder.glob(f"jobs/{cam}.*.json")):
            pid = int(path.name.split(".")[1])
            state = stack.process_stat(pid)
            if state and state[2] != "Z":
                return pid
        return None

    def wait_pid(self, cam, other_than=None):
        def there():
            pid = self.pid_of(cam)
            return pid if pid and pid != other_than else None
        return stack.wait_for(there, SOON_S, f"camera {cam} does not run")

    def wait_gone(self, cam):
        stack.wait_for(lambda: not self.pid_of(cam), SOON_S, f"camera {cam} runs on")

    def starts(self, cam):
        return len(list(self.folder.glob(f"jobs/{cam}.*.json")))

    def seen(self, cam):
        """What the newest process of a camera was given."""
        return json.loads((self.folder / f"jobs/{cam}.{self.wait_pid(cam)}.json").read_text())

    def statuses(self):
        """{camera: newest status, None for an empty record}; not there: never one."""
        consumer = kafka.KafkaConsumer(bootstrap_servers=self.broker.address,
                                       consumer_timeout_ms=3000)
        partition = kafka.TopicPartition(f"{self.topic}.status", 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        found = {}
        while consumer.position(partition) < end:
            for records in consumer.poll(1000).values():
                for record in records:
                    found[int(record.key)] = record.value and json.loads(record.value)
        consumer.close()
        return found

    def wait_status(self, cam, condition, what):
        def reached():
            status = self.statuses().get(cam, "none yet")
            return (status or True) if condition(status) else None
        return stack.wait_for(reached, SOON_S, f"camera {cam}: {what}")

    def wait_state(self, cam, state):
        return self.wait_status(cam, lambda s: isinstance(s, dict) and s["state"] == state, state)

    def complaints(self, *words):
        """The log's warnings and errors that have all these words."""
        return [line for line in self.log_text().splitlines()
                if re.search(r"\bKC\d{4}\b", line) and all(word in line for word in words)]


@pytest.fixture(scope="module")
def shared_database(new_folder):
    with stack.Database(new_folder()) as database:
        yield database


@pytest.fixture
def database(shared_database):
    if not shared_database.running():       # a test that failed has left it so
        shared_database.start()
    shared_database.execute("DELETE FROM cameras")
    return shared_database


@pytest.fixture
def make_supervisor(folder, database, broker, build):
    """Call it with settings for a supervisor that runs; stopped afterwards."""
    made = []

    def make(settings=None, environment=None):
        made.append(Supervisor(folder, database, broker, build, settings))
        made[-1].extra_environment = environment or {}
        return made[-1].start()
    yield make
    for one in made:
        one.stop()


def camera(database, number, way="stream", **columns):
    database.add_camera(number, f"rtsp://user:t0psecret@127.0.0.1:554/{way}", **columns)


@pytest.mark.both_brokers
def test_processes_follow_the_table_and_others_notice_nothing(make_supervisor, database):
    camera(database, 1)
    camera(database, 2, enabled=0)
    supervisor = make_supervisor()
    first = supervisor.wait_pid(1)

    camera(database, 3, fps=12.5, width=320)                    # added
    third = supervisor.wait_pid(3)
    assert supervisor.seen(3)["job"]["fps"] == 12.5

    database.change_camera(3, quality=50)                       # changed
    changed = supervisor.wait_pid(3, other_than=third)
    assert supervisor.seen(3)["job"]["quality"] == 50
    assert supervisor.seen(3)["job"]["epoch_ms"] > 0

    database.change_camera(3, name="Gate")                      # a name needs no new process
    supervisor.wait_status(3, lambda s: isinstance(s, dict) and s["name"] == "Gate", "no new name")
    assert supervisor.pid_of(3) == changed

    database.change_camera(2, enabled=1)                        # enabled
    supervisor.wait_pid(2)
    database.change_camera(3, enabled=0)                        # disabled
    supervisor.wait_gone(3)
    database.delete_camera(2)                                   # deleted
    supervisor.wait_gone(2)
    for cam in (2, 3):
        supervisor.wait_status(cam, lambda s: s is None, "its status stays")
    assert supervisor.pid_of(1) == first and supervisor.starts(1) == 1


def test_a_process_gets_its_job_and_nothing_else(make_supervisor, database):
    camera(database, 7, name="Tür", transport="udp", small_width=160)
    supervisor = make_supervisor({"kafka": {"kafka.linger.ms": "3"}},
                                 environment={"SECRET": "t0psecret", "NOTIFY_SOCKET": "/nowhere"})
    seen = supervisor.seen(7)
    job = seen["job"]
    assert job["url"] == "rtsp://user:t0psecret@127.0.0.1:554/stream"
    assert (job["name"], job["transport"], job["small_topic"]) == ("Tür", 1, "video.small")
    assert (job["fps"], job["quality"]) == (5, 0)       # 0: the camera decides
    assert ["bootstrap.servers", supervisor.broker.address] in job["kafka"]
    assert ["linger.ms", "3"] in job["kafka"]
    assert sorted(map(int, seen["descriptors"])) == [0, 1, 2, 3]
    assert seen["descriptors"]["0"] == "/dev/null"
    assert seen["blocked"] == 0
    assert set(seen["environment"]) <= {"PATH", "LD_LIBRARY_PATH", "JOURNAL_STREAM", "TZ", "LC_CTYPE",
                                        "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}
    assert seen["arguments"] == []


@pytest.mark.expects_log("KC1101", "KC1302")
def test_a_password_shows_nowhere(make_supervisor, database):
    secrets = {1: "p%40ss%3Aw%2Frd%25", 2: "p@ss:w0rd%zz", 3: "p@ss:w/rd?#"}
    for cam, secret in secrets.items():
        host = "ho|st" if cam == 3 else "127.0.0.1"
        database.add_camera(cam, f"rtsp://user:{secret}@{host}:554/"
                                 + ("fail" if cam == 2 else "stream"))
    supervisor = make_supervisor({"producer": {"log_level": "trace"}})
    supervisor.wait_state(1, "streaming")
    supervisor.wait_state(2, "failed")
    refused = supervisor.wait_state(3, "failed")        # which part is the host?
    assert "%40" in refused["error"]
    supervisor.wait_pid(1)
    processes = ""
    for pid in supervisor.members():
        for name in ("cmdline", "environ"):
            try:
                processes += pathlib.Path(f"/proc/{pid}/{name}").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                pass
    shown = supervisor.log_text() + processes + json.dumps(supervisor.statuses())
    for part in (*secrets.values(), "w%2F", "w0rd", "w/rd", "t0psecret", database.password):
        assert part not in shown, part


@pytest.mark.expects_log("KC1101")
def test_rows_with_nonsense_are_refused_once_and_harm_nobody(make_supervisor, database):
    camera(database, 1)
    database.add_camera(2, "file:///etc/passwd")
    database.add_camera(3, "concat:a|b")
    database.add_camera(4, "")
    database.add_camera(5, "rtsp:///nowhere")
    database.add_camera(6, "rtsp://h/x", quality=101)
    database.add_camera(7, "rtsp://h/x", width=65535)
    camera(database, 1001)
    camera(database, 4000000000)
    supervisor = make_supervisor()
    supervisor.wait_state(1, "streaming")
    for cam in range(2, 8):
        assert supervisor.wait_state(cam, "failed")["error"]
    for _ in range(2):                                  # as often as it is read
        begin = len(supervisor.log_text())
        supervisor.signal(signal.SIGHUP)
        supervisor.wait_log("reading the table", begin=begin)
        camera(database, 9)
        supervisor.wait_pid(9)
        database.delete_camera(9)
        supervisor.wait_gone(9)
    for cam in (2, 3, 4, 5, 6, 7, 1001, 4000000000):
        assert len(supervisor.complaints("KC1101", f"id {cam} ")) == 1
    assert "max_cameras" in supervisor.complaints("id 1001 ")[0]
    assert supervisor.starts(1) == 1 and not supervisor.starts(2)

    database.change_camera(2, url="rtsp://h/stream")    # put right
    supervisor.wait_pid(2)
    supervisor.wait_state(2, "streaming")
    database.change_camera(1, url="gopher://h")         # and wrong
    supervisor.wait_gone(1)
    supervisor.wait_state(1, "failed")


@pytest.mark.expects_log("KC1101")
def test_max_cameras_is_the_highest_number(make_supervisor, database):
    camera(database, 3)
    camera(database, 4)
    supervisor = make_supervisor({"producer": {"max_cameras": "3"}})
    supervisor.wait_pid(3)
    supervisor.wait_log(r"id 4 .*from 0 to 3")
    assert not supervisor.starts(4)


@pytest.mark.expects_log("KC1302")
def test_a_camera_that_fails_is_started_again_and_complains_once(make_supervisor, database):
    camera(database, 1, "fail")
    supervisor = make_supervisor()
    status = supervisor.wait_status(1, lambda s: isinstance(s, dict) and s["restarts"] >= 3,
                                    "it is not started again")
    stack.wait_for(lambda: supervisor.starts(1) >= 3, SOON_S, "too few starts")
    assert status["error"] == "the camera says 401 Unauthorized to rtsp://user:***@host/x"
    assert len(supervisor.complaints("camera 1")) == 1
    database.change_camera(1, url="rtsp://h/stream")
    supervisor.wait_state(1, "streaming")


@pytest.mark.expects_log("KC1302")
def test_a_camera_that_crashes_is_started_again(make_supervisor, database):
    camera(database, 1, "crash")
    supervisor = make_supervisor()
    stack.wait_for(lambda: supervisor.starts(1) >= 2, SOON_S, "it is not started again")
    assert "signal 9" in supervisor.wait_state(1, "failed")["error"]


@pytest.mark.expects_log("KC1304")
def test_silence_kills(make_supervisor, database):
    camera(database, 1)
    camera(database, 2)
    supervisor = make_supervisor()
    supervisor.wait_state(1, "streaming")
    frozen, other = supervisor.wait_pid(1), supervisor.wait_pid(2)
    os.kill(frozen, signal.SIGSTOP)
    supervisor.wait_pid(1, other_than=frozen)
    supervisor.wait_log("camera 1 streams again")
    assert supervisor.pid_of(2) == other
    assert not supervisor.complaints("camera 2")


@pytest.mark.expects_log("KC1304")
def test_a_process_that_never_says_a_word_is_killed(make_supervisor, database):
    camera(database, 1, "silent")
    supervisor = make_supervisor()
    first = supervisor.wait_pid(1)
    supervisor.wait_pid(1, other_than=first)
    assert supervisor.complaints("KC1304", "camera 1")


def test_a_supervisor_that_was_stopped_kills_nobody_for_it(make_supervisor, database):
    camera(database, 1)
    supervisor = make_supervisor()
    supervisor.wait_state(1, "streaming")
    pid = supervisor.wait_pid(1)
    supervisor.signal(signal.SIGSTOP)
    time.sleep(2)               # more than three reports: what is tested is the passing of time
    supervisor.signal(signal.SIGCONT)
    database.change_camera(1, name="Gate")
    supervisor.wait_status(1, lambda s: isinstance(s, dict) and s["name"] == "Gate", "no new name")
    assert supervisor.pid_of(1) == pid


@pytest.mark.expects_log("KC1303")
def test_a_process_that_sends_nonsense_is_killed(make_supervisor, database):
    camera(database, 1, "nonsense")
    supervisor = make_supervisor()
    stack.wait_for(lambda: supervisor.starts(1) >= 3, SOON_S, "it is not started again")
    assert "nonsense" in supervisor.wait_state(1, "failed")["error"]
    assert len(supervisor.complaints("camera 1")) == 1


def test_stop_takes_less_than_5_seconds_even_if_cameras_are_deaf(make_supervisor, database):
    for cam in range(1, 6):
        camera(database, cam, "deaf" if cam == 3 else "stream")
    supervisor = make_supervisor()
    for cam in range(1, 6):
        supervisor.wait_state(cam, "streaming")
    supervisor.stop()           # raises after 5 s, and if a process is left
    for cam in range(1, 6):
        status = supervisor.statuses()[cam]
        assert status["state"] == "failed" and "was stopped" in status["error"]
    supervisor.start()


def test_a_killed_supervisor_leaves_no_process(make_supervisor, database):
    camera(database, 1)
    camera(database, 2)
    supervisor = make_supervisor()
    pids = [supervisor.wait_pid(1), supervisor.wait_pid(2)]
    supervisor.kill()
    stack.wait_for(lambda: not any((stack.process_stat(pid) or "ZZZ")[2] != "Z" for pid in pids),
                   SOON_S, "cameras outlive the supervisor")
    supervisor.start()
    assert supervisor.wait_pid(1) not in pids


@pytest.mark.expects_log("KC1301")
def test_a_program_that_cannot_be_started_is_said_once(make_supervisor, database, folder):
    program = folder / "camera"
    camera(database, 1)
    camera(database, 2)
    supervisor = make_supervisor({"producer": {"camera_program": program}})
    supervisor.wait_log(f"KC1301: {program} cannot be started: No such file")
    supervisor.wait_state(1, "failed")
    shutil.copy(FAKE, program)
    supervisor.wait_state(1, "streaming")
    supervisor.wait_state(2, "streaming")
    assert len(supervisor.complaints("KC1301")) == 1


@pytest.mark.expects_log("KC1100")
def test_a_database_that_goes_and_comes_back_is_waited_for(make_supervisor, database):
    camera(database, 1)
    supervisor = make_supervisor()
    pid = supervisor.wait_pid(1)
    database.stop()
    supervisor.wait_log("KC1100")
    assert supervisor.pid_of(1) == pid
    supervisor.stop()           # and one that is away at the start
    supervisor.start()
    database.start()
    supervisor.wait_log("is back after")
    again = supervisor.wait_pid(1)
    camera(database, 2)
    supervisor.wait_pid(2)
    assert supervisor.pid_of(1) == again


@pytest.mark.expects_log("KC1100")
def test_a_database_that_accepts_and_never_answers_holds_nothing_up(make_supervisor, database):
    camera(database, 1)
    supervisor = make_supervisor()
    supervisor.wait_state(1, "streaming")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        supervisor.stop()
        supervisor.settings["database"] = {"host": "127.0.0.1", "socket": "", "timeout": "1 h",
                                           "port": silent.getsockname()[1]}
        supervisor.start()
        silent.settimeout(SOON_S)
        connection, _ = silent.accept()
        supervisor.stop()       # within 5 s all the same
        connection.close()
        del supervisor.settings["database"]
        supervisor.start()
        supervisor.wait_state(1, "streaming")


def test_sighup_reads_the_table(make_supervisor, database):
    camera(database, 1)
    supervisor = make_supervisor({"producer": {"catalog_interval": "1 h"}})
    supervisor.wait_pid(1)
    camera(database, 2)
    supervisor.signal(signal.SIGHUP)
    supervisor.wait_pid(2)


@pytest.mark.both_brokers
def test_status_records_of_rows_that_went_meanwhile_are_buried(make_supervisor, database):
    camera(database, 1)
    camera(database, 2)
    supervisor = make_supervisor()
    supervisor.wait_state(2, "streaming")
    supervisor.stop()
    database.delete_camera(2)
    supervisor.start()
    supervisor.wait_status(2, lambda s: s is None, "its status stays")
    supervisor.wait_state(1, "streaming")
    database.add_camera(2, "rtsp://h/stream")
    supervisor.wait_state(2, "streaming")


@pytest.mark.both_brokers
def test_a_status_says_how_a_camera_is_doing(make_supervisor, database):
    camera(database, 1, name="Gate")
    supervisor = make_supervisor({"producer": {"host": "here"}})
    status = supervisor.wait_status(1, lambda s: isinstance(s, dict) and s.get("fps"), "no numbers")
    assert (status["name"], status["state"], status["host"]) == ("Gate", "streaming", "here")
    assert (status["fps"], status["w"], status["h"], status["bytes_per_s"]) == (5, 640, 360, 50000)
    assert status["fps_in"] == 25 and status["restarts"] == 0 and 0 <= status["cpu"] < 2
    assert abs(status["since"] / 1000 - time.time()) < 60
    assert "error" not in status


@pytest.mark.both_brokers
@pytest.mark.expects_log("KC1204")
def test_partitions_are_added_or_the_command_for_it_is_named(make_supervisor, database, broker):
    camera(database, 1)
    camera(database, 200)
    supervisor = make_supervisor()
    supervisor.wait_state(1, "streaming")
    if broker.creates_topics:
        supervisor.wait_state(200, "streaming")
        assert not supervisor.complaints("KC1204")
    else:               # the embedded broker cannot
        supervisor.wait_log(r"KC1204: topic video has 65 partitions, cameras up to 200 ask for 201,.*"
                            r"kafka-topics.sh --bootstrap-server .* --alter --topic video "
                            r"--partitions 201")
        assert not supervisor.starts(200)
        assert len(supervisor.complaints("KC1204")) == 1


@pytest.mark.both_brokers
def test_topics_are_made_as_the_settings_say(make_supervisor, database, broker):
    camera(database, 3)
    supervisor = make_supervisor({"kafka": {"retention_time": "2 h", "retention_bytes": "100M"}})
    supervisor.wait_state(3, "streaming")
    camera(database, 5, small_width=160)
    supervisor.wait_state(5, "streaming")
    if not broker.creates_topics:
        return          # its topics were there before
    client = kafka.KafkaAdminClient(bootstrap_servers=broker.address)
    partitions = {topic["topic"]: len(topic["partitions"])
                  for topic in client.describe_topics() if topic["topic"].startswith(broker.topic)}
    assert partitions[broker.topic] == 6
    assert partitions[f"{broker.topic}.status"] == 1
    assert partitions[f"{broker.topic}.small"] == 6

    def settings(name):
        resource = kafka.admin.ConfigResource(kafka.admin.ConfigResourceType.TOPIC, name)
        return {entry[0]: entry[1] for entry in
                client.describe_configs([resource])[0].resources[0][4]}
    made = settings(broker.topic)
    assert made["retention.ms"] == str(2 * 3600 * 1000)
    assert made["retention.bytes"] == str(100 << 20)
    assert made["segment.bytes"] == str(64 << 20)
    assert made["max.message.bytes"] == str(4 << 20)
    assert settings(f"{broker.topic}.status")["cleanup.policy"] == "compact"
    client.close()


@pytest.mark.expects_log("KC1205")
def test_a_small_topic_that_cannot_be_had_costs_the_small_pictures_alone(folder, database, build):
    camera(database, 1, small_width=160)
    broker = stack.Broker(folder / "b", build, topics={"video": 3, "video.status": 1})
    broker.topic = "video"
    with broker, Supervisor(folder, database, broker, build) as supervisor:
        supervisor.wait_log(r"KC1205: topic video.small is missing and cannot be made: .*"
                            r"kafka-topics.sh .* --create --topic video.small --partitions 2 "
                            r"--config retention.ms=3600000 .*--config max.message.bytes=4194304",
                            deadline_s=40)
        supervisor.wait_state(1, "streaming")


@pytest.mark.expects_log("KC1203")
def test_a_broker_that_is_away_is_waited_for(make_supervisor, database, broker):
    camera(database, 1)
    broker.stop()
    supervisor = make_supervisor()
    supervisor.wait_log("KC1203")
    assert not supervisor.starts(1)
    broker.start()
    supervisor.wait_state(1, "streaming")
    pid = supervisor.wait_pid(1)
    broker.stop()
    camera(database, 2)
    supervisor.wait_pid(2)          # its partition is known
    broker.start()
    supervisor.wait_state(2, "streaming")
    assert supervisor.pid_of(1) == pid
    broker.stop()
    supervisor.stop()               # within 5 s all the same
    broker.start()
    supervisor.start()


def test_systemd_is_told(make_supervisor, database, folder):
    camera(database, 1)
    path = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(path)
        told.settimeout(SOON_S)
        supervisor = make_supervisor(environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        words = []
        while not {"READY=1", "STATUS=1 of 1 cameras streaming", "WATCHDOG=1"} <= set(words):
            words += told.recv(1000).decode().splitlines()
        supervisor.stop()
        while "STOPPING=1" not in words:
            words += told.recv(1000).decode().splitlines()
        supervisor.start()


def run(supervisor, *options, conf=None):
    done = subprocess.run([str(supervisor.build.producer), "-c", str(conf or supervisor.conf),
                           *options], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_check_says_what_is_wrong(make_supervisor, database, folder):
    camera(database, 1)
    supervisor = make_supervisor()
    status, text = run(supervisor, "--check")
    assert status == 0 and "all is right" in text
    assert run(supervisor, "--test")[0] == 0

    def check(old, new, *options):
        conf = folder / "wrong.conf"
        stack.write_private(conf, re.sub(old, new, supervisor.conf.read_text(), flags=re.M))
        return run(supervisor, *(options or ("--check",)), conf=conf)
    status, text = check("^password = .*", "password = wrong")
    assert status == 1 and "KC1104" in text and "Access denied" in text
    status, text = check("^brokers = .*", f"brokers = 127.0.0.1:{stack.free_port()}")
    assert status == 1 and "KC1208" in text
    status, text = check("^camera_program = .*", "camera_program = /nonexistent")
    assert status == 1 and "KC1400" in text
    status, text = check("^name = .*", "name = kafkacam\ntable = nothing", "--check")
    assert status == 1 and "KC1104" in text and "nothing" in text
    for words, named in (("kafka.enable.idempotence = true", "enable.idempotence"),
                         ("kafka.security.protocol = SASL_PLAINTEXT", "Kerberos")):
        status, text = check("^brokers", f"{words}\nbrokers", "--test")
        assert status == 1 and named in text, text
    status, text = check("^brokers", "kafka.no.such.thing = 1\nbrokers", "--test")
    assert status == 1 and re.search(r"wrong.conf:\d+: kafka.no.such.thing: No such", text)
    status, text = check("^brokers", "broker", "--test")
    assert status == 1 and re.search(r'wrong.conf:\d+: no key "broker"', text)
    supervisor.stop()           # that it refuses the row as well is not the point here
    camera(database, 4711)
    status, text = run(supervisor, "--check")
    assert status == 1 and "id 4711" in text
    database.delete_camera(4711)
    supervisor.start()


@pytest.mark.expects_log("KC1100")
def test_a_table_without_the_column_enabled_starts_nothing(make_supervisor, database):
    camera(database, 1)
    camera(database, 2, enabled=0)
    database.execute("ALTER TABLE cameras RENAME COLUMN enabled TO switched_on")
    try:
        supervisor = make_supervisor()
        supervisor.wait_log("the table has no column enabled")
        assert not supervisor.starts(2)
    finally:
        database.execute("ALTER TABLE cameras RENAME COLUMN switched_on TO enabled")
    supervisor.wait_state(1, "streaming")
    assert not supervisor.starts(2)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("start-stop-daemon"),
                    reason="init scripts are for root, and Debian's start-stop-daemon")
def test_the_init_script(folder, database, broker, build):
    database.add_camera(1, f"rtsp://127.0.0.1:{stack.free_port()}/nobody")
    supervisor = Supervisor(folder, database, broker, build,
                            {"producer": {"camera_program": build.camera}})
    supervisor.folder.mkdir()
    supervisor.prepare()
    text = (build.folder / "conf" / "kafkacam-producer").read_text()
    for name, value in (("DAEMON", build.producer), ("CONF", supervisor.conf),
                        ("PIDFILE", folder / "pid"), ("RUNUSER", "root")):
        text, count = re.subn(rf"^{name}=.*", f"{name}={value}", text, flags=re.M)
        assert count == 1
    script = folder / "kafkacam-producer"
    script.write_text(text)

    def init(verb):
        return subprocess.run(["sh", script, verb], capture_output=True, text=True, timeout=30,
                              check=False)
    assert init("status").returncode == 3
    assert init("stop").returncode == 0
    try:
        assert init("start").returncode == 0
        assert init("start").returncode == 0
        assert init("status").returncode == 0
        supervisor.wait_state(1, "failed")
        first = (folder / "pid").read_text()
        database.add_camera(2, "rtsp://127.0.0.1:1/nobody")
        assert init("reload").returncode == 0
        supervisor.wait_state(2, "failed")
        assert init("restart").returncode == 0
        assert (folder / "pid").read_text() != first
    finally:
        assert init("stop").returncode == 0
    assert init("status").returncode == 3
    supervisor.conf.write_text("[kafka]\nbroker = x\n")
    done = init("start")
    assert done.returncode == 1 and "no key" in done.stdout + done.stderr
    assert init("nonsense").returncode == 3


def test_options_are_those_of_the_man_pages(build):
    manual = pathlib.Path(__file__).resolve().parents[2] / "man"
    for program in (build.producer, build.camera):
        text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
        page = (manual / f"{program.name}.8").read_text()
        for option in re.findall(r"^ +(?:-\w, )?--([\w-]+)", text, re.M):
            assert re.search(rf"Fl -{option}\b", page), f"{program.name}(8) lacks --{option}"
    version = subprocess.run([build.producer, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"kafkacam-producer [\d.]+\n", version.stdout)
    assert subprocess.run([build.producer, "--nonsense"], capture_output=True).returncode == 2


def test_the_programs_are_linked_with_what_they_need_alone(build):
    def libraries(program):
        return subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"libav|libsw|jpeg", libraries(build.producer))
    assert not re.search(r"mariadb|mysql|libsystemd", libraries(build.camera))
