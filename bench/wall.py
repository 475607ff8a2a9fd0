#!/usr/bin/python3
"""One wall of 16 cameras against 16 single streams, the list of 100 cameras, and how soon Chromium
shows a picture. Takes a minute.

    scripts/bench wall"""

import argparse
import http.client
import pathlib
import statistics
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
import pagekit


def cpu_s(pids):
    """User and system time of these processes so far."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()
        total += sum(int(pathlib.Path(f"/proc/{pid}/task/{task.name}/schedstat").read_text().split()[0])
                     for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) if fields else 0
    return total / 1e9


class Reader(threading.Thread):
    """Reads a stream and counts its bytes."""

    def __init__(self, port, path):
        super().__init__(daemon=True)
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.line.request("GET", path)
        self.answer = self.line.getresponse()
        self.bytes = 0
        self.start()

    def run(self):
        try:
            while data := self.answer.read1(65536):
                self.bytes += len(data)
        except (OSError, ValueError, AttributeError):
            pass

    def stop(self):
        self.answer.fp.raw._sock.shutdown(2)
        self.join()


def cost(wall, paths, seconds=6):
    """(CPU-s of httpd's children per s, MB/s) while these streams are read."""
    readers = [Reader(wall.httpd.port, path) for path in paths]
    time.sleep(2)
    pids = wall.httpd.children_pids()
    cpu, begin, before = cpu_s(pids), time.monotonic(), sum(r.bytes for r in readers)
    time.sleep(seconds)
    spent = time.monotonic() - begin
    result = ((cpu_s(pids) - cpu) / spent, (sum(r.bytes for r in readers) - before) / spent / 1e6)
    for reader in readers:
        reader.stop()
    return result


def wall_against_singles(wall):
    rounds = []
    for _ in range(3):
        together = cost(wall, ["/cameras/stream"])
        singles = cost(wall, [f"/cam/{n}" for n in range(1, 17)])
        rounds.append((together, singles))
    ratio = statistics.median((t[0] / t[1]) / (s[0] / s[1]) for t, s in rounds)
    print(f"httpd's CPU: one wall of 16 / 16 single streams = {ratio:.2f} per byte (median of 3 turns); "
          + "; ".join(f"{t[0]:.3f} at {t[1]:.1f} MB/s / {s[0]:.3f} at {s[1]:.1f} MB/s" for t, s in rounds))


def list_cost(wall):
    line = http.client.HTTPConnection("127.0.0.1", wall.httpd.port, timeout=30)
    took = []
    for _ in range(40):
        begin = time.monotonic()
        line.request("GET", "/cameras.json")
        line.getresponse().read()
        took.append(time.monotonic() - begin)
    print(f"/cameras.json with 100 cameras, permission asked for each: {1000 * statistics.median(took):.1f} ms (median of 40)")


def first_picture(wall):
    browser = pagekit.Browser(tempfile.mkdtemp())
    took = []
    for _ in range(5):
        browser.open("about:blank")
        browser.open(wall.url("/cameras/16"))
        took.append(browser.driver.execute_async_script("""
            const done = arguments[0], look = () => [...document.querySelectorAll('canvas')].some(c => c.width !== 300)
              ? done(performance.now()) : requestAnimationFrame(look);
            look();"""))
    browser.quit()
    print(f"first picture after navigation: {statistics.median(took):.0f} ms (median of 5: {[round(t) for t in took]})")


def main():
    argparse.ArgumentParser(description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kc-"))
    folder.chmod(0o755)
    wall = pagekit.Wall(folder)
    try:
        wall.start(cameras=100, fps=1, bytes_about=30000)
        list_cost(wall)
        wall.feed.cameras = set(range(1, 17))
        wall.feed.fps = 5
        wall_against_singles(wall)
        first_picture(wall)
    finally:
        wall.stop()


if __name__ == "__main__":
    main()
