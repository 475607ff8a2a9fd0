#!/usr/bin/python3
"""scripts/bench cameras: CPU and memory of a camera's process, against the same work done bare and
against Python.

Contenders take turns, round by round, on the same frames at the same pace (25 a second, over RTSP
and TCP to the embedded broker), so that what the machine does meanwhile hits all alike. Compare the
ratios; absolute numbers are this machine's. The clip: textures that move, discs, sensor noise, x264
High without B frames, a key frame a second."""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
import numpy

import camera
import hostile
import stack

FPS = 25
WARM_S = 2.5    # connecting, the first group of pictures, buffers; learning the rate takes two groups
QUALITY = 80            # the camera's default, and so Python's
OPENCV_QUALITY = 95     # imencode()'s own default, and so what kafkacam replaces published
KBPS = {720: 1800, 1080: 3300}
TICK = os.sysconf("SC_CLK_TCK")


# ---- the clip -----------------------------------------------------------------------------------

def leaves(generator, width, height):
    """A dead leaves texture: discs over discs, as busy as a street."""
    luma = numpy.full((height, width), 120, numpy.float32)
    ys, xs = numpy.mgrid[0:height, 0:width]
    for _ in range(900):
        x, y = generator.integers(0, width), generator.integers(0, height)
        radius = int(6 + 60 * generator.power(0.4))
        box = (slice(max(0, y - radius), y + radius), slice(max(0, x - radius), x + radius))
        inside = (xs[box] - x) ** 2 + (ys[box] - y) ** 2 < radius ** 2
        luma[box][inside] = generator.integers(25, 225)
    return luma


def frames(width, height, count):
    generator = numpy.random.default_rng(1)
    ground = leaves(generator, width + 64, height + 64)
    noise = generator.normal(0, 1.6, (height + 64, width + 64)).astype(numpy.float32)
    chroma = numpy.repeat(numpy.linspace(100, 156, width // 2)[None], height // 2, 0)
    for index in range(count):
        x = int(32 + 20 * numpy.sin(index / 40))
        luma = ground[32:32 + height, x:x + width].copy()
        for disc in range(6):
            middle = (int((index * (3 + disc) + disc * 211) % width), 60 + disc * height // 7)
            luma[middle[1] - 24:middle[1] + 24, max(0, middle[0] - 24):middle[0] + 24] = 40 + disc * 30
        dy, dx = generator.integers(0, 64, 2)
        luma += noise[dy:dy + height, dx:dx + width]
        yield (numpy.clip(luma, 16, 235).astype(numpy.uint8).tobytes()
               + chroma.astype(numpy.uint8).tobytes() + chroma.T.astype(numpy.uint8).tobytes())


def clip(height, codec):
    """The file of a clip, made once."""
    width = height * 16 // 9
    file = stack.cache_folder() / f"bench-{height}-1.{codec}"
    if not file.exists():
        print(f"making {file} ...", file=sys.stderr)
        arguments = {"h264": ["-c:v", "libx264", "-preset", "medium", "-profile:v", "high", "-bf", "0",
                              "-g", str(FPS), "-b:v", f"{KBPS[height]}k", "-pix_fmt", "yuv420p",
                              "-x264-params", f"keyint={FPS}:scenecut=0:aud=1"],
                     "mjpeg": ["-c:v", "mjpeg", "-huffman", "default", "-q:v", "4", "-pix_fmt",
                               "yuvj420p"]}[codec]
        new = file.with_suffix(".new")
        encoder = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s",
             f"{width}x{height}", "-r", str(FPS), "-i", "-", *arguments, "-f",
             {"mjpeg": "image2pipe"}.get(codec, codec), new], stdin=subprocess.PIPE)
        for frame in frames(width, height, 8 * FPS):
            encoder.stdin.write(frame)
        encoder.stdin.close()
        if encoder.wait():
            sys.exit("ffmpeg does not encode the clip")
        new.rename(file)
    return file


# ---- measuring ----------------------------------------------------------------------------------

def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


class Bench:
    def __init__(self, folder, build, broker, options):
        self.folder, self.build, self.broker, self.options = folder, build, broker, options
        self.partition = 0
        self.program = build.need(build.folder / "bench" / "decodeencode")

    def over(self, pid, seen):
        """CPU seconds per 1,000 input frames and memory of a process over the coming seconds."""
        time.sleep(WARM_S)
        cpu, begun = cpu_s(pid), time.monotonic()
        time.sleep(self.options.seconds)
        cpu, took = cpu_s(pid) - cpu, time.monotonic() - begun
        return {"cpu": cpu / (took * FPS) * 1000, "mb": memory_mb(pid), **seen()}

    def camera(self, stream, **job):
        self.partition = self.partition % 60 + 1
        with hostile.Server(stream) as server:
            with camera.Camera(self.folder, self.build, self.broker, server.url(), self.partition,
                               timeout_ms=10000, report_interval_ms=1000, **job) as process:
                process.wait_state("streaming")
                # From the first packet to the camera on; loading FFmpeg's libraries is before that.
                when = {report["state"]: at for at, report in reversed(process.reports)}
                first_s = when["streaming"] - when["connecting"]

                def seen():
                    return {"out": process.report["fps_out"], "first_s": first_s}
                return self.over(process.process.pid, seen)

    def python(self, stream, crc, quality):
        self.partition = self.partition % 60 + 1
        with hostile.Server(stream) as server:
            process = subprocess.Popen(
                [stack.PYTHON, SOURCE / "bench" / "python_camera.py", server.url(),
                 self.broker.address, str(self.partition), str(quality), crc],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                with camera.Watch(self.broker, self.partition) as watch:
                    watch.records(3)
                before = self.offset()
                begun = time.monotonic()
                result = self.over(process.pid, dict)
                result["out"] = (self.offset() - before) / (time.monotonic() - begun)
                # It may not keep up with 25 a second: count what it did.
                result["cpu"] *= FPS / min(FPS, result["out"])
                return result
            finally:
                process.kill()
                process.wait()

    def offset(self):
        with camera.Watch(self.broker, self.partition) as watch:
            return watch.consumer.end_offsets([watch.place])[watch.place]

    def bare(self, file, how):
        count = int(self.options.seconds * FPS)
        done = json.loads(subprocess.run([self.program, file, str(FPS), str(count), how],
                                         stdout=subprocess.PIPE, check=True).stdout)
        return {**done, "cpu": done["cpu_s"] / done["frames"] * 1000}


def contenders(bench, height, wanted):
    file = clip(height, "h264")
    h264 = hostile.H264.from_annex_b(file.read_bytes(), FPS)
    found = {
        "bare": lambda: bench.bare(file, "encode"),
        "bare with colour": lambda: bench.bare(file, "colour"),
        "camera": lambda: bench.camera(h264),
        "python native": lambda: bench.python(h264, "native", QUALITY),
        "python pure": lambda: bench.python(h264, "pure", QUALITY),
        "python native q95": lambda: bench.python(h264, "native", OPENCV_QUALITY),
        "python pure q95": lambda: bench.python(h264, "pure", OPENCV_QUALITY),
        "key frames": lambda: bench.camera(h264, fps=1.0),
        "all for 2 fps": lambda: bench.camera(h264, fps=2.0),
        "bare decode": lambda: bench.bare(file, "decode"),
    }
    if height == 720:
        jpegs = hostile.Jpeg.from_jpegs(clip(height, "mjpeg").read_bytes(), (1280, 720), FPS)
        found["passthrough"] = lambda: bench.camera(jpegs)
    return {name: run for name, run in found.items() if not wanted or name in wanted}


def median(results, name, key):
    return statistics.median(result[key] for result in results[name])


def line(what, value, limit, better="at most"):
    good = value <= limit if better == "at most" else value >= limit
    print(f"  {what:58} {value:8.2f}   {better} {limit:g}   {'ok' if good else 'MISSED'}")


def verdict(height, results):
    """The table of what has to be reached."""
    def cpu(name):
        return median(results, name, "cpu")

    def both(*names):
        return all(name in results for name in names)
    if both("camera", "bare"):
        line("camera / bare decode + encode", cpu("camera") / cpu("bare"), 1.15)
    if both("camera", "bare with colour"):
        line("camera / bare decode + colour + encode", cpu("camera") / cpu("bare with colour"), 1.15)
    for name, what, limit in (("native", "Python with native CRC", 0.65),
                              ("pure", "Python as Debian ships it", 0.2)):
        if both("camera", f"python {name}"):
            line(f"camera / {what}", cpu("camera") / cpu(f"python {name}"), limit)
        if both("camera", f"python {name} q95"):
            line(f"camera / {what}, quality {OPENCV_QUALITY}",
                 cpu("camera") / cpu(f"python {name} q95"), limit)
    if both("passthrough", "bare decode"):
        line("MJPEG passthrough / bare decode of H.264",
             cpu("passthrough") / cpu("bare decode"), 0.45 / 1.9)
    if both("key frames", "camera"):
        line("all decoded and published / key frames alone, 1 fps",
             cpu("camera") / cpu("key frames"), 6, "at least")
    if both("key frames", "all for 2 fps"):
        print(f"  {'(all decoded, 2 fps published / key frames alone, 1 fps)':58} "
              f"{cpu('all for 2 fps') / cpu('key frames'):8.2f}")
    if "bare with colour" in results:
        line("colour pass / encode", median(results, "bare with colour", "colour_ms")
             / median(results, "bare with colour", "encode_ms"), 0.1)
    if "camera" in results:
        line("seconds from start to first picture (a key frame at once)",
             median(results, "camera", "first_s"), 0.2)
        line("MB", max(result["mb"] for result in results["camera"]), {720: 45, 1080: 60}[height])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="measured, of each contender's turn")
    parser.add_argument("--heights", type=lambda text: [int(part) for part in text.split(",")],
                        default=[720, 1080], metavar="720,1080")
    parser.add_argument("--only", type=lambda text: text.split(","), help="contenders, by name")
    options = parser.parse_args()
    with contextlib.ExitStack() as cleanup:
        folder = cleanup.enter_context(stack.temporary_folder())
        build = stack.Build()
        broker = cleanup.enter_context(stack.Broker(folder, build))
        bench = Bench(folder, build, broker, options)
        for height in options.heights:
            runs = contenders(bench, height, options.only)
            results = {name: [] for name in runs}
            for _ in range(options.rounds):
                for name, run in runs.items():
                    results[name].append(run())
            print(f"\n{height}p{FPS}, CPU-s per 1,000 frames in (median of {options.rounds}), "
                  f"quality {QUALITY} where no other is named")
            for name in runs:
                values = [result["cpu"] for result in results[name]]
                rest = "".join(f"  {key} {median(results, name, key):.1f}" for key in ("mb", "out")
                               if key in results[name][0])
                print(f"  {name:18} {statistics.median(values):7.2f}  "
                      f"({min(values):.2f} to {max(values):.2f}){rest}")
            verdict(height, results)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
