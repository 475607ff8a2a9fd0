"""What Kafka's access lists forbid is said in words, once, by whoever is refused."""

import itertools

import kafka.admin
import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

import clients
import stack

pytestmark = pytest.mark.apache_only        # the embedded broker has no access lists


@pytest.fixture(scope="module")
def guarded(new_folder):
    """An Apache Kafka where a topic without an access list is everybody's."""
    with stack.ApacheKafka(new_folder(), settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true"}) as broker:
        broker.numbers = itertools.count(1)
        yield broker


def allow(broker, topic, *operations):
    """From now on these, and nothing else, may be done with the topic."""
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=broker.address)
    done = admin.create_acls([ACL("User:ANONYMOUS", "*", operation, ACLPermissionType.ALLOW,
                                  ResourcePattern(ResourceType.TOPIC, topic))
                              for operation in operations])
    assert not done["failed"]
    admin.close()


@pytest.fixture
def broker(guarded):
    guarded.topic = f"video{next(guarded.numbers)}"
    return guarded


@pytest.mark.expects_log("KC2012")
@pytest.mark.parametrize("operations", [(ACLOperation.WRITE,), (ACLOperation.CREATE,)],
                         ids=["seen, not read", "not even seen"])
def test_the_module_says_that_it_may_not_read_pictures(broker, feed, make_httpd, operations):
    feed.picture(3, 1)
    allow(broker, broker.topic, *operations)
    httpd = make_httpd(broker, children=1)
    clients.get(httpd, "/cam/3.jpg")
    httpd.wait_log(rf"KC2012: Kafka topic {broker.topic} cannot be read: .*authorization failed "
                   r"\(the module's Kafka user needs READ and DESCRIBE on it\)")


@pytest.mark.expects_log("KC1530", "KC1209")
def test_the_producer_says_what_it_may_not_write(broker, feed, folder, build):
    """feed has made the topics."""
    for topic in (broker.topic, f"{broker.topic}.status"):
        allow(broker, topic, ACLOperation.READ)
    with stack.Stack(folder, cameras=1, broker=broker, build=build) as chain:
        chain.producer.wait_log(r"KC1530: camera 1: Kafka at \S+ takes no pictures: .*WRITE")
        chain.producer.wait_log(rf"KC1209: states of cameras cannot be written to topic {broker.topic}.status: "
                                r".*authorization failed \(the producer's Kafka user needs WRITE")


@pytest.mark.expects_log("KC2012")
def test_rights_that_are_lost_midway_are_said_and_kafka_is_not_up(broker, feed, make_httpd):
    httpd = make_httpd(broker, children=1)
    feed.picture(3, 1)
    with clients.Stream(httpd, "/cam/3") as stream:
        assert stream.pictures(1) == [(3, 1)]
        allow(broker, broker.topic, ACLOperation.WRITE)
        feed.picture(3, 2)                      # so that there is something to be read
        httpd.wait_log(rf"KC2012: Kafka topic {broker.topic} cannot be read", 60)
        stack.wait_for(lambda: clients.status(httpd)["kafka"]["state"] == "denied", 30, "not denied")
        assert broker.topic in clients.status(httpd)["kafka"]["error"]
        assert f'kafkacam_kafka_up{{topic="{broker.topic}"}} 0' in clients.get(httpd, "/kafkacam-metrics").text
        data = clients.get(httpd, "/cameras.json").json()
        assert data["kafka"] is False and "cannot be read" in data["trouble"]
        allow(broker, broker.topic, ACLOperation.READ)
        httpd.wait_log(f"Kafka topic {broker.topic} can be read now", 60)
        stack.wait_for(lambda: clients.status(httpd)["kafka"]["state"] == "up", 30, "not up")
        feed.picture(3, 3)
        while stream.shown() != (3, 3):         # "offline since" may have come between
            pass
