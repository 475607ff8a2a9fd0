"""The rules that make check keeps (tests/fences.sh, tests/style.sh): each is broken here once."""

import re
import shutil
import subprocess

import pytest

import stack

FENCES = stack.SOURCE / "tests" / "fences.sh"
STYLE = stack.SOURCE / "tests" / "style.sh"

# A header of each foreign library, and a file that has no business with it.
FOREIGN = {
    "MariaDB": ("mysql.h", "producer/camera/pace.c"),
    "libsystemd": ("systemd/sd-daemon.h", "producer/camera/pace.c"),
    "inih": ("ini.h", "producer/camera/pace.c"),
    "FFmpeg": ("libavcodec/avcodec.h", "producer/camera/pace.h"),
    "FFmpeg's libswscale": ("libswscale/swscale.h", "producer/camera/decode.c"),
    "GnuTLS": ("gnutls/gnutls.h", "producer/camera/rtsp.c"),
    "Nettle": ("nettle/md5.h", "producer/camera/rtsp.c"),
    "libseccomp": ("seccomp.h", "producer/camera/camera.c"),
    "TurboJPEG": ("turbojpeg.h", "mod_kafkacam/read/kc_hub.c"),
    "libjpeg": ("jpeglib.h", "mod_kafkacam/read/kc_jpeg.c"),
    "librdkafka": ("librdkafka/rdkafka.h", "mod_kafkacam/read/kc_source.c"),
    "jansson": ("jansson.h", "mod_kafkacam/answer/kc_cameras.c"),
    "APR or httpd": ("apr_pools.h", "producer/camera/pace.c"),
    "httpd": ("httpd.h", "mod_kafkacam/read/kc_hub.c"),
}


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


def test_every_fence_around_a_library_is_tried_below():
    assert set(re.findall(r"^foreign (?:\"([^\"]+)\"|(\S+))", FENCES.read_text(), re.M)) == {
        (name, "") if " " in name else ("", name) for name in FOREIGN}


def test_a_foreign_header_stays_in_its_file(tree):
    for header, path in FOREIGN.values():
        add(tree, path, f"#include <{header}>")
    done = fences(tree)
    assert done.returncode == 1
    for library, (_, path) in FOREIGN.items():
        assert f"fences: {path} includes {library}, which is for" in done.stderr


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
