"""The scripts that a person runs, and the lists they share."""

import re
import socket
import subprocess

import stack

SCRIPTS = stack.SOURCE / "scripts"


def run(*words):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


def test_every_package_that_configure_names_is_in_the_list():
    """A message "apt-get install X" of configure, and scripts/packages, agree."""
    listed = run(SCRIPTS / "packages", "list", "build", "build-module", "build-producer",
                 "build-discover", "unit", "fuzz").stdout
    named = set(re.findall(r"\blib[a-z0-9.+-]+-dev\b|\bapache2-dev\b",
                           (stack.SOURCE / "configure.ac").read_text()))
    assert len(named) > 8
    assert not {name for name in named if not re.search(rf"^(.*\|)?{re.escape(name)}(\||$)", listed,
                                                        re.M)}


def test_packages_refuses_a_group_that_is_none():
    done = run(SCRIPTS / "packages", "list", "games")
    assert done.returncode != 0 and "no group \"games\"" in done.stderr


def test_bench_names_what_there_is():
    done = run(SCRIPTS / "bench", "nothing")
    assert done.returncode == 2 and "there is no \"nothing\"" in done.stderr


def test_check_refuses_a_phase_that_is_none():
    done = run(SCRIPTS / "check", "--no-install", "nothing")
    assert done.returncode == 2 and "no phase \"nothing\"" in done.stderr


def test_ci_runs_what_the_readme_says():
    assert "scripts/check" in (stack.SOURCE / ".ci" / "run").read_text()
    assert "    scripts/check\n" in (stack.SOURCE / "README.md").read_text()


def test_the_embedded_broker_says_what_is_wrong_with_its_options(build):
    broker = build.need(build.broker)
    for words, message in ((["--topic", "video:0"], "wanted NAME:PARTITIONS"),
                           (["--port", "70000", "--topic", "v:1"], "not a port"),
                           (["--topic", "v:1", "x"], "what is \"x\"?"), ([], "no --topic")):
        done = run(broker, *words)
        assert done.returncode == 2 and message in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(broker, "--port", port, "--topic", "v:1")
    assert done.returncode == 1
    assert done.stderr == f"kafkacam-broker: 127.0.0.1:{port}: Address already in use\n"


def test_every_link_of_the_documentation_leads_somewhere():
    for file in [stack.SOURCE / "README.md", *(stack.SOURCE / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)", file.read_text()):
            assert link.startswith("http") or (file.parent / link).exists(), f"{file.name}: {link}"
