"""Proxies between a stream and its viewer, and clients with time-outs of their own: none of them cuts a
camera that is silent, and none keeps pictures back."""

import asyncio
import os
import sys
import time

import aiohttp
import cv2
import pytest

import clients
import stack

sys.path.insert(0, str(stack.SOURCE / "bench"))

import madeup     # noqa: E402

# Their own is 50 s and more, against a heartbeat of 10: the same in small.
READ_S, HEARTBEAT_S = 4, 1


class Proxy(stack.Part):
    """A proxy in front of httpd with one file of configuration."""

    good_ends = (0, -15)         # SIGTERM is their sudden end
    tls = False

    def __init__(self, folder, httpd):
        super().__init__(folder)
        self.httpd, self.port = httpd, stack.free_port()
        self.conf = self.folder / "conf"

    def prepare(self):
        if not os.path.exists(self.command()[0]):
            pytest.skip(f"this release has no {self.name}")
        self.conf.write_text(self.text())

    def ready(self):
        return stack.listening(self.port)


class Haproxy(Proxy):
    """As its manual's first example has it."""

    name = "haproxy"

    def text(self):
        return f"""\
defaults
    mode http
    timeout connect 5s
    timeout client {READ_S}s
    timeout server {READ_S}s
frontend all
    bind 127.0.0.1:{self.port}
    default_backend cameras
backend cameras
    server one 127.0.0.1:{self.httpd.port}
"""

    def command(self):
        return ["/usr/sbin/haproxy", "-db", "-f", str(self.conf)]


class Nginx(Proxy):
    """With nothing but proxy_pass: its buffering is on, and our X-Accel-Buffering asks it not to."""

    name = "nginx"

    def text(self):
        temporary = "".join(f"    {kind}_temp_path {self.folder}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""\
daemon off;
worker_processes 1;
pid {self.folder}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
{temporary}
    server {{
        listen 127.0.0.1:{self.port};
        location / {{
            proxy_pass http://127.0.0.1:{self.httpd.port};
            proxy_read_timeout {READ_S}s;
        }}
    }}
}}
"""

    def command(self):
        return ["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(self.conf), "-e", "stderr"]


class Caddy(Proxy):
    """reverse_proxy; it has no read time-out of its own."""

    name = "caddy"

    def text(self):
        return f"""\
{{
    admin off
    auto_https off
}}
http://:{self.port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{self.httpd.port} {{
        transport http {{
            read_timeout {READ_S}s
        }}
    }}
}}
"""

    def environment(self):
        return {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}

    def command(self):
        return ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", str(self.conf)]


def httpd_in_front(folder, httpd):
    """Another httpd with mod_proxy."""
    return madeup.Feed(folder, build=httpd.build, modules=["proxy", "proxy_http"], snippet=(
        f"ProxyTimeout {READ_S}\nProxyPass \"/cam\" \"http://127.0.0.1:{httpd.port}/cam\"\n"))


def silent(folder, build):
    """A camera that was on once."""
    return madeup.Feed(folder, build=build, cams=1, fps=0.001, snippet=f"KafkaCamHeartbeat {HEARTBEAT_S}\n")


PROXIES = pytest.mark.parametrize("proxy", [Haproxy, Nginx, Caddy, httpd_in_front],
                                  ids=["haproxy", "nginx", "caddy", "httpd"])


@PROXIES
@pytest.mark.parametrize("path", ["/cam/1", "/cam/1?meta=1", "/wall"])
def test_a_camera_that_is_off_stays_open_through_a_proxy(new_folder, build, proxy, path):
    if proxy is httpd_in_front and path == "/wall":
        path = "/cam/1?fps=0.01"        # its own /wall would answer
    with silent(new_folder(), build) as httpd, proxy(new_folder(), httpd) as front, \
            clients.Stream(front, path) as stream:
        assert stream.status == 200
        for _ in range(3 * READ_S):
            stream.part()


@PROXIES
def test_a_proxy_keeps_no_picture_back(new_folder, build, proxy):
    """Pictures come as they are made, not a buffer full at a time: so they do not come in bursts."""
    with madeup.Feed(new_folder(), build=build, cams=1, fps=5) as httpd, proxy(new_folder(), httpd) as front, \
            clients.Stream(front, "/cam/1?meta=1") as stream:
        arrivals = []
        for _ in range(15):
            stream.part()
            arrivals.append(time.monotonic())
    late = sorted(after - before for before, after in zip(arrivals, arrivals[1:]))
    assert late[len(late) // 2] > 0.1, f"in bursts: {late}"


def test_a_camera_that_is_off_stays_open_in_aiohttp(new_folder, build):
    async def read(url):
        timeout = aiohttp.ClientTimeout(total=None, sock_read=READ_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            reader = aiohttp.MultipartReader.from_response(answer).stream
            for _ in range(2 * READ_S):
                part = await reader.next()
                assert (await part.read()).startswith(clients.JPEG_START)

    with silent(new_folder(), build) as httpd:
        asyncio.run(asyncio.wait_for(read(httpd.url("/cam/1?meta=1")), 60))


def test_a_camera_that_is_off_stays_open_in_opencv(one_child, feed):
    feed.picture(3)
    httpd = one_child(f"KafkaCamHeartbeat {HEARTBEAT_S}\n")
    video = cv2.VideoCapture(httpd.url("/cam/3?meta=1"), cv2.CAP_FFMPEG,
                             [cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_S * 1000])
    for _ in range(2 * READ_S):
        assert video.read()[0]
    video.release()
