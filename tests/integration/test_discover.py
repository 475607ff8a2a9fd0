"""kafkacam-discover against a camera made up here: it answers WS-Discovery and five questions of ONVIF."""

import base64
import contextlib
import csv
import hashlib
import http.server
import os
import re
import socket
import stat
import subprocess
import threading

import pytest

MATCH = """<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">
<s:Header><a:RelatesTo>{question}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>
<d:Scopes>onvif://www.onvif.org/name/{name} onvif://www.onvif.org/hardware/H1</d:Scopes>
<d:XAddrs>{address}</d:XAddrs></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"""

BODY = '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{}</s:Body></s:Envelope>'

PROFILES = """<GetProfilesResponse><Profiles token="main"><Name>Main</Name><VideoEncoderConfiguration>
<Encoding>H264</Encoding><Resolution><Width>1920</Width><Height>1080</Height></Resolution></VideoEncoderConfiguration>
</Profiles><Profiles token="sub"><Name>Sub</Name><VideoEncoderConfiguration><Encoding>JPEG</Encoding><Resolution>
<Width>640</Width><Height>360</Height></Resolution></VideoEncoderConfiguration></Profiles></GetProfilesResponse>"""


class Device:
    """An ONVIF camera at 127.0.0.1: user "admin", password "se:cret@1"."""

    def __init__(self, name="Gate%20North", host="127.0.0.1"):
        self.name, self.seen = name, []
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.port = self.udp.getsockname()[1]
        self.address = f"http://{host}:{self.web.server_port}/onvif/device_service"
        for run in (self.web.serve_forever, self._answer_probes):
            threading.Thread(target=run, daemon=True).start()

    def close(self):
        self.web.shutdown()
        self.web.server_close()
        self.udp.close()

    def _answer_probes(self):
        with contextlib.suppress(OSError):
            while True:
                data, sender = self.udp.recvfrom(65536)
                question = re.search(rb"MessageID>([^<]+)<", data)[1].decode()
                answer = MATCH.format(question=question, name=self.name, address=self.address)
                self.udp.sendto(b"noise", sender)
                for _ in range(2):
                    self.udp.sendto(answer.encode(), sender)

    def _handler(self):
        device = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, body = device.answer(text)
                data = BODY.format(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, text):
        self.seen.append(text)
        if "GetSystemDateAndTime" in text:
            return 200, ("<GetSystemDateAndTimeResponse><UTCDateTime><Time><Hour>1</Hour><Minute>2</Minute><Second>3"
                         "</Second></Time><Date><Year>2031</Year><Month>5</Month><Day>6</Day></Date></UTCDateTime>"
                         "</GetSystemDateAndTimeResponse>")
        if not self.right(text):
            return 400, "<s:Fault><s:Reason><s:Text>Sender not Authorized</s:Text></s:Reason></s:Fault>"
        if "GetDeviceInformation" in text:
            return 200, "<R><Manufacturer>Acme</Manufacturer><Model>C-1</Model></R>"
        if "GetCapabilities" in text:
            return 200, f"<R><Media><XAddr>{self.address.replace('device', 'media')}</XAddr></Media></R>"
        if "GetProfiles" in text:
            return 200, PROFILES
        token = re.search("ProfileToken>([^<]*)<", text)[1]
        return 200, f"<R><MediaUri><Uri>rtsp://192.0.2.1:554/{token}?x=1&amp;y=2</Uri></MediaUri></R>"

    @staticmethod
    def right(text):
        found = [re.search(f"<{tag}( [^>]*)?>([^<]*)<", text) for tag in ("w:Username", "w:Nonce", "u:Created", "w:Password")]
        if not all(found):
            return False
        user, nonce, created, digest = (one[2] for one in found)
        want = hashlib.sha1(base64.b64decode(nonce) + created.encode() + b"se:cret@1").digest()
        return user == "admin" and created.startswith("2031-05-06T01:02:") and base64.b64decode(digest) == want


@pytest.fixture
def program():
    path = os.path.join(os.environ.get("KAFKACAM_BUILD", "build-demo"), "discover", "kafkacam-discover")
    if not os.path.exists(path):
        pytest.skip("kafkacam-discover was not built")
    return path


@pytest.fixture
def device():
    one = Device()
    yield one
    one.close()


def discover(program, device, *arguments, wait="1", address="127.0.0.1", password="se:cret@1\n"):
    return subprocess.run([program, "--port", str(device.port), "--wait", wait, *arguments, address],
                          input=password, capture_output=True, text=True, timeout=60, check=False)


def test_a_camera_is_found_once_though_it_answers_twice_and_with_noise(program, device):
    done = discover(program, device)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^127\.0\.0\.1 +H1  Gate North$", done.stdout, re.M), done.stdout
    assert "1 camera found." in done.stdout
    assert not device.seen, "without a user nothing is asked"


def test_streams_are_named_after_a_login_with_a_digest_at_the_cameras_own_time(program, device):
    done = discover(program, device, "-u", "admin", "-p", "-")
    assert "Acme C-1" in done.stdout
    assert re.search(r"H264 +1920x1080 +rtsp://192\.0\.2\.1:554/main\?x=1&y=2", done.stdout), done.stdout
    assert re.search(r"JPEG +640x360", done.stdout)
    assert not any("se:cret" in text for text in device.seen)
    assert "cret" not in done.stdout + done.stderr


def test_rows_for_the_table_hold_the_login_and_are_private(program, device, tmp_path):
    path = tmp_path / "cameras.csv"
    done = discover(program, device, "-u", "admin", "-p", "-", "-c", str(path))
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["url"].lower()) for row in rows] == [
        ("Gate North", "rtsp://admin:se%3acret%401@192.0.2.1:554/main?x=1&y=2")]
    again = discover(program, device, "-u", "admin", "-p", "-", "-c", str(path))
    assert again.returncode == 2 and "File exists" in again.stderr


def test_a_wrong_password_is_said_in_the_cameras_own_words(program, device):
    done = discover(program, device, "-u", "admin", "-p", "-", password="wrong\n")
    assert done.returncode == 0
    assert "says no: Sender not Authorized" in done.stdout


def test_an_answer_that_names_another_host_does_not_send_the_login_there(program):
    liar = Device(host="192.0.2.55")
    try:
        done = discover(program, liar, "-u", "admin", "-p", "-")
    finally:
        liar.close()
    assert done.returncode == 0
    assert "Acme C-1" in done.stdout and liar.seen, "the host that answered is asked instead"


def test_nobody_there_is_said_and_is_exit_status_one(program):
    quiet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    quiet.bind(("127.0.0.1", 0))
    done = subprocess.run([program, "--port", str(quiet.getsockname()[1]), "-w", "0.2", "127.0.0.1-3"],
                          capture_output=True, text=True, timeout=60, check=False)
    quiet.close()
    assert done.returncode == 1
    assert done.stdout == "0 cameras found.\n"


@pytest.mark.parametrize("arguments, word", [
    (["--wait", "99", "127.0.0.1"], "0.1 to 60"), (["--port", "0", "127.0.0.1"], "1 to 65535"),
    (["10.0.0.0/8"], "65,536"), (["gate"], "192.168.1.0/24"), (["-c", "x", "127.0.0.1"], "--user"),
    (["-u", "a", "-p", "/nonexistent/file", "127.0.0.1"], "No such file"), (["-i", "nosuchif"], "nosuchif")])
def test_what_is_wrong_on_the_command_line_is_named(program, arguments, word):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert word in done.stderr
