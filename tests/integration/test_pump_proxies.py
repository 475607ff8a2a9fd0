"""Proxies between a stream and its viewer: none of their read time-outs cuts a camera that is silent."""

import sys

import pytest

import clients
import stack

sys.path.insert(0, str(stack.SOURCE / "bench"))

import madeup     # noqa: E402

# Their own is 50 s and more, against a heartbeat of 10: the same in small.
READ_S, HEARTBEAT_S = 4, 1


class Haproxy(stack.Part):
    """haproxy in front of httpd, as its manual's first example has it."""

    name = "haproxy"
    good_ends = (0, -15)         # SIGTERM is its sudden end
    tls = False

    def __init__(self, folder, httpd):
        super().__init__(folder)
        self.httpd, self.port = httpd, stack.free_port()

    def prepare(self):
        (self.folder / "haproxy.cfg").write_text(f"""\
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
""")

    def command(self):
        return ["/usr/sbin/haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")]

    def ready(self):
        return stack.listening(self.port)


def httpd_in_front(folder, httpd):
    """Another httpd with mod_proxy."""
    return madeup.Feed(folder, build=httpd.build, modules=["proxy", "proxy_http"], snippet=(
        f"ProxyTimeout {READ_S}\nProxyPass \"/cam\" \"http://127.0.0.1:{httpd.port}/cam\"\n"))


@pytest.mark.parametrize("proxy", [Haproxy, httpd_in_front], ids=["haproxy", "httpd"])
@pytest.mark.parametrize("path", ["/cam/1", "/cam/1?meta=1", "/wall"])
def test_a_camera_that_is_off_stays_open_through_a_proxy(new_folder, build, proxy, path):
    if proxy is httpd_in_front and path == "/wall":
        path = "/cam/1?fps=0.01"        # its own /wall would answer
    with madeup.Feed(new_folder(), build=build, cams=1, fps=0.001,
                     snippet=f"KafkaCamHeartbeat {HEARTBEAT_S}\n") as httpd, \
            proxy(new_folder(), httpd) as front, clients.Stream(front, path) as stream:
        assert stream.status == 200
        for _ in range(3 * READ_S):
            stream.part()
