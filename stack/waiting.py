"""Waiting for what is to become true, and the one exception that all parts raise."""

import threading
import time


class StackError(Exception):
    """One line that says what went wrong, perhaps followed by the end of a log."""


def wait_for(condition, deadline_s, what):
    """Call condition until it is true and return what it returned; StackError after deadline_s."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise StackError(f"{what}: not within {deadline_s:g} s")
        time.sleep(0.02)


def together(calls):
    """Run calls in a thread each; the first one's exception is raised when all have ended."""
    failures = []

    def run(call):
        try:
            call()
        except Exception as error:  # raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:       # Ctrl-C: whoever cleans up wants them to have ended
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]
