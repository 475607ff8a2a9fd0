"""What the tests of the past share: a minute of records with times of their own."""

import time

import requests

import clients
import stack

# Nobody may look back where it is not said.
LOOKS_BACK = stack.Httpd.LOCATIONS.replace("SetHandler kafkacam-cam\n",
                                           "SetHandler kafkacam-cam\n    KafkaCamPast on\n").replace(
    "SetHandler kafkacam-cameras\n", "SetHandler kafkacam-cameras\n    KafkaCamPast on\n")


class Recording:
    """Pictures of one camera in Kafka, interval_ms apart, the last of them age_s ago."""

    def __init__(self, feed, number, count, *, interval_ms=200, age_s=0, until_us=None,
                 size=(160, 96), headers=True):
        until_us = until_us or int((time.time() - age_s) * 1e6)
        self.number, self.count, self.interval_us = number, count, interval_ms * 1000
        self.times = [until_us - (count - 1 - place) * self.interval_us for place in range(count)]
        self.jpegs = [clients.paint(number, frame, size) for frame in range(count)]
        sent = []
        for place, (us, jpeg) in enumerate(zip(self.times, self.jpegs)):
            marks = (("us", us), ("seq", place + 1), ("epoch", 1)) if headers else ()
            sent.append(feed.producer.send(
                feed.topic, value=jpeg, partition=number, timestamp_ms=us // 1000,
                headers=[(name, str(text).encode()) for name, text in marks]))
            sent[0].get(10)     # a topic just made may refuse it once, and the others would be before it
        self.offsets = [one.get(10).offset for one in sent]

    def at(self, place, shift_us=0):
        """The time of a picture, as a URL says it: milliseconds, and what is left of them."""
        us = self.times[place] + shift_us
        return f"{us // 1000}.{us % 1000:03d}"


def get(httpd, path, **options):
    return clients.get(httpd, path, **options)


def links(answer):
    """rel: the URL, as the Link header has them."""
    return {one["rel"]: one["url"]
            for one in requests.utils.parse_header_links(answer.headers.get("Link", ""))}


def wait_for_wall(httpd, numbers):
    """Until every child knows these cameras: one asks Kafka for them every few seconds."""
    def knows():
        answer = clients.get(httpd, "/cameras.json").json()
        return {one["camera"] for one in answer["cameras"]} >= set(numbers)
    for _ in range(8):
        stack.wait_for(knows, 30, f"not all of {numbers} are known")
