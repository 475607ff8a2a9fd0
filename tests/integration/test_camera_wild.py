"""kafkacam-camera against what people report of real cameras: each oddity by itself, and the pictures
that must come all the same."""

import base64
import ssl
import subprocess
import time

import numpy
import pytest

import clients
import hostile
import stack
import wild
from camera import Camera, Watch, meta, read

SIZE = (320, 180)


@pytest.fixture(scope="module")
def gop50():
    """A key frame each two seconds."""
    return hostile.H264(size=SIZE, gop=50)


def frames_of(records, number=1):
    found = [read(record) for record in records]
    assert {camera for camera, _ in found} == {number}
    return [frame for _, frame in found]


def plays(run, broker, server, url=None, count=8, number=1, **job):
    """The first pictures, from one start of the process."""
    with Watch(broker, number) as watch:
        camera = run(url or server.url(), number=number, **job)
        frames_of(watch.records(count))
    assert camera.starts == 1
    return camera


# ---- Login ---------------------------------------------------------------------------------------

HARD = 'p#/?%&@\\^" ü'

LOGINS = {
    "a user alone has an empty password": (wild.Login("admin", ""), "admin"),
    "a user and a colon": (wild.Login("admin", ""), "admin:"),
    "an empty user": (wild.Login("", "p"), ":p"),
    "a password with anything in it": (wild.Login("u", HARD), "u:" + hostile.quote(HARD)),
    "SHA-256, then MD5": (wild.Login("u", "p", ["SHA-256", "MD5"]), "u:p"),
    "MD5, then SHA-256": (wild.Login("u", "p", ["MD5", "SHA-256"]), "u:p"),
    "SHA-256 alone": (wild.Login("u", "p", ["SHA-256"]), "u:p"),
    "SHA-512-256 alone": (wild.Login("u", "p", ["SHA-512-256"]), "u:p"),
    "three in one field": (wild.Login("u", "p", ["MD5", "SHA-256"], basic=True, one_field=True), "u:p"),
    "qop": (wild.Login("u", "p", ["MD5"], qop=True), "u:p"),
    "Basic beside Digest": (wild.Login("u", "p", basic=True), "u:p"),
    "401 to OPTIONS as well": (wild.Login("u", "p", everything=True), "u:p"),
    "the camera closes after its 401": (wild.Login("u", "p", closes=True), "u:p"),
    "a nonce lives for two requests": (wild.Login("u", "p", nonces=2), "u:p"),
}


@pytest.mark.parametrize("name", LOGINS)
def test_logs_in_where(run, broker, h264, name):
    login, text = LOGINS[name]
    with wild.Server(h264, answer=login.answer) as server:
        plays(run, broker, server, server.url(login=text))
    assert {"DESCRIBE", "SETUP", "PLAY"} <= set(login.methods)


def test_a_login_that_is_missing_wrong_or_unknown_is_called_so(run, h264):
    def exotic(session, method, url, headers):
        session._reply(headers, "401 Unauthorized", more=['WWW-Authenticate: Digest realm="x", nonce="1",'
                                                          ' algorithm=WHIRLPOOL'])
        return True
    for number, (answer, login, words) in enumerate((
            (wild.Login("u", "p").answer, None, "its address has none"),
            (wild.Login("u", "p").answer, "u:q", "refuses user or password"),
            (exotic, "u:p", "WHIRLPOOL")), 1):
        with wild.Server(h264, answer=answer) as server:
            camera = run(server.url(login=login), number=number, restart=False)
            assert words in camera.wait_state("failed")["why"]


# ---- The conversation ----------------------------------------------------------------------------

def says(status, *methods, once=False, matches=lambda headers: True):
    """A hook that answers these methods with the status."""
    said = []

    def answer(session, method, url, headers):
        if method not in methods or not matches(headers) or (once and said):
            return False
        said.append(method)
        session._reply(headers, status)
        return True
    return answer


@pytest.mark.parametrize("status", ["404 Not Found", "501 Not Implemented"])
def test_options_that_fails_is_no_failure(run, broker, h264, status):
    with wild.Server(h264, answer=says(status, "OPTIONS")) as server:
        plays(run, broker, server)


OTHER_TRANSPORT = ["400 Bad Request", "404 Not Found", "405 Method Not Allowed", "406 Not Acceptable",
                   "454 Session Not Found", "459 Aggregate Operation Not Allowed",
                   "461 Unsupported Transport", "500 Internal Server Error", "503 Service Unavailable"]


@pytest.mark.parametrize("status", OTHER_TRANSPORT)
def test_auto_tries_udp_where_the_camera_refuses_tcp_by(run, broker, h264, status):
    refuse = says(status, "SETUP", matches=lambda headers: "TCP" in headers["Transport"])
    with wild.Server(h264, answer=refuse) as server:
        camera = plays(run, broker, server, transport=2)
        assert "over udp" in camera.log_text()


def test_auto_tries_udp_where_nothing_comes_over_tcp(run, broker, h264):
    with wild.Server(h264, only_udp=True) as server:
        plays(run, broker, server, transport=2)


REFUSALS = {
    "DESCRIBE": [("404 Not Found", "no stream of that name"), ("403 Forbidden", "forbids")],
    "SETUP": [("453 Only 2 sessions, sorry", "no more sessions"), ("461 Unsupported Transport", "transport")],
    "PLAY": [("454 Session Not Found", "session"), ("457 Invalid Range", "refuses")],
}


@pytest.mark.parametrize("method, status, words", [
    (method, *refusal) for method, all_ in REFUSALS.items() for refusal in all_])
def test_what_the_camera_refuses_is_in_the_state_with_its_number_and_words(run, h264, method, status,
                                                                           words):
    with wild.Server(h264, answer=says(status, method)) as server:
        why = run(server.url(), restart=False).wait_state("failed")["why"]
    assert words in why and f"({method}: {status})" in why, why


@pytest.mark.parametrize("scheme", ["RTSP", "Rtsp"])
def test_the_scheme_may_be_written_in_any_case(run, broker, h264, scheme):
    with wild.Server(h264) as server:
        plays(run, broker, server, server.url().replace("rtsp", scheme))


@pytest.mark.parametrize("path", ["/stream?channel=1&subtype=0", "", "/a/b?x=rtsp://y@z/"])
def test_an_address_may_have_a_query_or_end_with_the_port(run, broker, h264, path):
    with wild.Server(h264) as server:
        plays(run, broker, server, server.url(path))


@pytest.mark.parametrize("transport", [0, 1, 2], ids=["tcp", "udp", "auto"])
def test_an_ipv6_address(run, broker, h264, transport):
    with wild.Server(h264, host="::1") as server:
        plays(run, broker, server, f"rtsp://[::1]:{server.port}/1", transport=transport)


SECRET = "very-secret"
BASES = ["127.0.0.1/1/", "rtsp://rtsp://127.0.0.1/1/", "rtsp://10.0.0.1:8554/other/",
         "rtsp://127.0.0.1/1?channel=1", f"rtsp://u:{SECRET}@127.0.0.1/1/", "/1/", "", "garbage"]


@pytest.mark.parametrize("base", BASES)
def test_a_base_of_any_kind(run, broker, h264, base):
    def answer(session, method, url, headers):
        if method != "DESCRIBE":
            return False
        session._reply(headers, body=session._sdp(), more=[f"Content-Base: {base}"])
        return True

    with wild.Server(h264, answer=answer) as server:
        camera = plays(run, broker, server, log_level=4)
        assert any(url.endswith("video") for method, url, _ in server.requests if method == "SETUP")
    assert SECRET not in camera.log_text() + str(camera.reports)
    assert not any(SECRET in url for _, url, _ in server.requests)


H264 = "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"
DESCRIPTIONS = {
    "three lines alone": wild.sdp(*H264, "a=control:video", head=()),
    "no line end at the end": wild.sdp(*H264, "a=control:video").rstrip(),
    "line feeds alone": wild.sdp(end="\n"),
    "a blank behind rtpmap": wild.sdp("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000 ", "a=control:video"),
    "an encoding of nobody's": wild.sdp("m=video 0 RTP/AVP 35", "a=rtpmap:97 H264/90000", *H264,
                                        "a=control:video"),
    "metadata first": wild.sdp("m=application 0 RTP/AVP 107", "a=rtpmap:107 vnd.onvif.metadata/90000",
                               "a=control:meta", *wild.H264_MEDIA),
    "half an address": wild.sdp(head=("v=0", "c=IN")),
    "no control": wild.sdp(*H264),
    "a foreign control": wild.sdp(*H264, "a=control:rtsp://10.0.0.1/x/track1"),
    "two tracks of H.264": wild.sdp(*wild.H264_MEDIA, *H264, "a=control:second"),
    "a codec that nobody plays first": wild.sdp("m=video 0 RTP/AVP 98", "a=rtpmap:98 VP8/90000",
                                                "a=control:vp8", *wild.H264_MEDIA),
    "parameter sets empty": wild.sdp(*H264, "a=fmtp:96 sprop-parameter-sets="),
    "parameter sets without PPS": wild.sdp(
        *H264, "a=fmtp:96 sprop-parameter-sets=Z0LAHtkAwDslsBEAAAMAAQAAAwAyDxYuSA=="),
    "parameter sets of rubbish": wild.sdp(*H264, "a=fmtp:96 sprop-parameter-sets=AAAA////,%%%,Z0==,aM=="),
    "parameter sets of another size": wild.sdp(
        *H264, "a=fmtp:96 sprop-parameter-sets=Z0LAHtkAwDslsBEAAAMAAQAAAwAyDxYuSA==,aMuMsg=="),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_with(run, broker, h264, name):
    with wild.Server(h264, sdp=DESCRIPTIONS[name]) as server:
        plays(run, broker, server)


def test_parameter_sets_in_the_description_alone(run, broker, h264):
    sets = [payload for payload in h264.units[0][1] if payload[0] & 31 in (7, 8)]
    bare = hostile.Stream([(key, [payload for payload in payloads if payload[0] & 31 not in (7, 8)])
                           for key, payloads in h264.units], h264.fps)
    text = ",".join(base64.b64encode(one).decode() for one in sets)
    with wild.Server(bare, sdp=wild.sdp(*H264, f"a=fmtp:96 sprop-parameter-sets={text}")) as server:
        plays(run, broker, server)


def test_interleaved_mode_and_other_codecs_are_refused_by_name(run, h264):
    for number, (media, words) in enumerate((
            ((*H264, "a=fmtp:96 packetization-mode=2"), "packetization mode"),
            (("m=video 0 RTP/AVP 96", "a=rtpmap:96 VP9/90000"), "VP9"),
            (("m=audio 0 RTP/AVP 0",), "no video")), 1):
        with wild.Server(h264, sdp=wild.sdp(*media)) as server:
            assert words in run(server.url(), number=number, restart=False).wait_state("failed")["why"]


def alive(status="200 OK", body="", silent=False):
    def answer(session, method, url, headers):
        if not session.playing or method not in ("OPTIONS", "GET_PARAMETER"):
            return False
        if not silent:
            session._reply(headers, status, body=body)
        return True
    return answer


@pytest.mark.parametrize("answer", [alive(), alive("455 Method Not Valid"), alive(body="x: y\r\n"),
                                    alive(silent=True)], ids=["ok", "455", "body", "silent"])
def test_a_session_is_kept_alive_whatever_the_camera_says_to_it(run, broker, h264, answer):
    with wild.Server(h264, session="7;timeout=2", answer=answer) as server, Watch(broker) as watch:
        camera = run(server.url())
        frames_of(watch.records(5))
        before = server.count("OPTIONS", "GET_PARAMETER")
        stack.wait_for(lambda: server.count("OPTIONS", "GET_PARAMETER") >= before + 3, 20, "not kept alive")
        watch.during(0.1)
        frames_of(watch.records(5))
        assert camera.starts == 1


def test_requests_of_the_camera_are_answered(run, broker, h264):
    def before(sent):
        return b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 77\r\n\r\n" if sent % 25 == 5 else b""

    with wild.Server(h264, before=before) as server, Watch(broker) as watch:
        camera = run(server.url())
        frames_of(watch.records(60))
        assert camera.starts == 1
        assert ("RTSP/1.0", "200") in [(method, url) for method, url, _ in server.requests]


class OneSession:
    """A camera that allows one session and keeps it for a minute."""

    def __init__(self):
        self.owner, self.refused = None, 0

    def answer(self, session, method, url, headers):
        if method == "SETUP" and self.owner not in (None, session):
            self.refused += 1
            session._reply(headers, "453 Not Enough Bandwidth")
            return True
        if method == "SETUP":
            self.owner = session
        if method == "TEARDOWN" and session is self.owner:
            self.owner = None
        return False


@pytest.mark.parametrize("how", ["stopped", "orphaned", "frozen"])
@pytest.mark.parametrize("transport", [0, 1], ids=["tcp", "udp"])
def test_a_session_is_given_back_when_its_process_is(run, folder, build, broker, h264, transport, how):
    one = OneSession()
    with wild.Server(h264, answer=one.answer) as server, Watch(broker) as watch:
        camera = Camera(folder, build, broker, server.url(), restart=False, transport=transport)
        if how == "orphaned":                   # its supervisor is killed: only the end of the pipe tells
            pipe = camera._start()
            frames_of(watch.records(3))
            pipe.close()
            assert camera.process.wait(5) == 0
        else:
            with camera:
                frames_of(watch.records(3))
                if how == "frozen":
                    server.odd["drop"] = lambda n, at, of, key: True
                    camera.wait_state("failed")
        stack.wait_for(lambda: one.owner is None, 10, "the session was not given back")
        server.odd.pop("drop", None)
        run(server.url(), number=2, transport=transport)
        with Watch(broker, 2) as second:
            frames_of(second.records(1))
        assert not one.refused and server.count("TEARDOWN") == 1


# ---- On the wire ---------------------------------------------------------------------------------

WIRE = {
    "channels 8 and 9": {"channel": 8, "transport": lambda asked: asked.replace("0-1", "8-9")},
    "RTP/AVP in the answer to TCP": {"transport": lambda asked: "RTP/AVP;unicast;interleaved=0-1"},
    "no transport in the answer": {"transport": lambda asked: ""},
    "a channel of metadata between": {"before": lambda n: b"$\x02\x00\x0e\x80\x6b" + b"0123456789ab"},
    "garbage between the frames": {"before": lambda n: b"garbage $$ \x00\x01" if n % 25 == 3 else b""},
    "no marker": {"marker": lambda at, of: False},
    "a marker on each packet": {"marker": lambda at, of: True},
    "sequence numbers wrap": {"sequence": lambda number: number + 65500},
    "sequence numbers begin anew": {"sequence": lambda number: number if number < 60 else number + 30000},
    "another SSRC": {"ssrc": lambda n: 1 if n < 10 else 2},
    "the time stamp wraps": {"stamp": lambda n, ticks: ticks + 2 ** 32 - 50000},
    "the time stamp jumps forward": {"stamp": lambda n, ticks: ticks + (900000000 if n > 10 else 0)},
    "the time stamp jumps back": {"stamp": lambda n, ticks: ticks + (0 if n > 10 else 900000000)},
    "a clock at 0": {"ntp": lambda now: 0},
    "a clock in 1970": {"ntp": lambda now: hostile.NTP_1970 + 5},
    "a clock beyond 2036": {"ntp": lambda now: 100000000},
    "repeats": {"twice": lambda n, at: True},
}


@pytest.mark.parametrize("name", WIRE)
def test_on_the_wire(run, broker, h264, name):
    with wild.Server(h264, **WIRE[name]) as server, Watch(broker) as watch:
        camera = run(server.url())
        records = watch.records(40)
        frames_of(records)
        assert camera.starts == 1
        times = [meta(record)["us"] for record in records]
        assert all(a < b for a, b in zip(times, times[1:]))
        assert abs(times[-1] / 1e6 - time.time()) < 10


def smeared(records, size=SIZE):
    for record in records:
        number, frame = read(record)
        original = clients.decode(clients.paint(1, frame, size, 95)).astype(int)
        assert number == 1 and abs(clients.decode(record.value) - original).mean() < 4, frame


@pytest.mark.parametrize("transport", [0, 1], ids=["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_packets_that_are_missing_or_come_twice_smear_no_picture(run, broker, gop50, transport, codec):
    stream = gop50 if codec == "h264" else h265("keyint=50")
    odd = {"drop": lambda n, at, of, key: n % 60 == 20, "twice": lambda n, at: n % 7 == 3}
    with wild.Server(stream, **odd) as server, Watch(broker) as watch:
        camera = run(server.url(), transport=transport)
        smeared(watch.records(80, 60))
        camera.wait_report(lambda report: report["dropped"] > 10, "what is missing is not counted")
        assert camera.starts == 1


def test_packets_in_another_order_over_udp_lose_no_picture(run, broker):
    stream = hostile.H264(size=(640, 360), options=["-qp", "20"])
    with wild.Server(stream, swap=lambda n: n % 3 == 1) as server, Watch(broker) as watch:
        camera = run(server.url(), transport=1)
        frames = frames_of(watch.records(60))
        assert all((b - a) % 100 == 1 for a, b in zip(frames[5:], frames[6:])), frames
        assert camera.report["dropped"] == 0


def test_a_bye_ends_the_session_and_the_next_one_plays(run, broker, h264):
    with wild.Server(h264) as server, Watch(broker) as watch:
        camera = run(server.url())
        frames_of(watch.records(5))
        said = time.monotonic()
        server.sessions[-1]._send(1, b"\x81\xcb\x00\x01\x00\x00\x00\x01")
        assert "BYE" in camera.wait_state("failed", after=said)["why"]
        watch.next_after(time.time(), 20)


# ---- Clocks --------------------------------------------------------------------------------------

CLOCKS = {
    "right": lambda n, ticks: ticks,
    "stands still": lambda n, ticks: 1000,
    "in ms": lambda n, ticks: 1000 + n * 40,
    "a third": lambda n, ticks: 1000 + n * 1200,
    "ten times fast": lambda n, ticks: 1000 + n * 36000,
    "backwards": lambda n, ticks: 100000000 - n * 3600,
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_cap_holds_in_real_seconds_with_a_clock_that_is(run, broker, h264, name):
    with wild.Server(h264, stamp=CLOCKS[name]) as server, Watch(broker) as watch:
        camera = run(server.url(), fps=5.0)
        watch.records(3)
        records = watch.records(30)
        took = (records[-1].timestamp - records[0].timestamp) / 1000
        assert 29 / took > 3.5 and 29 / took < 6.5, took
        frames_of(records)
        if name != "right":
            assert "clock" in camera.report["why"] and camera.report["state"] == "streaming"
        assert camera.starts == 1


def test_a_still_clock_ends_nothing(run, broker, h264):
    """A picture is told from the next one by its own bytes."""
    with wild.Server(h264, stamp=CLOCKS["stands still"]) as server, Watch(broker) as watch:
        run(server.url())
        smeared(watch.records(40))


# ---- Key frames ----------------------------------------------------------------------------------

def encoded(codec, parameters, count=200, size=SIZE, gop=25):
    options = {"libx264": f"aud=1:keyint={gop}:scenecut=0:bframes=0:threads=1:sliced-threads=0:{parameters}",
               "libx265": f"aud=1:keyint={gop}:scenecut=0:bframes=0:repeat-headers=1:log-level=none:"
                          f"pools=1:frame-threads=1:{parameters}"}[codec]
    return hostile.encode(["-c:v", codec, "-preset", "ultrafast", f"-{codec[3:]}-params", options, "-f",
                           {"libx264": "h264", "libx265": "hevc"}[codec]], 1, size, 25, count)


def h265(parameters="", **options):
    return wild.H265(encoded("libx265", parameters, **options), 25)


def test_intra_refresh_gives_the_wanted_rate(run, broker):
    """Recovery points, but no key frame after the first, which was before we came."""
    data = encoded("libx264", "intra-refresh=1", count=400)
    with wild.Server(hostile.H264.from_annex_b(data, 25), start=30) as server, Watch(broker) as watch:
        camera = run(server.url(), fps=1.0)
        records = watch.records(7, 30)
        assert (records[-1].timestamp - records[1].timestamp) / 1000 < 8
        smeared(records[1:])
        assert camera.starts == 1


def test_a_key_frame_that_is_late_is_waited_for(run, broker):
    """The first one comes after 36 s: the state says what for, and the connection stays."""
    stream = hostile.H264(size=(160, 96), fps=5, gop=180, seconds=36)
    with wild.Server(stream, start=1) as server, Watch(broker) as watch:
        camera = run(server.url())
        camera.wait_report(lambda report: report["why"] == "waiting for a key frame", "does not say so")
        assert read(watch.records(1, 60)[0])[0] == 1
        assert camera.starts == 1 and camera.wait_state("streaming")["why"] == ""


# ---- Pictures ------------------------------------------------------------------------------------

LEVELS = (16, 60, 126, 180, 235)


@pytest.mark.parametrize("pixels", ["gray", "gray10le"])
@pytest.mark.parametrize("spread", ["tv", "pc"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_grey_is_right_in_each_depth_and_range(run, broker, codec, spread, pixels):
    ten = pixels == "gray10le"
    bars = numpy.repeat(numpy.array(LEVELS, numpy.uint16) * (4 if ten else 1), 64)[None, :].repeat(192, 0)
    word = {"tv": "limited" if codec == "libx265" else "tv", "pc": "full" if codec == "libx265" else "pc"}
    options = f"aud=1:keyint=25:range={word[spread]}" + (
        ":repeat-headers=1:log-level=none:pools=1:frame-threads=1" if codec == "libx265" else ":threads=1")
    data = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", pixels, "-s", "320x192", "-r", "25",
         "-color_range", spread, "-i", "-", "-color_range", spread, "-pix_fmt", pixels, "-c:v", codec,
         "-preset", "ultrafast", f"-{codec[3:]}-params", options, "-f",
         "h264" if codec == "libx264" else "hevc", "-"],
        input=bars.astype(numpy.uint16 if ten else numpy.uint8).tobytes() * 50, stdout=subprocess.PIPE,
        check=True).stdout
    stream = hostile.H264.from_annex_b(data, 25) if codec == "libx264" else wild.H265(data, 25)
    with wild.Server(stream) as server, Watch(broker) as watch:
        run(server.url(), quality=95)
        image = clients.decode(watch.records(2)[-1].value)
    got = [int(image[90, i * 64 + 32].mean()) for i in range(5)]
    wanted = LEVELS if spread == "pc" else [(level - 16) * 255 // 219 for level in LEVELS]
    assert all(abs(a - b) < 5 for a, b in zip(got, wanted)), (got, wanted)


@pytest.mark.parametrize("parameters", ["slices=4", "wpp=1", "open-gop=1"])
def test_h265_in_slices_and_open_groups(run, broker, parameters):
    stream = h265(parameters + (":bframes=2" if "open" in parameters else ""))
    with wild.Server(stream, start=5) as server:
        plays(run, broker, server, count=30)


def test_odd_sizes_and_several_slices(run, broker):
    stream = hostile.H264.from_annex_b(encoded("libx264", "slices=4", size=(1918, 1078), count=25), 25)
    with wild.Server(stream) as server, Watch(broker) as watch:
        run(server.url(), fps=5.0)
        record = watch.records(2)[-1]
        assert (meta(record)["w"], meta(record)["h"]) == (1918, 1078) and read(record)[0] == 1


def jpegs(pixels="yuvj420p", size=(320, 176), *options):
    return hostile.encode(["-c:v", "mjpeg", "-huffman", "default", "-q:v", "4", *options, "-f",
                           "image2pipe"], 1, size, 25, 50, pixels)


def test_jpegs_of_2048_by_sizes_in_the_description(run, broker):
    """Above 2040 the payload format cannot say it: 2048 is 0 in its 8 bits."""
    size = (2048, 96)
    stream = hostile.Jpeg.from_jpegs(jpegs(size=size), size, 25)
    text = wild.sdp("m=video 0 RTP/AVP 26", "a=x-dimensions:2048,96", "a=control:video")
    with wild.Server(stream, sdp=text) as server, Watch(broker) as watch:
        run(server.url(), fps=5.0)
        record = watch.records(2)[-1]
        assert (meta(record)["w"], meta(record)["h"]) == size
        assert clients.decode(record.value).shape[:2] == size[::-1]


class Padded(hostile.Jpeg):
    """With zeros before its end, as some cameras' hardware pads."""

    zeros = 16

    @staticmethod
    def payloads(jpeg, size):
        return hostile.Jpeg.payloads(jpeg[:-2] + bytes(Padded.zeros) + jpeg[-2:], size)


@pytest.mark.parametrize("zeros", [8, 16])
def test_a_jpeg_that_is_padded_before_its_end_is_shown(run, broker, zeros):
    Padded.zeros = zeros
    with wild.Server(Padded()) as server:
        camera = plays(run, broker, server, count=20)
        assert camera.report["dropped"] == 0


# ---- Ways ----------------------------------------------------------------------------------------

def test_over_multicast(run, broker, h264):
    with wild.Server(h264) as server:
        camera = plays(run, broker, server, count=30, transport=4)
        assert "over multicast" in camera.log_text()


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_through_http(run, broker, new_folder, codec):
    with stack.Cameras(new_folder(), 1, options=["--codec", codec, "--loop", "4"]) as cameras:
        plays(run, broker, None, cameras.url(1), transport=3, timeout_ms=10000)


def test_tls_below_the_oldest_that_is_allowed_is_refused(run, broker, h264, tmp_path):
    ca, context = hostile.make_certificate(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with wild.Server(h264, tls=context) as server:
        camera = plays(run, broker, server, tls_verify=1, tls_ca=str(ca))
        assert "with TLS1.2" in camera.log_text()
        camera = run(server.url(), number=2, restart=False, tls_oldest=3)
        assert "TLS" in camera.wait_state("failed")["why"]
