"""Firefox without a window, through WebDriver BiDi, which it speaks by itself."""
import json
import shutil

import stack
from pagekit import Browser

try:
    import websocket
except ImportError:
    websocket = None

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
MISSING = None if websocket and PROGRAM else \
    "no firefox-esr or websocket: apt-get install firefox-esr python3-websocket"
ANSWER_S = 60

# What a profile of a person would do of itself, on the network and on the first page.
PREFERENCES = """\
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.page", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("toolkit.telemetry.enabled", false);
"""


class Service(stack.Part):
    """The browser itself."""

    name = "firefox"
    good_ends = (0, -15)
    start_s = 60

    def prepare(self):
        self.profile = self.folder / "profile"
        self.profile.mkdir(exist_ok=True)
        (self.profile / "user.js").write_text(PREFERENCES)

    def command(self):
        return [PROGRAM, "--headless", "--no-remote", "--remote-debugging-port", "0",
                "--profile", str(self.profile)]

    def environment(self):
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8", "MOZ_CRASHREPORTER_DISABLE": "1"}

    def place(self):
        """Where its WebDriver listens, once it does."""
        file = self.profile / "WebDriverBiDiServer.json"
        try:
            found = json.loads(file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return f"ws://{found['ws_host']}:{found['ws_port']}/session"

    def ready(self):
        return self.place()


def python(value):
    """A value of the page as Python's own."""
    kind = value["type"]
    if kind in ("undefined", "null"):
        return None
    if kind in ("array", "htmlcollection", "nodelist"):
        return [python(item) for item in value["value"]]
    if kind == "object":
        return {name: python(item) for name, item in value["value"]}
    assert kind in ("string", "number", "boolean"), value
    return value["value"]


class Firefox(Browser):
    """One Firefox with one tab."""

    # drawImage() of a picture that moves draws its first one there, as the standard has it. There is
    # no bitmap before the first one has come.
    READ_PLAIN_JS = "return createImageBitmap(plain).then(readMarks, () => null)"

    def __init__(self, folder):
        self.service = Service(folder)
        self.expected = []
        self.problems = []
        self.sent = 0

    def start(self):
        self.service.start()
        self.line = websocket.create_connection(self.service.place(), timeout=ANSWER_S, suppress_origin=True)
        self.ask("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self.ask("session.subscribe", events=["log.entryAdded"])
        self.tab = self.ask("browsingContext.getTree")["contexts"][0]["context"]
        return self

    def ask(self, method, **parameters):
        self.sent += 1
        self.line.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.line.recv())
            if answer.get("id") == self.sent:
                assert answer["type"] == "success", answer
                return answer["result"]
            if answer.get("method") == "log.entryAdded" and answer["params"]["level"] in ("warn", "error"):
                self.problems.append(answer["params"]["text"])

    def open(self, url):
        self.ask("browsingContext.navigate", context=self.tab, url=url, wait="interactive")
        return self

    def js(self, script, *arguments):
        answer = self.ask("script.callFunction", target={"context": self.tab}, awaitPromise=True,
                          functionDeclaration="function() {" + script + "}",
                          arguments=[{"type": "string", "value": argument} for argument in arguments])
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return python(answer["result"])

    def collect(self):
        self.ask("session.status")      # what it has said before the answer has come
        return self.problems

    def quit(self):
        self.line.close()
        self.service.stop()

    def abandon(self):
        self.service.abandon()
