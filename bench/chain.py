#!/usr/bin/python3
"""The whole chain on this machine: how old a picture is when a client has it, and what each process
costs meanwhile.

    scripts/bench chain [--cameras 4] [--fps 5] [--seconds 20] [--kafka embedded|apache]

Two ages per picture: since kafkacam-camera had the frame from the camera (X-Timestamp), and since
the moment that the picture itself shows (the demo cameras' clock), which adds the camera's server,
RTSP and the decoder. One reader per camera, in this process, on the same machine."""

import argparse
import os
import pathlib
import statistics
import sys
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
import clients
import stack

TICK = os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


class Reader(threading.Thread):
    """Reads one camera and notes the ages of its pictures."""

    def __init__(self, httpd, number, until):
        super().__init__(daemon=True)
        self.httpd, self.number, self.until = httpd, number, until
        self.since_captured, self.since_shown = [], []

    def run(self):
        with clients.Stream(self.httpd, f"/cam/{self.number}?meta=1") as stream:
            stream.part()       # it lay there already
            while time.monotonic() < self.until:
                headers, jpeg = stream.part()
                now = time.time()
                self.since_captured.append(now - int(headers["x-timestamp"]) / 1e6)
                frame = clients.read_picture(jpeg)[1]
                self.since_shown.append((now - frame / 25) % clients.picture.LOOP_SECONDS)


def usage(part):
    """{role: (number of processes, CPU seconds, resident kB)} of a part."""
    roles = {}
    for pid in part.members():
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            with open(f"/proc/{pid}/comm") as file:
                role = file.read().strip()
        except OSError:
            continue
        count, cpu, memory = roles.get(role, (0, 0.0, 0.0))
        roles[role] = (count + 1, cpu + (int(fields[11]) + int(fields[12])) / TICK,
                       memory + int(fields[21]) * PAGE_KB)
    return roles


def usages(chain):
    return {(part.name, role): used for part in chain.parts for role, used in usage(part).items()}


def quantiles(name, ages):
    hundredths = statistics.quantiles(ages, n=100)
    print(f"{name:<34} p50 {hundredths[49] * 1000:7.1f} ms   p99 {hundredths[98] * 1000:7.1f} ms"
          f"   {len(ages)} pictures")


def measure(chain, seconds):
    begun = time.monotonic()
    before = usages(chain)
    readers = [Reader(chain.httpd, number, begun + seconds) for number in chain.numbers]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    elapsed = time.monotonic() - begun
    after = usages(chain)
    quantiles("captured -> client", [age for reader in readers for age in reader.since_captured])
    quantiles("shown by the camera -> client", [age for reader in readers
                                                for age in reader.since_shown])
    print(f"\n{'part':<10} {'process':<18} {'count':>5} {'CPU, % of a core':>17} {'MB each':>9}")
    for key, (count, cpu, memory) in sorted(after.items()):
        spent = cpu - before.get(key, (0, 0.0, 0.0))[1]
        print(f"{key[0]:<10} {key[1]:<18} {count:>5} {100 * spent / elapsed:>17.1f}"
              f" {memory / 1024 / count:>9.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--fps", type=float, default=5)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--kafka", choices=("embedded", "apache"), default="embedded")
    options = parser.parse_args()
    with stack.temporary_folder() as folder:
        try:
            with stack.Stack(folder, cameras=options.cameras, kafka=options.kafka,
                             fps=options.fps) as chain:
                begun = time.monotonic()
                clients.wait_for_pictures(chain.httpd, chain.numbers, 60)
                print(f"{options.cameras} cameras, {options.fps:g} pictures a second, "
                      f"{options.kafka} broker; every camera delivers "
                      f"{time.monotonic() - begun:.1f} s after the last part started\n")
                measure(chain, options.seconds)
        except stack.StackError as error:
            sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
