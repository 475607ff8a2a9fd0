"""scripts/fresh without a mirror: the base system of these tests is made up (a debootstrap of ours)."""

import os
import re
import signal
import subprocess

import pytest

import stack

FRESH = stack.SOURCE / "scripts" / "fresh"

# The target is its fourth word but for options. A bare machine made of this one's programs.
DEBOOTSTRAP = """#!/bin/bash
for word; do case $word in --*) ;; *) words+=("$word") ;; esac; done
root=${words[1]}
if [ -n "$FAIL" ]; then echo "E: no such mirror"; exit 1; fi
mkdir -p "$root"/{proc,sys,dev,run,srv,root,tmp,var/lib/dpkg,etc/apt/apt.conf.d,etc/dpkg/dpkg.cfg.d}
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$root/$name"; done
mkdir "$root/usr" && mount --bind /usr "$root/usr" && mount -o remount,bind,ro "$root/usr"
mkdir -p "$root/etc/ssl/certs" && cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'PRETTY_NAME="Made Up 1"' >"$root/etc/os-release"
echo 'deb http://mirror.invalid/debian bookworm main' >"$root/etc/apt/sources.list"
"""


@pytest.fixture
def made_up(folder):
    """Environment of scripts/fresh: its folder is in the test's, its debootstrap is ours."""
    programs = folder / "bin"
    programs.mkdir()
    for name, text in (("debootstrap", DEBOOTSTRAP), ("chroot", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (folder / "space").mkdir()
    return dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", TMPDIR=str(folder / "space"))


def fresh(*words, **options):
    return subprocess.run([FRESH, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, check=False, **options)


as_root = pytest.mark.skipif("os.geteuid() != 0", reason="scripts/fresh is for root")


@as_root
def test_a_command_runs_as_root_in_a_clone_on_a_machine_of_its_own(made_up, folder):
    done = fresh("sh", "-c", "id -u; ls README.md; ls /; echo $$; ls /home; exit 7", env=made_up)
    assert done.returncode == 7, done.stderr
    assert done.stdout.split()[:2] == ["0", "README.md"]
    assert "home" not in done.stdout.split()        # nothing of this machine
    assert "Made Up 1" in done.stderr
    assert list((folder / "space").iterdir()) == []


@as_root
def test_settings_of_package_clients_come_along_and_nothing_else(made_up):
    environment = dict(made_up, https_proxy="http://proxy.invalid:1", PIP_INDEX_URL="http://pip.invalid",
                       SECRET="word", CI="true")
    done = fresh("env", env=environment)
    assert {"https_proxy=http://proxy.invalid:1", "PIP_INDEX_URL=http://pip.invalid", "CI=true",
            "HOME=/root"} <= set(done.stdout.splitlines()), done.stderr
    assert "SECRET" not in done.stdout


@as_root
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_all_of_it_and_what_is_left_of_a_kill_goes_next_time(made_up, folder, number):
    ready = subprocess.Popen([FRESH, "sh", "-c", "setsid sleep 1000 & echo ready; wait"], env=made_up,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL,
                             # Ignored from the start, it could not be caught: so in the background.
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert ready.stdout.readline() == "ready\n"
    children = stack.session_members(os.getsid(ready.pid))
    assert ready.pid in children
    ready.send_signal(number)
    assert ready.stdout.read() == ""                # nobody holds it any more
    assert ready.wait(60) in (128 + number, -number)
    if number == signal.SIGKILL:
        assert len(list((folder / "space").iterdir())) == 1
        assert fresh("true", env=made_up).returncode == 0
    assert list((folder / "space").iterdir()) == []
    assert str(folder) not in open("/proc/mounts", encoding="ascii").read()


@as_root
def test_a_mirror_that_does_not_answer_is_a_sentence_and_no_pass(made_up, folder):
    done = fresh("--mirror", "http://mirror.invalid", "true", env=dict(made_up, FAIL="yes"))
    assert done.returncode == 1
    assert "fresh: bookworm cannot be had from http://mirror.invalid\n" in done.stderr
    assert "E: no such mirror" in done.stderr
    assert list((folder / "space").iterdir()) == []


@as_root
def test_keys_that_are_not_there_are_named(made_up):
    done = fresh("--keyring", "/nonexistent/keys", "true", env=made_up)
    assert done.returncode == 1
    assert done.stderr == ("fresh: Debian's keys are not here (/nonexistent/keys): --keyring FILE names "
                           "another place\n")


@pytest.mark.parametrize("words, message", [
    (["--dist", "warty"], "--dist warty: bookworm, trixie, jammy or noble"),
    (["--fast"], "what is \"--fast\"?"), (["--dist"], "--dist wants a value")])
def test_wrong_options_are_refused(words, message):
    done = fresh(*words)
    assert done.returncode == 1 and message in done.stderr


def test_who_is_not_root_is_told():
    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "bash",
                           FRESH], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 1 and "only root can make a root folder" in done.stderr


def test_help_names_every_option():
    done = fresh("--help")
    taken = set(re.findall(r"^    (--[a-z-]+)[ |)]", FRESH.read_text(), re.M)) - {"--inside"}
    assert taken and all(option in done.stdout for option in taken)
