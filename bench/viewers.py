#!/usr/bin/env python3
"""What viewers cost: processor time per gigabyte of the pump (straight through the socket, and
through httpd's filters), of a thread per viewer, and of TLS, against a bare send() loop, all in
turn in one run, so that the ratios hold on a machine that other work shares. Then 10,000 viewers at
one picture a second, while somebody asks for a static file.

    scripts/bench viewers [--rounds 3] [--seconds 4] [--only NAME,...] [--json FILE]

Servers and client run with real-time priority where that is allowed (root), or it is the machine's
other work that skips pictures. "of asked" is what arrived of all bytes that the cameras made.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import threading
import time
import urllib.request

import madeup
import stack

SIZE = 50000
CAMS = 4
MANY = 10000    # viewers of whom the question is whether they are served at all
PART = SIZE + len("\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n")


class Raw:
    """bench/rawsend.c."""

    def __init__(self, fps):
        program = stack.Build().folder / "bench" / "rawsend"
        self.process = subprocess.Popen([str(program), str(CAMS), str(fps), str(SIZE)],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.tls = False

    def children_pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.kill()
        self.process.wait()


def httpd(folder, fps, **options):
    return madeup.Feed(folder, cams=CAMS, fps=fps, size=SIZE, children=1, **options).start()


def servers(root, fps, viewers, names):
    """{name: a server that runs}. A thread per viewer needs as many workers."""
    made = {
        "raw send()": lambda: Raw(fps),
        "direct": lambda: httpd(root / "direct", fps, threads=64),
        "filters": lambda: httpd(root / "filters", fps, threads=64, direct=False),
        "thread per viewer": lambda: httpd(
            root / "thread", fps, threads=viewers + 16, mpm="worker", pump=False,
            snippet=f"KafkaCamMaxBlockingViewers {viewers + 8}\n"),
        "TLS": lambda: httpd(root / "tls", fps, threads=64, tls=True),
    }
    return {name: made[name]() for name in names}


def measure(server, viewers, seconds):
    pids = server.children_pids()
    options = ["-n", viewers, "-c", CAMS, "-w", 2, "-s", seconds, "-k", max(1, viewers // 20)]
    if server.tls:
        options.append("-t")
    result = madeup.Viewers(server.port, options=options, processor_of=pids).result()
    result["memory_kb"] = sum(madeup.memory_kb(pid) for pid in pids)
    result["threads"] = sum(madeup.threads(pid) for pid in pids)
    return result


def scenario(viewers, fps, names, options):
    """Rounds of all servers in turn; {name: [result, ...]}."""
    results = {name: [] for name in names}
    with contextlib.ExitStack() as running, stack.temporary_folder() as folder:
        os.chmod(folder, 0o755)
        made = servers(pathlib.Path(folder), fps, viewers, names)
        for server in made.values():
            running.callback(server.stop)
        for _ in range(options.rounds):
            for name, server in made.items():
                results[name].append(measure(server, viewers, options.seconds))
    return results


def median(results, key):
    values = [result[key] for result in results if result[key] is not None]
    return statistics.median(values) if values else float("nan")


def rows(viewers, fps, results):
    ceiling = median(results["raw send()"], "s_per_gb") if "raw send()" in results else None
    for name, all_of in results.items():
        cost = median(all_of, "s_per_gb")
        pictures = sum(result["pictures"] for result in all_of)
        skipped = sum(result["skipped"] for result in all_of)
        yield {
            "viewers": viewers, "fps": fps, "how": name, "s_per_gb": cost,
            "ratio": cost / ceiling if ceiling else None,
            "gb_per_s": median(all_of, "bytes") / 1e9 / median(all_of, "seconds"),
            "asked_percent": 100 * sum(result["bytes"] for result in all_of)
                             / sum(viewers * fps * PART * result["seconds"] for result in all_of),
            "skipped_percent": 100 * skipped / max(1, pictures + skipped),
            "age_p99_ms": statistics.median(result["age_ms"]["p99"] for result in all_of),
            "wrong": sum(result["wrong"] + result["refused"] + result["closed"] for result in all_of),
            "memory_kb": all_of[-1]["memory_kb"], "threads": all_of[-1]["threads"],
        }


def show(row):
    ratio = f"{row['ratio']:5.2f}" if row["ratio"] else "    -"
    print(f"{row['viewers']:6d} x {row['fps']:<4g} {row['how']:<18} {row['s_per_gb']:8.3f} {ratio} "
          f"{row['gb_per_s']:7.2f} {row['asked_percent']:8.1f} {row['skipped_percent']:8.2f} {row['age_p99_ms']:9.1f} "
          f"{row['memory_kb'] / 1024:8.1f} {row['threads']:7d} {row['wrong']:6d}", flush=True)


class Asker(threading.Thread):
    """Asks for a static file, each time over a connection of its own, till it is told to stop."""

    PAUSE_S = 0.01

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.times_ms, self.failed, self.over = url, [], 0, threading.Event()

    def run(self):
        while not self.over.wait(self.PAUSE_S):
            begin = time.monotonic()
            try:
                with urllib.request.urlopen(self.url, timeout=10) as answer:
                    answer.read()
                self.times_ms.append((time.monotonic() - begin) * 1000)
            except OSError:
                self.failed += 1

    def stop(self):
        self.over.set()
        self.join()
        return self


def need_descriptors(viewers):
    """One for each viewer in httpd and as many in the client, and what they need besides."""
    allowed, needed = resource.getrlimit(resource.RLIMIT_NOFILE)[1], viewers + 500
    if allowed < needed:
        raise SystemExit(f"viewers.py: {viewers} viewers need {needed} open files in a process, this "
                         f"user may have {allowed}: raise the hard limit (ulimit -Hn, LimitNOFILE=)")


def many(viewers, fps, options):
    """Thousands that are nearly idle, and a static file meanwhile."""
    need_descriptors(viewers)
    with stack.temporary_folder() as folder, contextlib.ExitStack() as running:
        os.chmod(folder, 0o755)
        (pathlib.Path(folder) / "page.txt").write_text("static\n" * 100)
        server = httpd(pathlib.Path(folder) / "many", fps, threads=64, snippet=f"""\
Alias "/static" "{folder}"
<Location "/static">
    Require all granted
</Location>
""")
        running.callback(server.stop)
        server.get("/static/page.txt")
        pids = server.children_pids()
        before = sum(madeup.memory_kb(pid) for pid in pids)
        run = madeup.Viewers(server.port, processor_of=pids, options=[
            "-n", viewers, "-c", CAMS, "-w", 3, "-s", options.seconds * 2, "-k", viewers // 50])
        run.wait_begin()
        asker = Asker(server.url("/static/page.txt"))
        asker.start()
        memory = sum(madeup.memory_kb(pid) for pid in pids)
        threads = sum(madeup.threads(pid) for pid in pids)
        result = run.result()
        times = sorted(asker.stop().times_ms)
    row = next(rows(viewers, fps, {"direct": [{**result, "memory_kb": memory, "threads": threads}]}))
    return {**row, "served": result["open"], "static_p50_ms": statistics.median(times),
            "static_p99_ms": times[int(len(times) * 0.99)], "static_max_ms": times[-1],
            "static_failed": asker.failed, "kb_per_viewer": (memory - before) / viewers}


def show_many(row):
    show(row)
    print(f"{row['served']:6d} of {row['viewers']} are served, {row['kb_per_viewer']:.1f} kB each, "
          f"{row['threads']} threads; the static file: p50 {row['static_p50_ms']:.1f} ms, "
          f"p99 {row['static_p99_ms']:.1f} ms, max {row['static_max_ms']:.1f} ms, "
          f"{row['static_failed']} failed", flush=True)


def go_first():
    """What is started from now on runs before all that is not real-time."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        return "real-time"
    except PermissionError:
        return "normal"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", help="of these, comma between them: raw send(), direct, filters, "
                                       "thread per viewer, TLS")
    parser.add_argument("--scenario", action="append", metavar="VIEWERSxFPS",
                        help="instead of 500x25 and the others")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    madeup.raise_file_limit()
    print(f"priority: {go_first()}; "
          f"TCP: {pathlib.Path('/proc/sys/net/ipv4/tcp_congestion_control').read_text().strip()}")
    names = (options.only.split(",") if options.only
             else ["raw send()", "direct", "filters", "thread per viewer", "TLS"])
    found = []
    print("viewers x fps how                CPU s/GB ratio    GB/s of asked% skipped%  age99 ms   RSS MB "
          "threads  wrong")
    for words in options.scenario or ("500x25", "1000x5", "4000x5", "500x100", "10000x1"):
        viewers, fps = int(words.split("x")[0]), float(words.split("x")[1])
        if viewers >= MANY:
            found.append(many(viewers, fps, options))
            show_many(found[-1])
            continue
        # 4,000 threads, or 25 GB/s of TLS, say nothing that fewer do not.
        chosen = [name for name in names if viewers * fps <= 15000 and viewers <= 1000
                  or name in ("raw send()", "direct", "filters")]
        for row in rows(viewers, fps, scenario(viewers, fps, chosen, options)):
            found.append(row)
            show(row)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
