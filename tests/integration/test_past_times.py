"""/cam/N/times.json: what there is of a camera's past."""

import time

import pytest

import past


@pytest.fixture
def looking_back(broker, feed, make_httpd):
    return make_httpd(broker, locations=past.LOOKS_BACK)


@pytest.mark.both_brokers
def test_pictures_of_each_step_and_gaps(looking_back, feed):
    now = int(time.time()) * 1000000
    first = past.Recording(feed, 3, 30, interval_ms=1000, until_us=now - 300_000_000)
    second = past.Recording(feed, 3, 40, interval_ms=500, until_us=now - 100_000_000)
    answer = past.get(looking_back, "/cam/3/times.json?step=10").json()
    assert answer["oldest"] == first.times[0] and answer["newest"] == second.times[-1]
    assert answer["oldest_offset"] == first.offsets[0]
    assert answer["end_offset"] == second.offsets[-1] + 1
    step, begin = answer["step"], answer["from"]
    assert step == 10_000_000 and begin <= answer["oldest"] < begin + step
    times = first.times + second.times
    counted = [sum(begin + place * step <= us < begin + (place + 1) * step for us in times)
               for place in range(len(answer["pictures"]))]
    assert answer["pictures"] == counted
    assert sum(answer["pictures"]) == 70
    assert len(answer["bytes"]) == len(counted)
    assert answer["gaps"] == [[first.times[-1], second.times[0]]]


def test_no_more_than_one_may_see(broker, feed, make_httpd):
    recording = past.Recording(feed, 3, 30, interval_ms=10000)
    httpd = make_httpd(broker, locations=past.LOOKS_BACK.replace("KafkaCamPast on", "KafkaCamPast 65s")
                       + '<Location "/cam/4">\n    KafkaCamPast off\n</Location>\n')
    past.Recording(feed, 4, 3)
    answer = past.get(httpd, "/cam/3/times.json?step=10").json()
    assert answer["oldest"] > (time.time() - 66) * 1e6
    assert answer["oldest_offset"] > recording.offsets[20]
    assert sum(answer["pictures"]) <= 7
    assert past.get(httpd, "/cam/4/times.json").status_code == 403


def test_a_wrong_step_is_refused_and_a_small_one_made_longer(looking_back, feed):
    past.Recording(feed, 3, 10, interval_ms=100000)
    for step in ("0", "x", "-1", "86401", ""):
        assert past.get(looking_back, f"/cam/3/times.json?step={step}").status_code == 400
    answer = past.get(looking_back, "/cam/3/times.json?step=1").json()
    assert len(answer["pictures"]) <= 241 and answer["step"] == 4_000_000
