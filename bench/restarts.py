#!/usr/bin/python3
"""Graceful restarts, one after another, while viewers with a rate and walls look: is every old child
gone soon, with all its viewers, and does nothing grow?

    scripts/bench restarts [--count 1000]

Each time 270 viewers come: /cam/N?fps=7 (200), the same with ?meta=1 (40), walls with ?fps=7 (20) and
without (10). A child that is still there 20 s after the restart ends the run with an error."""

import argparse
import statistics

import madeup
import stack


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="restarts (1000)")
    options = parser.parse_args()
    madeup.raise_file_limit()
    with stack.temporary_folder() as folder, \
            madeup.Feed(folder, fps=25, size=2000, threads=32, children=1) as httpd:
        times, memory = [], []
        for number in range(1, options.count + 1):
            times.append(madeup.restart_under_viewers(httpd))
            memory.append(madeup.memory_kb(httpd.pid))
            if number % 100 == 0 or number == options.count:
                print(f"{number} restarts: the old child gone after {statistics.median(times):.2f} s "
                      f"(median), {max(times):.2f} s (longest); the parent has {memory[-1]} kB, "
                      f"{memory[min(10, len(memory)) - 1]} kB after the tenth", flush=True)


if __name__ == "__main__":
    main()
