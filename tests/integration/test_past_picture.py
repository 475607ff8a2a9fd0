"""/cam/N.jpg?at=TIME, /cam/N.json?at=TIME and /cam/N/o/OFFSET.jpg: pictures that Kafka still holds."""

import datetime
import time

import pytest

import clients
import past
import stack


@pytest.fixture
def looking_back(broker, feed, make_httpd):
    """httpd where everybody may look back."""
    return make_httpd(broker, locations=past.LOOKS_BACK)


@pytest.mark.both_brokers
def test_a_moment_shows_the_newest_picture_not_after_it(looking_back, feed):
    recording = past.Recording(feed, 3, 50, age_s=5)
    for place, shift, shown in ((0, 0, 0), (10, 0, 10), (10, 1, 10), (10, -1, 9), (20, 199999, 20),
                                (49, 0, 49)):
        answer = past.get(looking_back, f"/cam/3.jpg?at={recording.at(place, shift)}")
        assert answer.status_code == 200, answer.text
        assert answer.content == recording.jpegs[shown], (place, shift)
        assert answer.headers["X-Timestamp"] == str(recording.times[shown])
        assert answer.headers["X-Offset"] == str(recording.offsets[shown])
        assert answer.headers["X-KafkaCam-Past"] == ("newest" if shown == 49 else "then")


@pytest.mark.both_brokers
def test_what_can_no_longer_change_may_be_kept(looking_back, feed):
    recording = past.Recording(feed, 3, 20, age_s=5)
    path = f"/cam/3.jpg?at={recording.at(7)}"
    answer = past.get(looking_back, path)
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    again = past.get(looking_back, path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    for unsettled in ("-1ms", recording.at(19), "2199-01-01T00:00:00Z"):
        assert past.get(looking_back, f"/cam/3.jpg?at={unsettled}").headers["Cache-Control"] == "no-cache"


def test_a_moment_may_be_said_in_three_ways(looking_back, feed):
    recording = past.Recording(feed, 3, 20, interval_ms=10000)
    moment = datetime.datetime.fromtimestamp(recording.times[9] / 1e6, datetime.timezone.utc)
    eastern = moment.astimezone(datetime.timezone(datetime.timedelta(hours=3)))
    ago = (time.time() * 1e6 - recording.times[9] - 400000) / 1e6
    for text in (moment.isoformat(), eastern.isoformat(), eastern.isoformat().replace("+", "%2B"),
                 recording.at(9), f"-{ago:.3f}s"):
        answer = past.get(looking_back, f"/cam/3.jpg?at={text}")
        assert answer.headers["X-Timestamp"] == str(recording.times[9]), text


@pytest.mark.both_brokers
def test_hostile_moments_get_the_right_answer_and_disturb_nobody(looking_back, feed):
    recording = past.Recording(feed, 3, 10)
    for text in ("", "-0", "-", "now", "1e30", "1" + 30 * "0", "%00", "17%0017", "1970-", "x" * 5000,
                 "2023-11-14T22:13:20", "10000-01-01T00:00:00Z", "NaN", "-1y", "%", "-9" + 30 * "9" + "s"):
        for form in (".jpg", ".json"):
            answer = past.get(looking_back, f"/cam/3{form}?at={text}")
            assert answer.status_code == 400, (text, answer.status_code)
            assert "zone" in answer.text
    for text, shown in (("1970-01-01T00:00:00Z", 0), ("0", 0), ("0000-01-01T00:00:00Z", 0),
                        ("1969-12-31T23:59:59Z", 0), ("-99999999s", 0), ("-0s", 9),
                        ("9999-12-31T23:59:60Z", 9), ("253402300799999", 9)):
        answer = past.get(looking_back, f"/cam/3.jpg?at={text}")
        assert (answer.status_code, answer.content) == (200, recording.jpegs[shown]), text
        assert answer.headers["X-KafkaCam-Past"] == ("beginning" if shown == 0 else "newest")


@pytest.mark.both_brokers
def test_every_record_has_an_address_of_its_own(looking_back, feed):
    recording = past.Recording(feed, 3, 40)
    for place, offset in enumerate(recording.offsets):
        answer = past.get(looking_back, f"/cam/3/o/{offset}.jpg")
        assert answer.content == recording.jpegs[place]
        assert answer.headers["Cache-Control"] == "no-cache"      # whose it is was not said
    links = past.links(past.get(looking_back, f"/cam/3/o/{recording.offsets[20]}.jpg"))
    for rel, place in (("prev", 19), ("next", 21)):
        answer = past.get(looking_back, f"/cam/3/o/{links[rel]}")
        assert answer.content == recording.jpegs[place]
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert answer.headers["ETag"].endswith(f':3:{recording.offsets[place]}:{recording.times[place]}"')
    assert "prev" not in past.links(past.get(looking_back, f"/cam/3/o/{recording.offsets[0]}.jpg"))
    assert "next" not in past.links(past.get(looking_back, f"/cam/3/o/{recording.offsets[-1]}.jpg"))


@pytest.mark.both_brokers
def test_a_picture_of_another_topic_of_that_name_is_gone(looking_back, feed):
    recording = past.Recording(feed, 3, 10)
    place = recording.offsets[4]
    answer = past.get(looking_back, f"/cam/3/o/{place}.jpg?us={recording.times[4] + 1}")
    assert answer.status_code == 410 and "anew" in answer.text
    answer = past.get(looking_back, f"/cam/3/o/99.jpg?us={recording.times[4]}")
    assert answer.status_code == 410
    assert past.get(looking_back, "/cam/3/o/99.jpg").status_code == 404
    for text in ("", "x", "-1", "01", "9" * 30, "1.2", "1/2", "%00"):
        assert past.get(looking_back, f"/cam/3/o/{text}.jpg").status_code == 404, text


def test_what_retention_took_is_gone_and_says_what_is_kept(looking_back, feed):
    """The embedded broker keeps 5 MiB of a partition."""
    big = clients.paint(3, 1, (1280, 720), 95)
    recording = past.Recording(feed, 3, 3)
    kept = recording
    for _ in range(7 << 20 >> 10):
        offset = feed.record(3, big)
        if past.get(looking_back, f"/cam/3/o/{recording.offsets[0]}.jpg").status_code == 410:
            break
    answer = past.get(looking_back, f"/cam/3/o/{kept.offsets[0]}.jpg?us={kept.times[0]}")
    assert answer.status_code == 410 and "kept from" in answer.text
    oldest = int(answer.headers["X-KafkaCam-Oldest"])
    assert 0 < oldest <= offset
    assert past.get(looking_back, f"/cam/3/o/{oldest}.jpg").status_code == 200
    assert past.get(looking_back, "/cam/3.jpg?at=0").headers["X-Offset"] == str(oldest)


@pytest.mark.both_brokers
def test_several_records_of_one_millisecond_and_clocks_that_jumped(looking_back, feed):
    base = int(time.time() - 60) * 1000000
    offsets = []

    def write(*times):
        for us in times:
            offsets.append(feed.record(3, clients.paint(3, len(offsets)), headers=(("us", us),),
                                       timestamp_ms=us // 1000))

    def shown(us):
        answer = past.get(looking_back, f"/cam/3.jpg?at={us // 1000}.{us % 1000:03d}")
        return offsets.index(int(answer.headers["X-Offset"]))
    write(base, base + 10, base + 20, base + 999, base + 1000, base + 1000, base + 2000)
    assert shown(base + 15) == 1
    assert shown(base + 998) == 2
    assert shown(base + 999) == 3
    assert shown(base + 1000) == 5
    write(base - 30_000_000, base - 29_000_000, base + 3_000_000)
    assert shown(base + 3_000_000) == 9
    # Between them the clock went back half a minute: one of the two ways to read it.
    assert shown(base + 1_000_000) in (6, 8)


@pytest.mark.both_brokers
def test_records_of_the_original_producer_have_a_past(looking_back, feed):
    recording = past.Recording(feed, 3, 20, age_s=5, headers=False)
    answer = past.get(looking_back, f"/cam/3.jpg?at={recording.times[8] // 1000}")
    assert answer.content == recording.jpegs[8]
    assert answer.headers["X-Timestamp"] == str(recording.times[8] // 1000 * 1000)


def test_what_is_no_picture_is_passed_over(looking_back, feed):
    recording = past.Recording(feed, 3, 3, age_s=10)
    broken = feed.record(3, b"no JPEG", timestamp_ms=int(time.time() * 1000) - 5000)
    last = past.Recording(feed, 3, 1)
    assert past.get(looking_back, "/cam/3.jpg?at=-3s").content == recording.jpegs[2]
    assert past.get(looking_back, f"/cam/3/o/{broken}.jpg").status_code == 404
    links = past.links(past.get(looking_back, f"/cam/3/o/{last.offsets[0]}.jpg"))
    assert links["prev"].startswith(f"{recording.offsets[2]}.jpg")


@pytest.mark.both_brokers
def test_state_of_a_moment(looking_back, feed):
    feed.status(3, {"name": "Gate", "state": "streaming"})
    recording = past.Recording(feed, 3, 20, age_s=5)
    answer = past.get(looking_back, f"/cam/3.json?at={recording.at(9)}").json()
    assert answer["captured"] == recording.times[9] and answer["offset"] == recording.offsets[9]
    assert answer["size"] == len(recording.jpegs[9]) and answer["past"] == "then"
    assert past.get(looking_back, f"/cam/{answer['picture']}").content == recording.jpegs[9]


def location(path, *lines):
    return f'<Location "{path}">\n' + "".join(f"    {line}\n" for line in lines) + "</Location>\n"


def test_nobody_looks_back_where_it_is_not_said(module, feed):
    past.Recording(feed, 3, 3)
    for path in ("/cam/3.jpg?at=-1s", "/cam/3.json?at=-1s", "/cam/3/o/0.jpg"):
        answer = past.get(module, path)
        assert answer.status_code == 403 and "KafkaCamPast" in answer.text, path
    assert past.get(module, "/cam/3.jpg").status_code == 200


@pytest.mark.expects_log("KC2033")
def test_a_location_says_how_far_back_one_may_look(broker, feed, make_httpd):
    recordings = {number: past.Recording(feed, number, 10, interval_ms=10000) for number in (3, 4, 5, 6)}
    httpd = make_httpd(broker, locations=past.LOOKS_BACK + location("/cam/3", "KafkaCamPast off")
                       + location("/cam/4", "KafkaCamPast 35s")
                       + location("/cam/5", "Require all denied")
                       + location("/cam/6", "AuthType none"))
    assert past.get(httpd, "/cam/3.jpg?at=-20s").status_code == 403
    assert past.get(httpd, "/cam/5.jpg?at=-20s").status_code == 404     # as if there was none
    assert past.get(httpd, "/cam/6.jpg?at=0").content == recordings[6].jpegs[0]
    assert past.get(httpd, "/cam/4.jpg?at=-0s").content == recordings[4].jpegs[-1]
    for at in ("-34s", "-60s", "0", recordings[4].at(0)):
        answer = past.get(httpd, f"/cam/4.jpg?at={at}")
        assert int(answer.headers["X-Timestamp"]) >= (time.time() - 35.5) * 1e6, at
    for offset in recordings[4].offsets[:6]:
        assert past.get(httpd, f"/cam/4/o/{offset}.jpg").status_code == 403
    answer = past.get(httpd, f"/cam/4/o/{recordings[4].offsets[-1]}.jpg")
    assert answer.content == recordings[4].jpegs[-1]
    # None of the answers led further back than that.
    first_link = past.links(past.get(httpd, f"/cam/4/o/{recordings[4].offsets[-3]}.jpg"))
    assert "next" in first_link


def test_who_may_look_back_is_for_httpd_to_decide(broker, feed, make_httpd):
    recording = past.Recording(feed, 3, 3)
    httpd = make_httpd(broker, locations=stack.Httpd.LOCATIONS + location(
        "/cam", "<If \"%{HTTP:X-Operator} == 'yes'\">", "KafkaCamPast 1h", "</If>"))
    path = f"/cam/3.jpg?at={recording.at(1)}"
    assert past.get(httpd, path).status_code == 403
    assert past.get(httpd, path, headers={"X-Operator": "yes"}).content == recording.jpegs[1]


def test_a_wrong_kafkacampast_stops_the_start(broker, feed, make_httpd):
    for value in ("yes", "-5", "0", "1y"):
        with pytest.raises(stack.StackError, match="KafkaCamPast"):
            make_httpd(broker, snippet=f"KafkaCamPast {value}\n")
    for value in ("0", "x", "70000"):
        with pytest.raises(stack.StackError, match="KafkaCamPastCache"):
            make_httpd(broker, snippet=f"KafkaCamPastCache {value}\n")
