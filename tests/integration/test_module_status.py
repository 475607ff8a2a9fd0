"""What operators and their monitoring see."""

import re

import pytest
import requests

import clients
import stack

NAME = 'Gate "north" \\ <b>\nü'
SHOWN = NAME.replace("\n", " ")      # a line break has no place in a name


@pytest.fixture
def watched(broker, feed, make_httpd):
    """An httpd of two children with a password among its properties; camera 3 has been watched."""
    httpd = make_httpd(broker, children=2, snippet="KafkaCamProperty sasl.password hunter2secret\n")
    feed.status(3, {"name": NAME, "state": "streaming", "fps": 5})
    feed.picture(3, 1)
    clients.wait_for_state(httpd, 3, "live")
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
        feed.picture(3, 2)
        assert stream.pictures(1) == [(3, 2)]
        yield httpd


def samples(text):
    """{name: [(labels, value)]} of Prometheus' text format, checked line by line."""
    found, typed = {}, {}
    label = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("gauge", "counter")
            assert kind == "gauge" or name.endswith("_total")
            assert name not in typed
            typed[name] = kind
        elif not line.startswith("# HELP "):
            match = re.fullmatch(rf"([a-z_]+)(?:\{{({label}(?:,{label})*)\}})? ([0-9.e+-]+)", line)
            assert match, line
            name, labels, value = match.groups()
            assert name in typed
            found.setdefault(name, []).append((labels, float(value)))
    return found


def test_metrics_are_what_prometheus_reads(watched):
    answer = clients.get(watched, "/kafkacam-metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    found = samples(answer.text)
    assert found["kafkacam_viewers"] == [(None, 1)]
    assert found["kafkacam_frames_sent_total"][0][1] >= 2
    labels, value = found["kafkacam_camera_live"][0]
    assert value == 1
    assert r'name="Gate \"north\" \\ <b> ü"' in labels
    assert 'camera="3"' in labels
    assert found["kafkacam_camera_pictures_total"][0][1] == 2   # though two children read them


def test_every_child_tells_the_same(watched):
    counts = {tuple(v for _, v in samples(clients.get(watched, "/kafkacam-metrics").text)[name])
              for name in ("kafkacam_frames_sent_total",) for _ in range(20)}
    assert len(counts) == 1


def test_the_page_in_its_forms(watched):
    page = clients.get(watched, "/kafkacam-status")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Gate &quot;north&quot; \\ &lt;b&gt;" in page.text
    nonce = re.search(r'<style nonce="([^"]+)"', page.text).group(1)
    assert f"style-src 'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
    assert nonce not in clients.get(watched, "/kafkacam-status").text
    data = clients.get(watched, "/kafkacam-status?json").json()
    assert data["kafka"]["state"] == "up"
    assert data["cameras"][0]["state"]["name"] == SHOWN
    lines = clients.get(watched, "/kafkacam-status?auto").text.splitlines()
    assert "viewers: 1" in lines
    assert all(re.fullmatch(r"\w+: .+", line) for line in lines)
    assert clients.get(watched, "/kafkacam-status?refresh=7").headers["Refresh"] == "7"
    assert clients.get(watched, "/kafkacam-status?auto&refresh=7").headers["Refresh"] == "7"
    assert clients.get(watched, "/kafkacam-status?refresh=0").status_code == 400
    assert clients.get(watched, "/kafkacam-status?refresh=x").status_code == 400


def test_no_password_anywhere(watched):
    for path in ("/kafkacam-status", "/kafkacam-status?auto", "/kafkacam-status?json",
                 "/kafkacam-metrics", "/cam/3.json", "/cameras.json"):
        assert "hunter2" not in clients.get(watched, path).text
    assert "hunter2" not in watched.log_text()


@pytest.mark.expects_log("KC2003", "KC2031")
def test_a_consumer_that_cannot_be_made_says_why(broker, feed, make_httpd):
    httpd = make_httpd(broker, children=1, snippet="""
KafkaCamProperty security.protocol ssl
KafkaCamProperty ssl.ca.location /nowhere/ca.pem
KafkaCamProperty ssl.key.password hunter2secret
""")
    answer = clients.get(httpd, "/cam/3")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    line = next(line for line in httpd.log_text().splitlines() if "KC2003" in line)
    assert "ssl.ca.location" in line
    assert "hunter2" not in httpd.log_text()
    assert clients.get(httpd, "/kafkacam-status?json").json()["kafka"]["state"] == "none"
    assert requests.get(httpd.url("/kafkacam-metrics"), timeout=10).ok


@pytest.mark.apache_only         # the embedded broker cannot delete topics
def test_topics_made_anew_are_read_anew(broker, feed, make_httpd):
    """Deleted and created again under a viewer, with fewer records than before."""
    import kafka.admin
    httpd = make_httpd(broker, children=1)
    feed.status(3, {"name": "Old", "state": "streaming"})
    for frame in range(20):
        feed.picture(3, frame)
    with clients.Stream(httpd, "/cam/3", timeout=60) as stream:
        assert stream.pictures(1) == [(3, 19)]
        admin = kafka.admin.KafkaAdminClient(bootstrap_servers=broker.address)
        admin.delete_topics([feed.topic, f"{feed.topic}.status", f"{feed.topic}.small"])

        def made():
            try:
                feed.make_topics(True)
            except kafka.errors.TopicAlreadyExistsError:
                return False
            return True
        stack.wait_for(made, 30, "topics are not made anew")
        admin.close()
        with clients.Feed(broker.address, feed.topic) as again:
            again.status(3, {"name": "New", "state": "streaming"})
            stack.wait_for(lambda: clients.state(httpd, 3)["name"] == "New", 60, "the new name")

            def plays():
                again.picture(3, 33)
                found = stream.shown()
                return found == (3, 33)
            stack.wait_for(plays, 60, "the new picture")
