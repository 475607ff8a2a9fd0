"""scripts/demo as a person runs it."""

import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

import clients
import stack

DEMO = stack.SOURCE / "scripts" / "demo"


class Web:
    """What clients.get() wants to know of an httpd."""

    tls = False

    def __init__(self, port):
        self.port = port

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


def demo(build, *arguments, **options):
    return subprocess.run([DEMO, "--build", build.folder, *map(str, arguments)], timeout=100,
                          stdin=options.pop("stdin", subprocess.DEVNULL), capture_output=True,
                          text=True, check=False, **options)


@pytest.fixture
def own(new_folder, build):
    """(folder, port) of a demo that is stopped afterwards, whatever happened."""
    folder = new_folder() / "demo"
    yield folder, stack.free_port()
    demo(build, "--stop", "--dir", folder)
    assert not stack.processes_in(folder)


def test_a_detached_demo_shows_four_cameras_until_it_is_stopped(own, build):
    folder, port = own
    done = demo(build, "--detach", "--dir", folder, "--port", port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"http://127.0.0.1:{port}/cameras" in done.stdout
    for number in (1, 2, 3, 4):
        with clients.Stream(Web(port), f"/cam/{number}") as stream:
            frames = stream.pictures(3)
        assert {seen for seen, _ in frames} == {number}
        assert clients.moving([frame for _, frame in frames])
    assert len(clients.get(Web(port), "/cameras.json").json()["cameras"]) == 4

    again = demo(build, "--detach", "--dir", folder, "--port", stack.free_port())
    assert again.returncode != 0 and "runs already" in again.stderr

    stopped = demo(build, "--stop", "--dir", folder)
    assert stopped.returncode == 0 and "had to kill" not in stopped.stdout, stopped.stdout
    assert not stack.processes_in(folder)
    assert not stack.listening(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_no_process(own, build, number):
    folder, port = own
    running = subprocess.Popen([DEMO, "--build", build.folder, "--dir", folder, "--port", str(port),
                                "--cameras", "1"], stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = ""
    while "Ctrl-C" not in said:
        line = running.stdout.readline()
        assert line, f"it ended by itself: {said}"
        said += line
    running.send_signal(number)
    rest = running.communicate(timeout=60)[0]
    assert running.returncode == 0 and "stopped" in rest, said + rest
    assert not stack.processes_in(folder)


def test_ctrl_c_during_the_start_leaves_no_process(own, build):
    folder, port = own
    running = subprocess.Popen([DEMO, "--build", build.folder, "--dir", folder, "--port", str(port)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    stack.wait_for((folder / "mariadb" / "log").exists, 60, "no start")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert not stack.processes_in(folder)


def test_a_port_in_use_is_one_clear_line(own, build):
    folder, _ = own
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo(build, "--detach", "--dir", folder, "--port", port)
    assert done.returncode != 0
    assert done.stderr == f"demo: port {port} is in use: take another with --port\n"


@pytest.mark.parametrize("arguments, words", [
    (["--cameras", "0"], "--cameras 0: a number from 1 to 64 is wanted"),
    (["--cameras", "many"], "--cameras many"), (["--port", "99999"], "--port 99999"),
    (["--kafka", "rabbit"], "--kafka rabbit"), (["--url", "http://x/"], "rtsp://"),
    (["--fast"], "what is \"--fast\"?"), (["--port"], "--port wants a value"),
    (["--url-file", "/does/not/exist"], "cannot be read")])
def test_wrong_options_are_refused_before_anything_is_done(arguments, words):
    done = subprocess.run([DEMO, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 1 and words in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_folder_that_holds_something_else_is_left_alone(new_folder, build):
    folder = new_folder()
    (folder / "letter").write_text("dear")
    done = demo(build, "--detach", "--dir", folder, "--port", stack.free_port())
    assert done.returncode != 0 and "holds something else" in done.stderr
    assert (folder / "letter").read_text() == "dear"


def test_own_cameras_with_passwords_are_in_no_command_line(own, build, new_folder):
    folder, port = own
    with stack.Cameras(new_folder(), 1, auth="digest", name="yard") as yard:
        with open(new_folder() / "urls", "w+") as urls:
            urls.write(f"# mine\n{yard.url(1)}\n")
            urls.seek(0)
            done = demo(build, "--detach", "--dir", folder, "--port", port, "--url-file", "-",
                        stdin=urls)
        assert done.returncode == 0, done.stdout + done.stderr
        with clients.Stream(Web(port), "/cam/1") as stream:
            assert stream.pictures(1)[0][0] == 1
        everywhere = " ".join(stack.command_line(pid) for pid in os.listdir("/proc")
                              if pid.isdigit())
        logs = "".join(file.read_text(errors="replace") for file in folder.rglob("*log"))
        assert yard.password not in everywhere + logs + done.stdout
        assert demo(build, "--stop", "--dir", folder).returncode == 0


def test_an_own_camera_that_does_not_answer_is_named(own, build):
    folder, port = own
    url = f"rtsp://somebody:s3cret@127.0.0.1:{stack.free_port()}/1"
    done = demo(build, "--detach", "--dir", folder, "--port", port, "--url", url,
                env=dict(os.environ, KAFKACAM_DEMO_PICTURE_S="8"))
    assert done.returncode != 0
    assert re.search(r"^demo: camera 1 has no picture after 8 s: \S", done.stdout, re.M)
    assert "s3cret" not in done.stdout + done.stderr
    assert not stack.processes_in(folder)


def test_help_names_every_option():
    done = subprocess.run([DEMO, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=10, check=True)
    taken = set(re.findall(r"^    (--[a-z-]+)\)", pathlib.Path(DEMO).read_text(), re.M))
    assert taken and all(option in done.stdout for option in taken)
