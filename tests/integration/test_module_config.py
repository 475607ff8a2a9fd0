"""configtest: what is wrong, and what would be right, before anything is restarted."""

import re

import pytest
import requests

import stack


@pytest.fixture
def configtest(folder, build):
    """Call it with a snippet for configtest's (status, text)."""
    class NoBroker:
        address = "127.0.0.1:9"
        client_settings = {}

    def check(snippet):
        httpd = stack.Httpd(folder, NoBroker(), build, snippet=snippet)
        done = httpd.configtest()
        return done.returncode, done.stderr
    return check


WRONG = {
    'KafkaCamBrokers ""': "takes one argument",
    "KafkaCamBrokers kafka:9092,,other": "empty name in the list",
    "KafkaCamBrokers kafka:port": '"kafka:port" is not HOST or HOST:PORT',
    "KafkaCamBrokers kafka:99999": "is not HOST or HOST:PORT",
    "KafkaCamBrokers http://user@kafka:1": "is not HOST or HOST:PORT",
    "KafkaCamTopic a/b": '"a/b" is not the name of a Kafka topic',
    "KafkaCamTopic none": "is not the name of a Kafka topic",
    "KafkaCamStatusTopic ..": "is not the name of a Kafka topic",
    "KafkaCamSmallTopic " + 250 * "x": "at most 249",
    "KafkaCamProperty group.id mine": "without a consumer group",
    "KafkaCamProperty bootstrap.servers a:1": "KafkaCamBrokers sets it",
    "KafkaCamProperty no.such.thing 1": "does not know this property",
    "KafkaCamProperty fetch.wait.max.ms soon": "fetch.wait.max.ms",
    "KafkaCamProperty fetch.wait.max.ms": "takes two arguments",
    "KafkaCamPath cam": "a path that starts with one slash",
    "KafkaCamIdle -1": "is not a time of 0 to 86400 seconds",
    "KafkaCamIdle 2d": "is not a time",
    "KafkaCamMaxIdle all": "is not a number from 0 to 100000",
    "KafkaCamStaleAfter 10ms": "is not a time of 1 to 86400 seconds",
    "KafkaCamLeastRate -1": "is not a number from 0 to 1000000000",
    "KafkaCamMaxWallCameras 0": "is not a number from 1 to",
    "KafkaCamHeartbeat 90": "is not a time of 1 to 60 seconds",
    "KafkaCamStallTimeout 0": "is not a time of 1 to 3600 seconds",
    "KafkaCamRecheck never": "is not a time",
    "KafkaCamMaxCameras 0": "is not a number from 1 to 100000",
    "KafkaCamMaxCameras 100001": "is not a number from 1 to 100000",
    "KafkaCamMaxViewers 1e3": "is not a number from 1 to 1000000",
    "KafkaCamMaxBlockingViewers -1": "is not a number",
    "KafkaCamMaxViewersPerClient many": "is not a number",
    "KafkaCamPumpThreads 65": "is not a number from 0 to 64",
    "<VirtualHost *:1>\nKafkaCamMaxViewers 5\n</VirtualHost>": "counts for the whole server",
}


@pytest.mark.parametrize("snippet", WRONG)
def test_configtest_says_what_is_wrong(configtest, snippet):
    status, text = configtest(snippet)
    assert status != 0
    assert WRONG[snippet] in text
    assert re.search(r"line \d+ of \S+httpd.conf", text)
    assert snippet.split("\n")[-2 if "\n" in snippet else 0].split()[0] in text


def test_good_values_pass(configtest):
    status, text = configtest("""
KafkaCamBrokers kafka1.example.org:9092,[::1]:9093,SSL://10.0.0.1:9094,plain
KafkaCamTopic video-2_b.c
KafkaCamStatusTopic none
KafkaCamProperty security.protocol SASL_SSL
KafkaCamProperty sasl.mechanism PLAIN
KafkaCamPath /live/
KafkaCamIdle 500ms
KafkaCamStaleAfter 5min
KafkaCamRecheck 0
KafkaCamMaxViewersPerClient 0
<VirtualHost *:1>
    KafkaCamTopic other
    KafkaCamIdle 1h
    KafkaCamMaxCameras 100000
</VirtualHost>
""")
    assert status == 0, text


def test_a_wrong_secret_is_not_repeated(configtest):
    status, text = configtest("KafkaCamProperty ssl.key.pem hunter2secret")
    assert "hunter2secret" not in text
    status, text = configtest("KafkaCamProperty sasl.oauthbearer.method hunter2secret")
    assert status != 0
    assert "hunter2secret" not in text


def test_walls_that_would_show_nothing_are_said(configtest):
    status, text = configtest("KafkaCamPath /live")
    assert status == 0
    assert text.count("KC2034") == 1
    assert '<Location "/live">' in text
    assert "KC2034" not in configtest("")[1]


@pytest.mark.expects_log("KC2011")
def test_a_virtual_host_with_brokers_of_its_own_inherits_no_password(broker, feed, make_httpd):
    """The main server's brokers want SASL, the virtual host's know nothing of it and serve it."""
    port = stack.free_port()
    make_httpd(broker, children=1, snippet=f"""
KafkaCamProperty security.protocol SASL_PLAINTEXT
KafkaCamProperty sasl.mechanism PLAIN
KafkaCamProperty sasl.username main
KafkaCamProperty sasl.password secret
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
    KafkaCamBrokers {broker.address}
</VirtualHost>
""")
    feed.picture(3)
    stack.wait_for(lambda: requests.get(f"http://127.0.0.1:{port}/cam/3.jpg", timeout=10).ok, 30,
                   "a picture from the virtual host")
