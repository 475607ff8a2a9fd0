"""The rules that make check keeps (tests/fences.sh, tests/style.sh): each is broken here once."""

import os
import re
import shutil
import subprocess

import pytest

import stack

FENCES = stack.SOURCE / "tests" / "fences.sh"
STYLE = stack.SOURCE / "tests" / "style.sh"

# "foreign NAME REGEXP ...": every fence around a library.
FOREIGN = re.findall(r"^foreign (?:\"([^\"]+)\"|(\S+)) '([^']+)'", FENCES.read_text(), re.M)


@pytest.fixture
def tree(folder):
    """A copy that a test may break."""
    for name in ("wire", "producer", "discover", "mod_kafkacam"):
        shutil.copytree(stack.SOURCE / name, folder / name, ignore=shutil.ignore_patterns("*.o", "*.lo"))
    return folder


def fences(tree):
    return subprocess.run([FENCES], env={"top_srcdir": str(tree), "PATH": "/usr/bin:/bin"}, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def add(tree, path, line):
    with open(tree / path, "a", encoding="ascii") as file:
        file.write(f"{line}\n")


def test_a_foreign_header_stays_in_its_file(tree):
    """In a file that has no business with any library."""
    path = "producer/camera/pace.c"
    assert len(FOREIGN) > 10
    for _, _, wanted in FOREIGN:
        header = re.sub(r"\(([^|)]*)[^)]*\)", r"\1", wanted).split("|")[0].replace("\\", "")
        add(tree, path, f"#include <{header}{'' if header.endswith('.h') else 'x.h'}>")
    done = fences(tree)
    assert done.returncode == 1
    for quoted, bare, _ in FOREIGN:
        assert f"fences: {path} includes {quoted or bare}, which is for" in done.stderr


def test_includes_point_upstream_and_stay_in_their_room(tree):
    wrong = [("producer/clock.c", "settings.h", "which is not upstream of it"),
             ("producer/camera/pace.c", "sink.h", "which is not upstream of it"),
             ("producer/supervisor/catalog.c", "supervisor.h", "which is not upstream of it"),
             ("mod_kafkacam/read/kc_hub.c", "kc_roster.h", "which is not upstream of it"),
             ("producer/camera/camera.c", "catalog.h", "producer/camera knows nothing of producer/supervisor"),
             ("producer/supervisor/main.c", "gop.h", "producer/supervisor knows nothing of producer/camera"),
             ("mod_kafkacam/read/kc_source.c", "kc_pump.h", "mod_kafkacam/read knows nothing of"),
             ("mod_kafkacam/send/kc_pump.c", "kc_cam.h", "mod_kafkacam/send knows nothing of")]
    for path, header, _ in wrong:
        add(tree, path, f'#include "{header}"')
    done = fences(tree)
    assert done.returncode == 1
    for path, header, message in wrong:
        assert [line for line in done.stderr.splitlines()
                if path in line and header in line and message in line], (path, header)


def test_a_new_noun_needs_a_place(tree):
    new = ["producer/stray.c", "producer/camera/stray.h", "producer/supervisor/stray.c",
           "mod_kafkacam/send/kc_stray.c"]
    for path in new:
        add(tree, path, "")
    done = fences(tree)
    assert done.returncode == 1
    assert all(f"{path} has no place in the order" in done.stderr for path in new)


def style(folder, text):
    (folder / "it.c").write_text(text, encoding="utf-8")
    return subprocess.run([STYLE, folder / "it.c"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30, check=False)


def function(lines):
    return "int f(void)\n{\n" + "    ;\n" * lines + "}\n"


def test_a_line_has_100_columns_at_most(folder):
    assert style(folder, "/*" + "→" * 98 + "\n").returncode == 0
    done = style(folder, "\n/*" + "→" * 99 + "\n")
    assert done.returncode == 1 and done.stdout == f"style: {folder}/it.c:2: 101 columns, at most 100\n"


def test_a_function_has_60_lines_at_most(folder):
    assert style(folder, function(60) + function(60)).returncode == 0
    done = style(folder, function(60) + "static char *\nlong_one(int x)\n{\n" + "    ;\n" * 61 + "}\n")
    assert done.returncode == 1 and "long_one() has 61 lines, at most 60" in done.stdout


@pytest.mark.parametrize("name, text", [
    ("scripts/x", "#!/bin/sh\necho $1\n"), ("stack/x.py", "import os\n"),
    ("mod_kafkacam/web/x.js", "const a = ;\n")])
def test_the_style_phase_finds_what_is_wrong(tree, name, text):
    for folder in ("scripts", "stack"):
        shutil.copytree(stack.SOURCE / folder, tree / folder)
    shutil.copy(stack.SOURCE / ".flake8", tree)
    (tree / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    subprocess.run(["git", "add", "-A"], cwd=tree, check=True)
    done = subprocess.run([tree / "scripts" / "check", "--no-install", "style"], cwd=tree, timeout=100,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout.endswith("2 passed, 1 failed\n")


def tally(folder, text, *options):
    """(status, lines of the tally, what pytest said) of a file of tests."""
    (folder / "test_it.py").write_text(f"import pathlib\nimport pytest\n{text}")
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "tally", "--tally", folder / "tally",
                           *options, folder], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=100, check=False,
                          env=dict(os.environ, PYTHONPATH=str(stack.SOURCE / "tests")))
    return done.returncode, (folder / "tally").read_text().splitlines(), done.stdout


# It fails once: then its file is there.
ONCE = """
def test_once(request):
    file = pathlib.Path(__file__).with_name("seen")
    seen = file.exists()
    file.touch()
    assert seen{words}
def test_good(): pass
@pytest.mark.skip
def test_left_out(): pass
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "side by side"])
def test_the_few_that_failed_are_tried_once_more_and_named(folder, options):
    status, lines, _ = tally(folder, ONCE.format(words=""), *options)
    assert status == 0 and lines == ["2 0 1", "test_it.py::test_once"]


def test_what_fails_twice_has_failed(folder):
    status, lines, said = tally(folder, "def test_bad(): assert False\ndef test_good(): pass\n")
    assert status == 1 and lines == ["1 1 0", "test_it.py::test_bad"]
    assert "tally: once more, by themselves: test_it.py::test_bad" in said


def test_a_crash_is_never_tried_again(folder):
    status, lines, _ = tally(folder, ONCE.format(words=", 'AddressSanitizer: heap-use-after-free'"))
    assert status == 1 and lines == ["1 1 1"]


def test_many_failures_are_not_tried_again(folder):
    status, lines, _ = tally(folder, '@pytest.mark.parametrize("n", range(6))\ndef test_bad(n): assert 0\n')
    assert status == 1 and lines == ["0 6 0"]


def test_a_fixture_that_fails_at_the_end_is_a_failure(folder):
    status, lines, _ = tally(folder, """
@pytest.fixture
def late():
    yield
    assert False
def test_it(late): pass
""", "--tally-once")
    assert status == 1 and lines == ["0 1 0"]
