#!/usr/bin/python3
"""Three Apache Kafkas under live cameras and viewers, one of which dies: for how long does each picture
stand still, is a stream cut, is an old picture shown after a newer one?

    scripts/bench cluster [--cameras 16] [--viewers 100] [--fps 5] [--how kill,stop] [--rounds 2]

kill: kill -9; its clients are told by the kernel. stop: SIGSTOP; nobody is told, as when a cable is
pulled. Each time the node that leads most partitions; afterwards it is started again (or goes on) and
must have caught up before the next round. The first viewer of each camera is measured, the others are
load."""

import argparse
import collections
import itertools
import signal
import statistics
import sys
import threading
import time

import clients
import stack

SETTLE_S = 5        # pictures in peace before each death
GONE_S = 25         # and how long afterwards gaps are looked for


class Viewer(threading.Thread):
    """Reads a camera: when its pictures came, how often it was cut, how often time ran backwards."""

    def __init__(self, httpd, number, over):
        super().__init__(daemon=True)
        self.httpd, self.number, self.over = httpd, number, over
        self.arrivals, self.cuts, self.backwards = [], 0, 0
        self.start()

    def run(self):
        last = (0, 0)
        while not self.over.is_set():
            try:
                with clients.Stream(self.httpd, f"/cam/{self.number}?meta=1", timeout=60) as stream:
                    while not self.over.is_set():
                        headers, _ = stream.part()
                        if "x-seq" not in headers:
                            continue        # a notice
                        now = (int(headers["x-timestamp"]), int(headers["x-seq"]))
                        self.backwards += now[0] < last[0]
                        if now[0] > last[0]:        # a picture that is sent again is no news
                            self.arrivals.append(time.monotonic())
                        last = max(last, now)
            except (EOFError, OSError):
                self.cuts += not self.over.is_set()

    def gap(self, begin, end):
        """The longest time without news between two moments."""
        times = [begin, *(one for one in list(self.arrivals) if begin < one < end), end]
        return max(after - before for before, after in itertools.pairwise(times))


def all_in_sync(cluster, count):
    """Every partition has a leader, and the dead node follows again: it leads some."""
    return len(set(cluster.leaders("video").values())) == count


def one_death(chain, viewers, how):
    cluster = chain.broker
    stack.wait_for(lambda: all_in_sync(cluster, 3), 120, "the cluster does not spread its leaders")
    time.sleep(SETTLE_S)
    leaders = cluster.leaders("video")
    victim = collections.Counter(leaders[number] for number in chain.numbers).most_common(1)[0][0]
    node, begin = cluster.node(victim), time.monotonic()
    if how == "kill":
        node.kill()
    else:
        node.signal(signal.SIGSTOP)
    time.sleep(GONE_S)
    end = time.monotonic()
    gaps = {True: [], False: []}
    for viewer in viewers:
        gaps[leaders[viewer.number] == victim].append(viewer.gap(begin - 1, end))
    for led, found in gaps.items():
        if found:
            print(f"{how} of node {victim}: {len(found):3} cameras {'it led' if led else 'of others':9}  longest"
                  f" gap {max(found):5.1f} s, median {statistics.median(found):5.1f} s", flush=True)
    if how == "kill":
        node.start()
    else:
        node.signal(signal.SIGCONT)


def measure(chain, options):
    over = threading.Event()
    viewers = [Viewer(chain.httpd, number, over) for number in chain.numbers]
    load = [Viewer(chain.httpd, number, over) for number in
            itertools.islice(itertools.cycle(chain.numbers), max(0, options.viewers - len(viewers)))]
    for _ in range(options.rounds):
        for how in options.how.split(","):
            one_death(chain, viewers, how)
    over.set()
    everybody = viewers + load
    print(f"{len(everybody)} viewers: cut {sum(one.cuts for one in everybody)} times, an older picture "
          f"after a newer one {sum(one.backwards for one in everybody)} times")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--fps", type=float, default=5)
    parser.add_argument("--how", default="kill,stop")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with stack.temporary_folder() as folder:
        try:
            with stack.Stack(folder, cameras=options.cameras, kafka="apache", brokers=3, fps=options.fps,
                             producer={"kafka": {"replication": "3"}},
                             httpd={"snippet": "KafkaCamMaxViewersPerClient 0\n"}) as chain:
                clients.wait_for_pictures(chain.httpd, chain.numbers, 120)
                measure(chain, options)
                for part in (chain.producer, chain.httpd):
                    for line in part.log_text().splitlines():
                        if "KC" in line:
                            print(f"{part.name}: {line}")
        except stack.StackError as error:
            sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
