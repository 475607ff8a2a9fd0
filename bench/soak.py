#!/usr/bin/python3
"""The whole chain for hours: does any process grow?

    scripts/bench soak [--hours 2] [--size 1920x1080] [--fps 5]

Cameras 1 (H.264) and 2 (MJPEG) run undisturbed with a steady viewer each. Camera 3 is switched off and
on in the table every other minute, viewers of all three come and go every second, the wall is read, and
status pages are asked for. A line per process and report: resident memory, descriptors, threads. The
table at the end compares the first report after the warm-up with the last one."""

import argparse
import contextlib
import itertools
import os
import pathlib
import sys
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
import clients
import stack

WARM_S = 300        # caches, pools and arenas have their size by then


class Steady(threading.Thread):
    """A viewer that stays; counts its pictures and how often it was cut."""

    def __init__(self, httpd, path, over):
        super().__init__(daemon=True)
        self.httpd, self.path, self.over = httpd, path, over
        self.parts, self.cuts = 0, 0

    def run(self):
        while not self.over.is_set():
            try:
                with clients.Stream(self.httpd, self.path, timeout=30) as stream:
                    while not self.over.is_set():
                        stream.part()
                        self.parts += 1
            except (EOFError, OSError):
                self.cuts += 1


def passing(httpd, over):
    """Viewers that come, see a picture, and leave; one a second."""
    streams = itertools.cycle(["/cam/1", "/cam/2?meta=1", "/cam/3", "/cameras/stream"])
    others = itertools.cycle(["/cam/1.jpg", "/cameras", "/kafkacam-status?json", "/kafkacam-metrics"])
    while not over.wait(1):
        clients.get(httpd, next(others))
        with contextlib.suppress(EOFError):     # camera 3 may be off
            with clients.Stream(httpd, next(streams), timeout=30) as stream:
                stream.part()


def looks(chain):
    """{(part, process, pid): (MB, descriptors, threads)} of all processes of ours."""
    found = {}
    for part in (chain.producer, chain.httpd):
        for pid in part.members():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                fields = dict(line.split(":\t", 1) for line in status.splitlines())
                found[part.name, fields["Name"], pid] = (
                    int(fields["VmRSS"].split()[0]) / 1024, len(os.listdir(f"/proc/{pid}/fd")),
                    int(fields["Threads"]))
            except (OSError, KeyError):
                continue        # it has just ended
    return found


def report(elapsed, looked):
    for (part, name, pid), (memory, descriptors, threads) in sorted(looked.items()):
        print(f"{elapsed / 60:7.1f} min  {part:<9} {name:<17} {pid:>7} {memory:8.1f} MB"
              f" {descriptors:5} fds {threads:4} threads", flush=True)


def soak(chain, seconds, every_s):
    over = threading.Event()
    steady = [Steady(chain.httpd, path, over) for path in ("/cam/1?meta=1", "/cam/2?meta=1",
                                                           "/cameras/stream")]
    for thread in [*steady, threading.Thread(target=passing, args=(chain.httpd, over), daemon=True)]:
        thread.start()
    begun = time.monotonic()
    first, last, minute = None, {}, 0
    while time.monotonic() - begun < seconds:
        minute += 1
        over.wait(begun + minute * 60 - time.monotonic())
        chain.check()
        chain.database.change_camera(3, enabled=minute % 2)
        elapsed = time.monotonic() - begun
        last = looks(chain)
        if elapsed >= min(WARM_S, seconds / 4) and first is None:
            first = last
        if minute * 60 % every_s < 60:
            report(elapsed, last)
    over.set()
    return first or last, last, steady


def verdict(first, last, steady):
    print(f"\n{'process':<36} {'MB':>14} {'descriptors':>14} {'threads':>12}   after the warm-up -> end")
    for key in sorted(first.keys() & last.keys()):
        changes = [f"{before:.1f} -> {after:.1f}" if isinstance(before, float) else f"{before} -> {after}"
                   for before, after in zip(first[key], last[key])]
        print(f"{key[0]:<9} {key[1]:<17} {key[2]:>8} {changes[0]:>14} {changes[1]:>14} {changes[2]:>12}")
    for thread in steady:
        print(f"viewer of {thread.path:<20} {thread.parts} parts, cut {thread.cuts} times")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--fps", type=int, default=5)
    parser.add_argument("--every", type=float, default=10, metavar="MINUTES", help="between reports")
    options = parser.parse_args()
    with stack.temporary_folder() as folder:
        try:
            with stack.Stack(folder, cameras=3, fps=options.fps, camera_options=[
                    "--size", options.size, "--fps", str(options.fps), "--gop", str(options.fps),
                    "--kbps", "1500"]) as chain:
                clients.wait_for_pictures(chain.httpd, chain.numbers, 60)
                verdict(*soak(chain, options.hours * 3600, options.every * 60))
                for part in (chain.producer, chain.httpd):
                    for line in part.log_text().splitlines():
                        if "KC" in line and "camera 3" not in line:
                            print(f"{part.name}: {line}")
        except stack.StackError as error:
            sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
