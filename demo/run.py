#!/usr/bin/python3
"""The second half of scripts/demo: starts the stack, waits for every camera's picture, shows the
address, waits for Ctrl-C; or stops what an earlier run has left running. Camera URLs come on
descriptor 3, one a line."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request

import stack as parts
from stack import StackError

# Seconds until every camera has delivered a picture.
PICTURE_S = float(os.environ.get("KAFKACAM_DEMO_PICTURE_S", "60"))


def say(text):
    print(f"demo: {text}", flush=True)


def claim(folder):
    """The folder is ours alone: made now, or a demo's that is not running."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to somebody else: take another with --dir")
    if parts.read_journal(journal(folder)):
        raise StackError(f"a demo runs already in {folder}: scripts/demo --stop --dir {folder}")
    if any(folder.iterdir()) and not journal(folder).exists():
        raise StackError(f"{folder} holds something else: take an empty one with --dir")
    for name in folder.iterdir():
        if name.is_dir():
            shutil.rmtree(name)     # yesterday's rows and pictures
    parts.close_to_others(folder)
    parts.write_journal(journal(folder), {})


def journal(folder):
    return folder / "demo.json"


def stop(folder):
    pids = parts.read_journal(journal(folder))
    if not pids:
        say(f"nothing of it runs in {folder}")
        return
    killed = parts.stop_recorded(pids)
    parts.write_journal(journal(folder), {})
    say(f"stopped {', '.join(pids)}" + (f"; had to kill {', '.join(killed)}" if killed else ""))


def check_port(listen, port):
    if parts.listening(port, "127.0.0.1" if listen in ("0.0.0.0", "::") else listen):
        raise StackError(f"port {port} is in use: take another with --port")


def fetch(url):
    """(status, body) of an address; (0, b"") if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def wait_for_pictures(stack):
    """Wait until each camera has a picture. Returns the numbers of those that have none in time."""
    waiting = set(stack.numbers)

    def arrived():
        for number in sorted(waiting):
            status, body = fetch(stack.httpd.url(f"/cam/{number}.jpg"))
            if status == 200 and body.startswith(b"\xff\xd8"):
                waiting.discard(number)
        stack.check()
        return not waiting

    try:
        parts.wait_for(arrived, PICTURE_S, "pictures")
    except StackError:
        if not waiting:
            raise
        stack.check()
    return sorted(waiting)


def why_not(stack, number):
    status, body = fetch(stack.httpd.url(f"/cam/{number}.json"))
    try:
        state = json.loads(body)
        return f"{state.get('state', 'unknown')}: {state.get('error') or 'no reason given'}"
    except ValueError:
        return f"/cam/{number}.json answers {status}"


def make_stack(options, urls):
    claim(options.dir)
    check_port(options.listen, options.port)
    stack = parts.Stack(options.dir, cameras=options.cameras, kafka=options.kafka,
                        brokers=options.brokers, port=options.port, urls=urls, fps=options.fps,
                        httpd={"host": options.listen})
    stack.journal = journal(options.dir)
    return stack


def start(stack):
    begun = time.monotonic()
    say(f"starting in {stack.folder}")
    stack.start()
    missing = wait_for_pictures(stack)
    for number in missing:
        say(f"camera {number} has no picture after {PICTURE_S:g} s: {why_not(stack, number)}")
    if missing and (not stack.urls or len(missing) == len(stack.urls)):
        raise StackError(f"no picture\n{stack.producer.log_tail()}")
    if not missing:
        say(f"every camera delivers after {time.monotonic() - begun:.1f} s")


def watch(stack):
    """Until Ctrl-C, or until a part dies."""
    while True:
        stack.check()
        time.sleep(1)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--fps", type=int, default=5)
    parser.add_argument("--kafka", default="embedded")
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--stop", action="store_true")
    options = parser.parse_args()
    options.dir = options.dir.expanduser().absolute()
    return options


def given_urls():
    try:
        with os.fdopen(3) as urls:
            return urls.read().splitlines()
    except OSError:
        return []


def interrupt(*_):
    raise KeyboardInterrupt


def run(options):
    # SIGINT too: a shell starts its background jobs with that ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    stack = make_stack(options, given_urls())
    try:
        start(stack)
        host = "127.0.0.1" if options.listen in ("0.0.0.0", "::") else options.listen
        say(f"open http://{host}:{options.port}/cameras")
        if options.detach:
            say(f"stop it with: scripts/demo --stop --dir {options.dir}")
            return
        say("Ctrl-C stops it")
        watch(stack)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)       # once is enough, stopping has deadlines
        stack.stop()
        say("stopped")
    except BaseException:
        stack.abandon()
        raise
    finally:
        if not options.detach:
            parts.write_journal(stack.journal, {})


def main():
    options = parse()
    try:
        if options.stop:
            stop(options.dir)
        else:
            run(options)
    except StackError as error:
        sys.exit(f"demo: {error}")


if __name__ == "__main__":
    main()
