#!/usr/bin/python3
"""A test double of kafkacam-camera: takes its job from descriptor 3, reports, and behaves as the path
of its URL says. It notes what it was given in jobs/CAMERA.PID.json of the supervisor's directory.

  stream      streams until it is told to stop
  fail        says why it failed, ends with status 1
  crash       ends by a signal
  silent      says nothing at all
  deaf        streams, and does not care for SIGTERM
  nonsense    sends what is no report"""

import json
import os
import pathlib
import select
import signal
import socket
import sys
import urllib.parse

REPORT = {"state": 2, "why": "", "fps_in": 25.0, "fps_out": 5.0, "width": 640, "height": 360,
          "bytes_per_s": 50000, "frames": 1, "dropped": 0, "decode_ms": 1.0, "encode_ms": 2.0}
CONNECTING, STREAMING, FAILED = 0, 2, 3


def note(job):
    """What the process sees of the world, for the test to look at."""
    folder = pathlib.Path("jobs")
    folder.mkdir(exist_ok=True)
    descriptors = {number: os.readlink(f"/proc/self/fd/{number}")
                   for number in os.listdir("/proc/self/fd")
                   if os.path.lexists(f"/proc/self/fd/{number}")}
    seen = {"job": job, "environment": dict(os.environ), "descriptors": descriptors,
            "arguments": sys.argv[1:], "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, []))}
    path = folder / f"{job['cam']}.{os.getpid()}.json"
    path.with_suffix(".new").write_text(json.dumps(seen))
    path.with_suffix(".new").rename(path)


def main():
    # Before anything else: what is open now is what the supervisor left open.
    pipe = socket.socket(fileno=3)
    if not select.select([pipe], [], [], 10)[0]:
        sys.exit(2)
    job = json.loads(pipe.recv(200000))
    note(job)
    way = urllib.parse.urlsplit(job["url"]).path.strip("/")
    stop_read, stop_write = os.pipe()
    os.set_blocking(stop_write, False)
    signal.set_wakeup_fd(stop_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if way == "deaf" else lambda *_: None)

    def say(state, **values):
        pipe.send(json.dumps({**REPORT, "state": state, **values}).encode())

    if way == "silent":
        select.select([stop_read, pipe], [], [])
        return 0
    say(CONNECTING, frames=0)
    if way == "fail":
        say(FAILED, why="the camera says 401 Unauthorized to rtsp://user:t0psecret@host/x")
        return 1
    if way == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "nonsense":
        pipe.send(b"[1, 2")
        select.select([stop_read, pipe], [], [])
        return 0
    while True:
        say(STREAMING)
        if select.select([stop_read, pipe], [], [], job["report_interval_ms"] / 1000)[0]:
            return 0        # told to stop, or the supervisor is gone


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)
