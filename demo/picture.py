"""The demo cameras' picture: drawn here, and read back here by tests.

A camera's number stands in it three times: as a colour, as big digits for people, and as a strip of
black and white squares along the lower edge that a test reads after any JPEG or scaling. The clock
shows the seconds of the minute and the frame within the second, a dot runs round with the second."""

import colorsys
import math

import numpy

LOOP_SECONDS = 60

# The strip: a white and a black square, then bits, most significant first, then their parity.
NUMBER_BITS = 10
FRAME_BITS = 12
CELLS = 2 + NUMBER_BITS + FRAME_BITS + 1

# Segments of a digit, clockwise from the top, the middle one last: x, y, width, height in tenths.
SEGMENTS = ((1, 0, 8, 2), (8, 1, 2, 8), (8, 10, 2, 8), (1, 17, 8, 2), (0, 10, 2, 8), (0, 1, 2, 8),
            (1, 8.5, 8, 2))
DIGITS = ("012345", "12", "01346", "01236", "1256", "02356", "023456", "012", "0123456", "012356")


class Painter:
    """Frames of one camera as planar YUV 4:2:0 bytes; width and height are even."""

    def __init__(self, number, width, height, fps, full_range=False):
        self.number, self.width, self.height, self.fps = number, width, height, fps
        self.black, self.white = (0, 255) if full_range else (16, 235)
        self.luma, self.chroma = self._ground()
        self._digits(self.luma, str(number), 0.06, 0.10, 0.46)

    def frame(self, index):
        """The picture of frame index of the loop."""
        luma = self.luma.copy()
        second, part = divmod(index, self.fps)
        self._digits(luma, f"{second % 60:02d}", 0.06, 0.66, 0.20)
        self._digits(luma, f"{part:02d}", 0.28, 0.76, 0.10)
        self._dot(luma, 2 * math.pi * index / self.fps)
        self._strip(luma, index)
        return luma.tobytes() + self.chroma

    def _ground(self):
        hue = (self.number * 0.618034) % 1.0
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.55, 0.62)
        y = 0.299 * red + 0.587 * green + 0.114 * blue
        span = 224 if (self.black, self.white) == (16, 235) else 255
        u, v = (128 + span * 0.564 * (blue - y), 128 + span * 0.713 * (red - y))
        slope = numpy.add.outer(numpy.linspace(1.15, 0.65, self.height),
                                numpy.linspace(0.1, -0.1, self.width))
        luma = self.black + y * slope * (self.white - self.black)
        size = (self.width // 2) * (self.height // 2)
        return luma.astype(numpy.uint8), bytes([int(u)]) * size + bytes([int(v)]) * size

    def _digits(self, luma, text, left, top, height):
        """Draw text; left, top and height in parts of the picture."""
        unit = height * self.height / 19
        x, y = left * self.width, top * self.height
        for digit in text:
            for segment in DIGITS[int(digit)]:
                sx, sy, sw, sh = SEGMENTS[int(segment)]
                luma[int(y + sy * unit):int(y + (sy + sh) * unit),
                     int(x + sx * unit):int(x + (sx + sw) * unit)] = self.white
            x += 13 * unit

    def _dot(self, luma, angle):
        middle_x, middle_y, radius = self.width * 0.72, self.height * 0.42, self.height * 0.27
        size = max(4, int(self.height * 0.06))
        for step in range(12):      # the dial
            x = int(middle_x + radius * math.sin(step * math.pi / 6))
            y = int(middle_y - radius * math.cos(step * math.pi / 6))
            luma[y - 1:y + 2, x - 1:x + 2] = self.white
        x = int(middle_x + radius * math.sin(angle))
        y = int(middle_y - radius * math.cos(angle))
        luma[y - size:y + size, x - size:x + size] = self.white

    def _strip(self, luma, index):
        value = (self.number << FRAME_BITS | index) & ((1 << (NUMBER_BITS + FRAME_BITS)) - 1)
        bits = f"10{value:0{NUMBER_BITS + FRAME_BITS}b}{bin(value).count('1') & 1:d}"
        top = self.height - self.height // 14
        for cell, bit in enumerate(bits):
            luma[top:, cell * self.width // CELLS:(cell + 1) * self.width // CELLS] = \
                self.white if bit == "1" else self.black


def read(picture):
    """(number, frame index) of a decoded picture (grey or colour array, any size), or None."""
    grey = picture if picture.ndim == 2 else picture.mean(axis=2)
    height, width = grey.shape
    row = int(height - height / 28)
    bits = ""
    for cell in range(CELLS):
        middle = (cell + 0.5) * width / CELLS
        reach = max(1, int(width / CELLS / 5))
        bits += "1" if grey[row - 1:row + 1, int(middle) - reach:int(middle) + reach].mean() > 127 \
            else "0"
    value = int(bits[2:-1], 2)
    if bits[:2] != "10" or bin(value).count("1") & 1 != int(bits[-1]):
        return None
    return value >> FRAME_BITS, value & ((1 << FRAME_BITS) - 1)
