"""docs/CLIENTS.md: every block of shell and Python on that page runs as it stands, and does what it says."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import requests

import clients
import stack

pytestmark = pytest.mark.both_brokers

PAGE = (stack.SOURCE / "docs" / "CLIENTS.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, re.M | re.S)
NOBODY = 65534

# What must be there afterwards, by a word of the block: in its output, or in a file it made.
PROOFS = {
    "curl": ("gate.jpg", rb'"state": ?"live"'),
    "ffprobe": ("gate.mkv", rb"^mjpeg,10"),
    "rawvideo": ("gate.yuv", b""),
    "mpv": (None, b""),
    "cvlc": ("gate00001.png", b""),
    "gst-launch": (None, b""),
    "cv2": (None, rb"(\(360, 640, 3\)\s){10}"),
    "requests": (None, rb"(\d{16} \d+\s){10}"),
    "KafkaConsumer": (None, rb"(\d+ \d{16} \d+\s){11}"),
    "kcat": ("newest.jpg", b""),
}


def proof(code):
    found = [PROOFS[word] for word in PROOFS if re.search(rf"\b{word}", code)]
    assert found, f"no proof for\n{code}"
    return found[-1] if "ffprobe" in code else found[0]


def prepared(code, chain):
    """The block with this chain's addresses."""
    code = code.replace("http://cameras.example", chain.httpd.url("").rstrip("/"))
    code = code.replace("kafka.example:9092", chain.broker.address)
    code = code.replace('"video"', f'"{chain.topic}"').replace("-t video", f"-t {chain.topic}")
    return code if shutil.which("kcat") else code.replace("kcat", "kafkacat")


def nobody():
    """VLC will not run as root."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@pytest.fixture
def place(tmp_path_factory):
    folder = pathlib.Path(tmp_path_factory.mktemp("client"))
    for parent in (folder.parent, folder.parent.parent):
        parent.chmod(0o711)
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize("kind, code", BLOCKS, ids=[code.split()[0] + str(number)
                                                    for number, (_, code) in enumerate(BLOCKS)])
def test_a_recipe_of_the_page_works_as_it_stands(chain, place, kind, code):
    file, output = proof(code)
    program = ["bash", "-euc"] if kind == "sh" else [sys.executable, "-c"]
    vlc = "cvlc" in code and os.geteuid() == 0
    done = subprocess.run([*program, prepared(code, chain)], cwd=place, capture_output=True, timeout=90, check=False,
                          stdin=subprocess.DEVNULL, env={**os.environ, "HOME": str(place)},
                          preexec_fn=nobody if vlc else None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(output, done.stdout, re.M), done.stdout
    assert not file or (place / file).stat().st_size > 1000
    if file and file.endswith(".jpg"):
        assert clients.read_picture((place / file).read_bytes())[0] == 1


def test_home_assistants_set_up_finds_both_addresses(chain):
    """What the config flow of its mjpeg integration does: GET with ten seconds, the status, and no more."""
    for path in ("/cam/1", "/cam/1.jpg"):
        answer = requests.get(chain.httpd.url(path), stream=True, timeout=10)
        answer.raise_for_status()
        answer.close()
