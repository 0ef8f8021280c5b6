"""Runs as a process of its own: decodes one video and writes its frames to standard output.

It is started as a file, in an isolated interpreter with an empty environment, and imports nothing of this project. It
limits itself before it loads a decoder; whatever a hostile file makes the decoder do happens here.

    python -I video_child.py DESCRIPTOR CPU_SECONDS MEMORY_BYTES MAX_PIXELS MAX_FRAMES

Each frame is a header (`HEADER`: its number, its time in seconds, height and width) and its pixels, RGB. A header with
a negative number is the last: -1, all frames were read; -2, the file is no video that can be read; -3, a frame has more
pixels than allowed (height and width say how many); -4, there are more frames than allowed.
"""

import os
import resource
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cv2

HEADER = struct.Struct("<idii")
END, UNREADABLE, TOO_LARGE, TOO_LONG = -1, -2, -3, -4


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Bound what this process may use; it can create no file, and is killed when its time is up."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(descriptor: int, max_pixels: int, max_frames: int) -> None:
    """Decode the video behind a file descriptor."""
    # Playlists inside a video must not make the decoder open anything else.
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "protocol_whitelist;file"
    os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import cv2

    cv2.setNumThreads(1)
    out = sys.stdout.buffer
    capture = cv2.VideoCapture(f"/proc/self/fd/{descriptor}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    if not capture.isOpened() or height * width <= 0:
        out.write(HEADER.pack(UNREADABLE, 0, 0, 0))
    elif height * width > max_pixels:
        out.write(HEADER.pack(TOO_LARGE, 0, height, width))
    else:
        out.write(HEADER.pack(_write_frames(capture, max_pixels, max_frames), 0, 0, 0))
    out.flush()


def _write_frames(capture: "cv2.VideoCapture", max_pixels: int, max_frames: int) -> int:
    import cv2

    out, number = sys.stdout.buffer, 0
    rate = capture.get(cv2.CAP_PROP_FPS)
    while capture.grab():
        if number == max_frames:
            return TOO_LONG
        read, frame = capture.retrieve()
        if not read or frame is None or frame.ndim != 3:
            continue
        height, width = frame.shape[:2]
        if height * width > max_pixels:
            return TOO_LARGE
        seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 or (number / rate if rate > 0 else 0.0)
        out.write(HEADER.pack(number, seconds, height, width))
        out.write(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).tobytes())
        number += 1
    return END if number else UNREADABLE


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    limit(arguments[1], arguments[2])
    main(arguments[0], arguments[3], arguments[4])
