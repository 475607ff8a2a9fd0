"""What the integration tests share: the real parts in a private folder, and a look at all logs after
each test.

A test takes `chain` (everything, shared by the tests of its file, which leave it as they found it),
`own_chain` or `make_chain` (its own), or `module` (broker and httpd alone, fed by `feed`). Tests
marked both_brokers are the ones that also run with --kafka apache. Warnings and errors of ours
(KCnnnn) in any log fail the test unless it is marked expects_log("KCnnnn", ...)."""

import os
import pathlib
import re
import shutil
import tempfile

import pytest

import camera
import clients
import hostile
import stack

# Nothing may ever write these.
CRASHES = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|exit signal|"
                     r"[Ss]egmentation fault|Assertion .* failed|stack smashing|double free|"
                     r"\[\w+:(crit|alert|emerg)\]|terminated by signal")


def pytest_addoption(parser):
    parser.addoption("--kafka", choices=("embedded", "apache"), default="embedded",
                     help="broker of the tests; apache runs those marked both_brokers or apache_only alone")


def pytest_collection_modifyitems(config, items):
    apache = config.getoption("--kafka") == "apache"
    wanted = ("both_brokers", "apache_only")
    chosen = [item for item in items
              if (any(map(item.get_closest_marker, wanted)) if apache
                  else not item.get_closest_marker("apache_only"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for part in Logs.parts:
            new = part.log_text()[Logs.seen.get(part, 0):]
            if new and part.name not in ("mariadb", "cameras"):
                report.sections.append((f"{part.name}: {part.log}", new[-5000:]))


class Logs:
    """Every part that a test creates, and how much of its log has been looked at."""

    parts = []
    seen = {}

    @classmethod
    def watch(cls, part):
        cls.parts.append(part)

    @staticmethod
    def is_httpds_own_end(part, line, place):
        """See stack.Httpd.stop()."""
        return ("AH00052" in line and "Segmentation fault" in line
                and getattr(part, "stopped_at", None) is not None and place > part.stopped_at)

    @classmethod
    def troubles(cls, allowed):
        """New lines in all logs that nobody expected."""
        lines = []
        for part in cls.parts:
            text = part.log_text()
            place, cls.seen[part] = cls.seen.get(part, 0), len(text)
            for line in text[place:].splitlines(keepends=True):
                place += len(line)
                if cls.is_httpds_own_end(part, line, place):
                    continue
                found = re.search(r"\bKC(\d{4})\b", line)
                if CRASHES.search(line) or found and f"KC{found.group(1)}" not in allowed:
                    lines.append(f"{part.name}: {line.rstrip()}")
        return lines


stack.Part.on_create = Logs.watch


@pytest.fixture(autouse=True)
def clean_logs(request, new_broker):
    yield
    allowed = {name for marker in request.node.iter_markers("expects_log") for name in marker.args}
    troubles = Logs.troubles(allowed)
    Logs.parts[:] = [part for part in Logs.parts if part.running() or part.folder.exists()]
    assert not troubles, "unexpected in the logs:\n" + "\n".join(troubles)


@pytest.fixture(scope="session")
def root():
    """The session's folder; short, because sockets live in it. Kept when something failed."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kc-"))
    stack.close_to_others(folder)
    yield folder
    left = stack.processes_in(folder)
    if not os.environ.get("KAFKACAM_KEEP"):
        shutil.rmtree(folder)
    assert not left, f"processes that no test has stopped: {left}"


@pytest.fixture(scope="session")
def new_folder(root):
    """Call it for a folder that nobody has used."""
    def make():
        make.count += 1
        folder = root / str(make.count)
        folder.mkdir()
        return folder
    make.count = 0
    return make


@pytest.fixture
def folder(new_folder):
    return new_folder()


@pytest.fixture(scope="session")
def build():
    return stack.Build()


@pytest.fixture(scope="session")
def kafka_kind(pytestconfig):
    return pytestconfig.getoption("--kafka")


@pytest.fixture(scope="session")
def apache(new_folder):
    """Call it for the session's Apache Kafka: it takes too long to start to have one each."""
    running = []

    def get():
        if not running:
            running.append(stack.ApacheKafka(new_folder()).start())
        get.count += 1
        running[0].topic = f"video{get.count}"
        return running[0]
    get.count = 0
    yield get
    for broker in running:
        broker.stop()


@pytest.fixture
def new_broker(kafka_kind, new_folder, build, apache):
    """Call it for a broker that runs, with a topic name that nobody has used on it. Embedded ones
    are stopped after everything else of the test (clean_logs sees to the order)."""
    running = []

    def make():
        if kafka_kind == "apache":
            return apache()
        running.append(stack.Broker(new_folder(), build))
        running[-1].topic = "video"
        return running[-1].start()
    yield make
    for broker in running:
        broker.stop()


@pytest.fixture
def broker(new_broker):
    return new_broker()


@pytest.fixture(scope="session")
def chain_maker(kafka_kind, apache, new_folder, build):
    """make(...) starts a Stack, on its own broker or on Apache Kafka; the caller stops it."""
    def make(**options):
        broker = apache() if kafka_kind == "apache" else None
        chain = stack.Stack(new_folder(), broker=broker, build=build, **options)
        chain.topic = chain.producer.topic
        return chain.start()
    return make


@pytest.fixture(scope="module")
def chain(chain_maker):
    """3 cameras at 5 fps (2: MJPEG, 3: password), shared by the tests of a file."""
    running = chain_maker(cameras=3)
    try:
        clients.wait_for_pictures(running.httpd, running.numbers)
        yield running
    finally:
        running.stop()


@pytest.fixture
def make_chain(chain_maker):
    """Call it for a chain of the test's own; stopped afterwards."""
    running = []

    def make(**options):
        running.append(chain_maker(**options))
        clients.wait_for_pictures(running[-1].httpd, running[-1].numbers)
        return running[-1]
    yield make
    for one in running:
        one.stop()


@pytest.fixture
def own_chain(make_chain):
    return make_chain(cameras=3)


@pytest.fixture
def make_httpd(new_folder, build):
    """Call it with a broker and Httpd's options for an httpd that runs; stopped afterwards."""
    running = []

    def make(broker, **options):
        running.append(stack.Httpd(new_folder(), broker, build, topic=broker.topic, **options))
        return running[-1].start()
    yield make
    for httpd in running:
        httpd.stop()


@pytest.fixture
def one_child(broker, make_httpd):
    """Call it with a snippet for an httpd of one child: what it says is what all say."""
    def make(snippet="", **options):
        return make_httpd(broker, snippet=snippet, children=1, **options)
    return make


@pytest.fixture
def feed(broker):
    """Writes records as a producer does, or as anybody else might."""
    with clients.Feed(broker.address, broker.topic) as one:
        one.make_topics(broker.creates_topics)
        yield one


@pytest.fixture
def module(broker, feed, make_httpd):
    """httpd on a broker that only the test writes to."""
    return make_httpd(broker)


@pytest.fixture(scope="session")
def h264():
    """What most fake cameras send: 320x180, 25 pictures a second."""
    return hostile.H264()


@pytest.fixture
def run(folder, build, broker):
    """Call it with a URL (and job settings) for a kafkacam-camera that runs; all of them, in
    run.cameras, are stopped afterwards."""
    def start(url, **job):
        start.cameras.append(camera.Camera(folder, build, broker, url, **job))
        return start.cameras[-1].__enter__()
    start.cameras = []
    yield start
    stack.together([one.stop for one in start.cameras])
    assert not any(one.running() for one in start.cameras)
