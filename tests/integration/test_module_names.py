"""Brokers that call themselves by names which mean nothing here, the classic of containers."""

import re

import pytest

import clients
import stack

pytestmark = pytest.mark.apache_only


@pytest.fixture
def renamed(new_folder):
    """A Kafka with a camera's picture and state in it that calls itself by a name nobody knows."""
    with stack.ApacheKafka(new_folder()) as broker:
        broker.topic = "video"
        with clients.Feed(broker.address, "video") as feed:
            feed.make_topics(True)
            feed.picture(3, 1)
            feed.status(3, {"name": "Gate", "state": "streaming"})
        broker.stop()
        broker.settings["advertised.listeners"] = "PLAINTEXT://kafka-broker.invalid:9092"
        yield broker.start()


@pytest.mark.expects_log("KC2011")
def test_a_broker_that_nobody_reaches_under_its_own_name_is_named(renamed, make_httpd):
    httpd = make_httpd(renamed, children=1)
    httpd.wait_log(r"KC2011: .*cannot reach kafka-broker.invalid:9092, as broker 1 calls itself", 60)
    said = clients.status(httpd)["kafka"]
    assert said["state"] == "away"
    assert "cannot reach kafka-broker.invalid:9092" in said["error"]
    assert re.search(r"^kafkacam_kafka_up\S* 0$", clients.get(httpd, "/kafkacam-metrics").text, re.M)
    assert "kafka-broker.invalid:9092" in clients.get(httpd, "/kafkacam-status").text
    data = clients.get(httpd, "/cameras.json").json()
    assert (data["kafka"], data["reason"]) == (False, "kafka")
    assert "cannot reach kafka-broker.invalid:9092" in data["trouble"]
