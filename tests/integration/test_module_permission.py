"""Who may see what: httpd's own modules decide about /cam/N, for each form of its URL, at the start
and while a stream is open."""

import threading

import pytest
import requests
import requests.auth

import clients
import permission
import stack

# httpd's own words for wrong users, and ours for a camera that is kept from somebody.
DENIED = ("AH01618", "AH01790", "AH01630", "AH01631", "KC2033")
OFTEN = "KafkaCamRecheck 1\nKafkaCamHeartbeat 1\n"


@pytest.fixture
def users(new_folder):
    return permission.Users(new_folder())


@pytest.fixture
def two_cameras(feed):
    for number in (1, 2):
        feed.picture(number)
        feed.status(number, {"name": f"Camera {number}", "state": "streaming"})


def login(way, name):
    kind = requests.auth.HTTPDigestAuth if way == "digest" else requests.auth.HTTPBasicAuth
    return kind(name, permission.PASSWORDS[name])


@pytest.mark.parametrize("way", ["basic", "digest", "group", "dbd"])
@pytest.mark.expects_log(*DENIED)
def test_who_is_deleted_loses_every_open_stream_and_nobody_else_does(broker, feed, make_httpd, users,
                                                                     two_cameras, way):
    httpd = make_httpd(broker, children=1, locations=permission.locations(users.section(way)),
                       modules=users.modules(way),
                       snippet=OFTEN + (users.server() if way == "dbd" else ""))
    stack.wait_for(lambda: clients.get(httpd, "/cam/1.jpg", auth=login(way, "bob")).ok, 20, "a picture")
    paths = [f"/cam/1{form}" for form in permission.STREAMS] + ["/cameras/stream"]
    streams = {(name, path): requests.get(httpd.url(path), auth=login(way, name), stream=True, timeout=10)
               for name in ("alice", "bob") for path in paths}
    assert {stream.status_code for stream in streams.values()} == {200}
    open_for = {}
    users.delete("bob")

    def watch(which):
        open_for[which] = permission.seconds_open(streams[which], 30 if which[0] == "bob" else 6)

    threads = [threading.Thread(target=watch, args=(which,)) for which in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (name, path), seconds in open_for.items():
        assert seconds < 29 if name == "bob" else seconds >= 6, (name, path, seconds)
    assert set(permission.statuses(httpd, 1, auth=login(way, "bob")).values()) == {401}
    assert set(permission.statuses(httpd, 1, auth=login(way, "alice")).values()) == {200}


@pytest.mark.expects_log(*DENIED)
def test_require_ip_holds_for_every_form_and_for_walls(broker, feed, make_httpd, two_cameras):
    httpd = make_httpd(broker, children=1, snippet='<Location "/cam/2">\nRequire ip 192.0.2.1\n</Location>')
    stack.wait_for(lambda: permission.listed(httpd) == [1], 20, "the list")
    assert set(permission.statuses(httpd, 2).values()) == {404}
    assert set(permission.statuses(httpd, 1).values()) == {200}


# Each closes camera 2 and leaves camera 1.
SECTIONS = {
    "Location": '<Location "/cam/2">\nRequire all denied\n</Location>',
    "Location with a wildcard": '<Location "/cam/[2]">\nRequire all denied\n</Location>',
    "Location with a regular expression": '<Location ~ "^/cam/2$">\nRequire all denied\n</Location>',
    "LocationMatch of the URL alone": '<LocationMatch "^/cam/2$">\nRequire all denied\n</LocationMatch>',
    "LocationMatch of all below": '<LocationMatch "^/cam/2(/|\\.|$)">\nRequire all denied\n</LocationMatch>',
    "LocationMatch of any case": '<LocationMatch "(?i)^/CAM/2$">\nRequire all denied\n</LocationMatch>',
    "If": "<If \"%{REQUEST_URI} == '/cam/2'\">\nRequire all denied\n</If>",
    "If in a Location": '<Location "/cam">\n<If "%{REQUEST_URI} =~ m#^/cam/2$#">\nRequire all denied\n</If>\n'
                        "</Location>",
    "Require expr": '<Location "/cam">\nRequire expr "%{REQUEST_URI} !~ m#^/cam/2$#"\n</Location>',
    "SetEnvIf of the server": 'SetEnvIf Request_URI "^/cam/2$" secret\n<Location "/cam">\n<RequireAll>\n'
                              "Require all granted\nRequire not env secret\n</RequireAll>\n</Location>",
    "SetEnvIf of a section": '<Location "/cam">\nSetEnvIf Request_URI "^/cam/2$" secret\n<RequireAll>\n'
                             "Require all granted\nRequire not env secret\n</RequireAll>\n</Location>",
    "RewriteRule": 'RewriteEngine On\nRewriteRule "^/cam/2$" - [F]',
    "RedirectMatch": 'RedirectMatch 403 "^/cam/2$"',
    "Limit": '<Location "/cam/2">\n<Limit GET>\nRequire all denied\n</Limit>\n</Location>',
}

# Ways to write a URL of camera 2: each is camera 2, or nothing at all.
SPELLINGS = ("/cam/2", "/cam/%32", "/%63am/2", "//cam/2", "/cam//2", "/./cam/2", "/x/../cam/2",
             "/cam/1/../2", "/cam/%2e/2", "/CAM/2", "/cam/02", "/cam/2%00", "/cam/2%2f", "/cam/2;x",
             "/cam/2%3b", "/cam/%2532", "/cam/2%20", "/cam/2?x=/cam/1", "http://localhost/cam/2")


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.expects_log(*DENIED)
def test_a_section_for_the_camera_closes_every_form_of_every_spelling(broker, feed, make_httpd,
                                                                      two_cameras, section):
    httpd = make_httpd(broker, children=1, modules=("rewrite",),
                       snippet=f"{SECTIONS[section]}\nKafkaCamHideForbidden off")
    stack.wait_for(lambda: clients.get(httpd, "/cam/1.jpg").ok, 20, "camera 1")
    for form in permission.FORMS:
        for spelling in SPELLINGS:
            path, mark, query = spelling.partition("?")
            status = clients.status_of(httpd, f"{path}{form}{mark}{query}")
            assert status in (400, 403, 404), (spelling, form, status)
        assert clients.status_of(httpd, f"/cam/1{form}") == 200, form
    assert permission.listed(httpd) == [1]
    with clients.Stream(httpd, "/cameras/2-2/stream") as stream:
        assert stream.status == 404


@pytest.mark.expects_log("KC2032", "KC2033", "KC2034")
def test_a_question_that_reaches_no_camera_opens_none(broker, feed, make_httpd, two_cameras):
    """KafkaCamPath forgotten: walls show nothing; the cameras' own URLs are asked about as they are."""
    httpd = make_httpd(broker, children=1, locations=permission.locations("", "/video") + """
<Location "/video/2">
    Require all denied
</Location>
""")
    assert "KC2034" in httpd.log_text()
    stack.wait_for(lambda: clients.get(httpd, "/video/1.jpg").ok, 20, "camera 1")
    for form in permission.FORMS:
        assert clients.status_of(httpd, f"/video/2{form}") == 404
        assert clients.status_of(httpd, f"/video/1{form}") == 200
    assert permission.listed(httpd) == []
    assert clients.status_of(httpd, "/cameras/stream") == 404
    assert "KC2032" in httpd.log_text()


@pytest.mark.expects_log("KC2032", "KC2033")
def test_what_somebody_else_serves_at_the_cameras_path_opens_none(broker, feed, make_httpd, two_cameras):
    httpd = make_httpd(broker, children=1, snippet='RedirectMatch "^/cam/2$" "/elsewhere"\n'
                                                   '<Location "/cam/1">\nSetHandler server-status\n</Location>')
    stack.wait_for(lambda: "KC2032" in (clients.get(httpd, "/cameras.json") and httpd.log_text()), 20,
                   "the warning")
    assert permission.listed(httpd) == []


@pytest.mark.expects_log("KC2033")
def test_a_forbidden_camera_answers_like_one_that_does_not_exist(broker, feed, make_httpd, two_cameras):
    httpd = make_httpd(broker, children=1, snippet='<Location "/cam/2">\nRequire all denied\n</Location>\n'
                                                   '<Location "/cam/9">\nRequire all denied\n</Location>')
    stack.wait_for(lambda: clients.status_of(httpd, "/cam/8") == 404, 20, "no 404")
    for form in permission.FORMS:
        answers = [clients.get(httpd, f"/cam/{number}{form}") for number in (2, 8, 9)]
        texts = {answer.text.replace(f"/cam/{number}", "/cam/N")
                 for answer, number in zip(answers, (2, 8, 9))}
        heads = {tuple(sorted((name, value) for name, value in answer.headers.items()
                              if name not in ("Date", "Retry-After"))) for answer in answers}
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len(texts) == 1 and len(heads) == 1, (texts, heads)


@pytest.mark.expects_log("KC2033")
def test_the_403_for_those_who_want_it(broker, feed, make_httpd, two_cameras):
    httpd = make_httpd(broker, children=1, snippet='<Location "/cam/2">\nRequire all denied\n</Location>\n'
                                                   "KafkaCamHideForbidden off")
    stack.wait_for(lambda: clients.get(httpd, "/cam/1.jpg").ok, 20, "camera 1")
    assert set(permission.statuses(httpd, 2).values()) == {403}


@pytest.mark.expects_log(*DENIED)
def test_where_a_login_could_help_it_is_asked_for(broker, feed, make_httpd, users, two_cameras):
    """<LocationMatch> guards the one URL with a password: so are all its forms, each with a challenge."""
    httpd = make_httpd(broker, children=1, snippet=f"""
<LocationMatch "^/cam/2$">
    {users.section("basic")}
</LocationMatch>
""")
    stack.wait_for(lambda: clients.get(httpd, "/cam/1.jpg").ok, 20, "camera 1")
    for form in permission.FORMS:
        with clients.get(httpd, f"/cam/2{form}", stream=True) as answer:
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == f'Basic realm="{permission.REALM}"'
    assert set(permission.statuses(httpd, 2, auth=permission.BASIC["alice"]).values()) == {200}
    assert permission.listed(httpd) == [1]
    assert permission.listed(httpd, auth=permission.BASIC["alice"]) == [1, 2]


def test_a_number_above_the_limit_is_unknown_at_once(broker, feed, one_child):
    """No worker waits for what cannot be."""
    httpd = one_child("KafkaCamMaxCameras 10\nKafkaCamMaxBlockingViewers 0")
    stack.wait_for(lambda: clients.status_of(httpd, "/cam/3") in (200, 503), 20, "httpd")
    for form in permission.FORMS:
        assert clients.status_of(httpd, f"/cam/10{form}") == 404


@pytest.mark.expects_log(*DENIED)
def test_open_streams_keep_no_database_connection(broker, feed, make_httpd, users, two_cameras):
    """DBDMax is 2: with more viewers than that, other pages and new viewers still get an answer."""
    httpd = make_httpd(broker, children=1, locations=permission.locations(users.section("dbd")) + f"""
<Location "/page">
    SetHandler server-status
    {users.section("dbd")}
</Location>
""", modules=users.modules("dbd"), snippet=OFTEN + users.server(most=2))
    alice = permission.BASIC["alice"]
    stack.wait_for(lambda: clients.get(httpd, "/cam/1.jpg", auth=alice).ok, 20, "a picture")
    streams = [clients.get(httpd, path, auth=alice, stream=True)
               for path in 4 * ("/cam/1", "/cam/2/stream", "/cameras/stream")]
    assert {stream.status_code for stream in streams} == {200}
    for _ in range(5):
        assert clients.get(httpd, "/page", auth=alice).status_code == 200
        assert clients.get(httpd, "/cam/1.jpg", auth=alice).status_code == 200
    assert clients.get(httpd, "/page").status_code == 401
    for stream in streams:
        assert permission.seconds_open(stream, 2) >= 2
        stream.close()
