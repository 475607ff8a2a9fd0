"""conf/kafkacam.conf as it is shipped: in no virtual host does it let in anybody but this machine, whatever else
stands there."""

import pytest

import clients
import stack

TEXT = (stack.SOURCE / "conf" / "kafkacam.conf").read_text()
SECTIONS = TEXT[TEXT.index('<If "%{REQUEST_URI} =~ m#^/+(cam'):]
REMOTE = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n"
PATHS = ("/cam/3", "/cam/3.jpg", "/cam/3.json", "/cam/3/stream", "/cam/3/", "/cameras", "/cameras.json", "/cameras/stream",
         "/cameras/3-3/list.json", "//cam//3.jpg", "/%63am/3.jpg", "/x/../cam/3.jpg", "/kafkacam-status",
         "/kafkacam-metrics", "/kafkacam-status/?json")

HOSTS = {
    "as it is": "",
    "open to all": '<Location "/">\n    Require all granted\n</Location>\n',
    "open by a pattern": '<LocationMatch ".*">\n    Require all granted\n</LocationMatch>\n',
    "no directory": "DocumentRoot /usr/lib\n",
}


@pytest.fixture(params=HOSTS.values(), ids=HOSTS.keys())
def shipped(request, one_child, feed):
    feed.picture(3)
    return one_child(REMOTE + request.param, locations=SECTIONS, modules=("remoteip",))


@pytest.mark.expects_log("KC2033", "AH01630")
def test_a_stranger_sees_nothing_and_this_machine_all(shipped):
    for path in PATHS:
        url = shipped.url("/").rstrip("/") + path
        stranger = clients.requests.get(url, headers={"X-Forwarded-For": "192.0.2.9"}, timeout=10, stream=True)
        stranger.close()
        assert stranger.status_code in (403, 404), path
        own = clients.requests.get(url, timeout=10, stream=True)
        own.close()
        assert own.status_code == 200, path


@pytest.mark.expects_log("KC2033", "AH01630")
def test_a_section_for_one_camera_takes_it_away_and_lets_nobody_in(one_child, feed):
    feed.picture(3)
    feed.picture(4)
    httpd = one_child(REMOTE, locations=SECTIONS + '<Location "/cam/3">\n    Require ip 192.0.2.9\n</Location>\n',
                      modules=("remoteip",))
    clients.wait_for_pictures(httpd, [4])
    assert clients.get(httpd, "/cam/3.jpg").status_code == 404
    assert clients.get(httpd, "/cam/3.jpg", headers={"X-Forwarded-For": "192.0.2.9"}).status_code == 404
    assert [one["camera"] for one in clients.get(httpd, "/cameras.json").json()["cameras"]] == [4]
