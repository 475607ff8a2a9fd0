#!/usr/bin/python3
"""Demo cameras: rtsp://127.0.0.1:PORT/1 to /N, each a loop of a minute encoded once and played in
step with the wall clock, so that the seconds in the picture are the real ones (demo/picture.py).

One process serves all of them. A loop is encoded at the first start and kept in --cache. Prints
"ready rtsp://127.0.0.1:PORT" when cameras answer; SIGTERM or SIGINT ends it."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
import picture  # noqa: E402
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402, F401

# For each codec: encoder, what parses and pays its stream. {gop} and {kbps} are filled in.
CODECS = {
    "h264": ("x264enc speed-preset=ultrafast tune=zerolatency threads=1 key-int-max={gop} bitrate={kbps}"
             " option-string=scenecut=0 ! video/x-h264,profile=baseline"
             " ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
             "h264parse ! rtph264pay config-interval=-1"),
    "h265": ("x265enc speed-preset=ultrafast tune=zerolatency key-int-max={gop} bitrate={kbps}"
             " ! h265parse ! video/x-h265,stream-format=byte-stream,alignment=au",
             "h265parse ! rtph265pay config-interval=-1"),
    "mpeg4": ("avenc_mpeg4 gop-size={gop} bitrate={kbps}000 ! mpeg4videoparse",
              "mpeg4videoparse ! rtpmp4vpay config-interval=1"),
    "mjpeg": ("jpegenc quality=75", "rtpjpegpay"),
}
PACKAGES = {"x264enc": "gstreamer1.0-plugins-ugly", "x265enc": "gstreamer1.0-plugins-bad",
            "avenc_mpeg4": "gstreamer1.0-libav", "jpegenc": "gstreamer1.0-plugins-good"}


class Loop:
    """A minute of one camera: buffers that every client shares, and which of them are key frames."""

    def __init__(self, caps, frames):
        self.caps = caps
        self.frames = [Gst.Buffer.new_wrapped(data) for _, data in frames]
        self.keys = [key for key, _ in frames]

    def key_before(self, index):
        """The number of the newest key frame at or before frame number index; both never wrap."""
        while not self.keys[index % len(self.keys)]:
            index -= 1
        return index


def encode(camera):
    """Draw and encode a camera's minute: caps and a list of (key frame?, bytes)."""
    encoder = CODECS[camera.codec][0].format(gop=camera.gop, kbps=camera.kbps)
    name = encoder.split()[0]
    if not Gst.ElementFactory.find(name):
        raise RuntimeError(f"no encoder for {camera.codec}: apt-get install {PACKAGES[name]}")
    pipeline = Gst.parse_launch(
        f"appsrc name=in format=time block=true max-bytes=20000000"
        f" caps=video/x-raw,format=I420,width={camera.width},height={camera.height},"
        f"framerate={camera.fps}/1 ! {encoder} ! appsink name=out sync=false")
    source, sink = pipeline.get_by_name("in"), pipeline.get_by_name("out")
    painter = picture.Painter(camera.number, camera.width, camera.height, camera.fps,
                              full_range=camera.codec == "mjpeg")
    wanted = camera.fps * camera.loop
    fed, frames = 0, []
    pipeline.set_state(Gst.State.PLAYING)
    while len(frames) < wanted:
        while fed < wanted and fed - len(frames) < 25:  # the encoder looks ahead a little
            buffer = Gst.Buffer.new_wrapped(painter.frame(fed))
            buffer.pts = fed * Gst.SECOND // camera.fps
            buffer.duration = Gst.SECOND // camera.fps
            source.push_buffer(buffer)
            fed += 1
        if fed == wanted:
            source.end_of_stream()
        sample = sink.try_pull_sample(10 * Gst.SECOND)
        if sample is None:
            error = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
            why = error.parse_error()[0].message if error else "the encoder stopped early"
            pipeline.set_state(Gst.State.NULL)
            raise RuntimeError(f"camera {camera.number}: {why}")
        buffer = sample.get_buffer()
        frames.append((not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT),
                       buffer.extract_dup(0, buffer.get_size())))
    pipeline.set_state(Gst.State.NULL)
    return sample.get_caps().to_string(), frames


def load(camera, cache):
    """The camera's loop, from the cache or encoded into it."""
    with open(picture.__file__, "rb") as own, open(__file__, "rb") as this:
        key = hashlib.sha256(repr(camera.key()).encode() + own.read() + this.read()).hexdigest()
    file = pathlib.Path(cache) / f"{key[:24]}.loop"
    if not file.exists():
        caps, frames = encode(camera)
        index = {"caps": caps, "frames": [[key, len(data)] for key, data in frames]}
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as new:
            new.write(json.dumps(index).encode() + b"\n" + b"".join(data for _, data in frames))
        os.replace(new.name, file)
    with open(file, "rb") as stored:
        index = json.loads(stored.readline())
        return Loop(index["caps"], [(key, stored.read(size)) for key, size in index["frames"]])


class Player:
    """Feeds one media's appsrc, a frame each time it wants one. Lives as long as the media."""

    def __init__(self, camera, loop, source):
        self.loop, self.fps = loop, camera.fps
        now = int(time.time() * camera.fps)
        self.now = now
        self.first = self.next = loop.key_before(now)
        source.set_property("caps", Gst.Caps.from_string(loop.caps))
        source.connect("need-data", self.push)

    def due(self, number):
        """When frame number plays. The frames between the key frame and now rush past, 1 ms each,
        so that a client has a picture at once and that picture is the present one."""
        if number < self.now:
            return (number - self.first) * Gst.MSECOND
        return (number - self.now) * Gst.SECOND // self.fps + 40 * Gst.MSECOND

    def push(self, source, _length):
        # A shallow copy: the memory is shared, the time stamp is its own.
        buffer = self.loop.frames[self.next % len(self.loop.frames)].copy()
        buffer.pts = buffer.dts = self.due(self.next)
        buffer.duration = Gst.SECOND // self.fps
        self.next += 1
        source.emit("push-buffer", buffer)


class Camera(GstRtspServer.RTSPMediaFactory):
    """One camera: how it is encoded, and the media that all its clients share."""

    def __init__(self, number, options, codec, auth):
        super().__init__()
        self.number, self.codec, self.auth = number, codec, auth
        self.width, self.height = options.size
        self.fps, self.gop, self.kbps = options.fps, options.gop, options.kbps
        self.loop, self.audio = options.loop, options.audio
        self.frames = None
        self.set_shared(True)
        self.connect("media-configure", self._configure)

    def key(self):
        return (self.number, self.codec, self.width, self.height, self.fps, self.gop, self.kbps,
                self.loop)

    def launch(self):
        text = (f"( appsrc name=frames is-live=true format=time max-bytes=1 block=false"
                f" ! {CODECS[self.codec][1]} name=pay0 pt=96 ")
        if self.audio:
            text += "audiotestsrc wave=ticks is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8 "
        self.set_launch(text + ")")

    def _configure(self, _factory, media):
        media.player = Player(self, self.frames, media.get_element().get_by_name("frames"))


class Auth(GstRtspServer.RTSPAuth):
    """Asks for a password where a camera wants one. The library's own way to let others in, a
    default token, answers 404 to whom it ought to ask for a password."""

    def __init__(self, cameras, credentials):
        super().__init__()
        self.open = {f"/{camera.number}" for camera in cameras if not camera.auth}
        self.set_realm("kafkacam demo")
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        methods = {camera.auth for camera in cameras if camera.auth}
        offered = 0
        if "basic" in methods:
            offered |= int(GstRtsp.RTSPAuthMethod.BASIC)
            self.add_basic(GstRtspServer.RTSPAuth.make_basic(*credentials), token)
        if "digest" in methods:
            offered |= int(GstRtsp.RTSPAuthMethod.DIGEST)
            self.add_digest(*credentials, token)
        self.set_supported_methods(GstRtsp.RTSPAuthMethod(offered))
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        for camera in cameras:
            if camera.auth:
                camera.set_permissions(permissions)

    def do_check(self, context, check):
        path = context.uri.abspath if context.uri else ""
        if any(path == camera or path.startswith(camera + "/") for camera in self.open):
            return True
        return GstRtspServer.RTSPAuth.do_check(self, context, check)


def serve(options, cameras):
    """Load all loops, two at a time, listen, say so, and run until a signal."""
    server = GstRtspServer.RTSPServer()
    server.set_address(options.host)
    server.set_service(str(options.port))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for camera, loop in zip(cameras, pool.map(lambda c: load(c, options.cache), cameras)):
            camera.frames = loop
            camera.launch()
            server.get_mount_points().add_factory(f"/{camera.number}", camera)
    if any(camera.auth for camera in cameras):
        server.set_auth(Auth(cameras, options.credentials))
    if server.attach(None) == 0:
        raise RuntimeError(f"{options.host}:{options.port}: cannot listen there (in use?)")
    ends = GLib.MainLoop()
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, ends.quit)
    print(f"ready rtsp://{options.host}:{server.get_bound_port()}", flush=True)
    ends.run()


def size(text):
    width, height = (int(part) for part in text.split("x"))
    if not (64 <= width <= 7680 and 64 <= height <= 4320 and width % 2 == height % 2 == 0):
        raise ValueError
    return width, height


def numbers(text):
    return {int(part) for part in text.split(",") if part}


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--cameras", type=int, default=4, metavar="N", help="1 to N; default 4")
    parser.add_argument("--only", type=numbers, metavar="N,N", help="these instead of 1 to N")
    parser.add_argument("--size", type=size, default=(640, 360), metavar="WxH", help="640x360")
    parser.add_argument("--fps", type=int, default=25, help="default 25")
    parser.add_argument("--gop", type=int, default=25, help="frames from key frame to key frame")
    parser.add_argument("--kbps", type=int, default=600, help="bit rate, default 600")
    parser.add_argument("--codec", choices=CODECS, default="h264", help="of all cameras")
    parser.add_argument("--mjpeg", type=numbers, default=set(), metavar="N,N",
                        help="these cameras send MJPEG")
    parser.add_argument("--auth", choices=("basic", "digest"), help="all cameras want a password")
    parser.add_argument("--digest", type=numbers, default=set(), metavar="N,N",
                        help="these cameras want a password (digest)")
    parser.add_argument("--credentials", type=pathlib.Path, metavar="FILE",
                        help="file with the line USER:PASSWORD, for --auth and --digest")
    parser.add_argument("--audio", action="store_true", help="with a ticking sound (PCMA)")
    parser.add_argument("--loop", type=int, default=picture.LOOP_SECONDS, metavar="SECONDS",
                        help="length of the loop, default and at most 60")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()),
                        help="directory that keeps encoded loops")
    options = parser.parse_args(arguments)
    if not 1 <= options.loop <= 60 or not 1 <= options.fps <= 60 or not 1 <= options.gop:
        parser.error("--loop is 1 to 60, --fps 1 to 60, --gop at least 1")
    if (options.auth or options.digest) and not options.credentials:
        parser.error("--auth and --digest need --credentials")
    if options.credentials:
        options.credentials = options.credentials.read_text().strip().split(":", 1)
    return options


def main():
    options = parse(sys.argv[1:])
    Gst.init(None)
    cameras = [Camera(number, options,
                      codec="mjpeg" if number in options.mjpeg else options.codec,
                      auth="digest" if number in options.digest else options.auth)
               for number in sorted(options.only or range(1, options.cameras + 1))]
    options.cache.mkdir(parents=True, exist_ok=True)
    try:
        serve(options, cameras)
    except (RuntimeError, OSError, GLib.Error) as error:
        sys.exit(f"cameras: {error}")


if __name__ == "__main__":
    main()
