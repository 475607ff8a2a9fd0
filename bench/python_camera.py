#!/usr/bin/python3
"""What kafkacam is measured against: a camera as the original project has it, OpenCV and
kafka-python. python_camera.py URL BROKER PARTITION QUALITY pure|native

QUALITY: imencode()'s own default, which the original uses, is 95; kafkacam's is 80.
pure: kafka-python as Debian ships it, its CRC-32C in Python. native: with a CRC at C speed (the
crc32c module if it is there, else zlib's CRC-32, which costs the same and is wrong; for brokers that
do not look). The original waits 0.2 s between pictures; this one takes all, as the camera does."""

import os
import sys
import zlib

import cv2
import kafka
import kafka.record.default_records


def native_crc(data):
    return zlib.crc32(bytes(data)) & 0xFFFFFFFF


def main():
    url, broker, partition, quality, crc = sys.argv[1:]
    if crc == "native":
        try:
            from crc32c import crc32c as checksum
        except ImportError:
            checksum = native_crc
        kafka.record.default_records.calc_crc32c = checksum
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp"
    producer = kafka.KafkaProducer(bootstrap_servers=broker, max_request_size=8 << 20)
    camera = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    while True:
        ok, image = camera.read()
        if not ok:
            sys.exit("the camera is gone")
        ok, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
        producer.send("video", jpeg.tobytes(), partition=int(partition))


main()
