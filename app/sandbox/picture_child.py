"""Runs as a process of its own: for each odd picture it forks a process that decodes this one and ends.

It is started as a file, in an isolated interpreter with an empty environment, and imports nothing of this project. It
looks at no picture itself; whatever a hostile one makes a decoder do happens in the forked process, which limits
itself first, and knows of no other picture.

    python -I picture_child.py CHANNEL

CHANNEL is a Unix socket. Each request is a message (`REQUEST`) with two descriptors: a file with the picture, and a
pipe for the answer. Each is answered by a descriptor of the process that decodes it, so that it can be killed. The
answer in the pipe is a header (`HEADER`) of the kind SIZE, with height, width and EXIF orientation, and one of the kind
PIXELS with height and width of the RGB pixels that follow. Instead of either there may be UNKNOWN, or DAMAGED with the
length of the reason that follows.
"""

import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from typing import IO

from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
EXIF_ORIENTATION = 0x0112
REQUEST = struct.Struct("<iqq")  # CPU seconds, bytes of memory, pixels
HEADER = struct.Struct("<4i")
SIZE, PIXELS, UNKNOWN, DAMAGED = range(4)

Tell = Callable[[int, int, int, int, bytes], object]


def decode(file: IO[bytes], max_pixels: int, tell: Tell) -> None:
    """Tell a picture's size and orientation, then its pixels if they are not too many; or what is wrong with it."""
    try:
        picture = Image.open(file, formats=FORMATS)
        tell(SIZE, picture.height, picture.width, orientation_of(picture), b"")
        if picture.height * picture.width <= max_pixels:
            rgb = flattened(picture)
            tell(PIXELS, rgb.height, rgb.width, 0, rgb.tobytes())
    except UnidentifiedImageError:
        tell(UNKNOWN, 0, 0, 0, b"")
    except (MemoryError, BrokenPipeError):
        raise
    except Exception as error:  # decoders of hostile bytes raise almost anything
        reason = str(error).encode(errors="replace")[:200]
        tell(DAMAGED, len(reason), 0, 0, reason)


def flattened(picture: Image.Image) -> Image.Image:
    """The first frame in RGB, with transparency laid on white."""
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def orientation_of(picture: Image.Image) -> int:
    """1 to 8; a picture with damaged EXIF data is still a picture."""
    try:
        return int(picture.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:
        return 1


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Bound what this process may use; it can create no file and no process, and is killed when its time is up."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def serve(channel: socket.socket) -> None:
    """Fork for every request until the other side closes."""
    Image.MAX_IMAGE_PIXELS = None  # the service says how many are too many
    Image.init()  # here, or every process would load its formats anew
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, REQUEST.size, 2)
        if not request:
            return
        _reap()
        cpu_seconds, memory_bytes, max_pixels = REQUEST.unpack(request)
        child = os.fork()
        if not child:
            channel.close()
            limit(cpu_seconds, memory_bytes)
            _decode_and_exit(descriptors[0], descriptors[1], max_pixels)
        for descriptor in descriptors:
            os.close(descriptor)
        handle = os.pidfd_open(child)
        socket.send_fds(channel, [b"."], [handle])
        os.close(handle)


def _decode_and_exit(source: int, target: int, max_pixels: int) -> None:
    try:
        with os.fdopen(source, "rb") as file, os.fdopen(target, "wb") as pipe:

            def tell(kind: int, first: int, second: int, third: int, content: bytes) -> None:
                pipe.write(HEADER.pack(kind, first, second, third))
                pipe.write(content)
                pipe.flush()

            decode(file, max_pixels, tell)
    finally:
        os._exit(0)


def _reap() -> None:
    """Forget those that have ended; until then nobody else can have their numbers."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
