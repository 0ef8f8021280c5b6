import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.sandbox.video import VideoError, VideoLimits, decode_video, is_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twelve frames that grow lighter, 48 x 64 at 10 a second."""
    path = tmp_path_factory.mktemp("video") / "steps.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(12):
        writer.write(np.full((48, 64, 3), (level * 20, 0, 0), np.uint8))
    writer.release()
    return path.read_bytes()


def test_frames_come_in_order_with_their_times_as_rgb(video: bytes) -> None:
    frames = list(decode_video(video, VideoLimits()))

    assert [frame.number for frame in frames] == list(range(12))
    assert [round(frame.seconds, 3) for frame in frames] == [round(0.1 * i, 3) for i in range(12)]
    assert frames[0].image.shape == (48, 64, 3)
    blues = [frame.image[..., 2].mean() for frame in frames]
    assert blues == sorted(blues)
    assert frames[-1].image[..., 0].mean() < 30


def test_a_video_that_is_cut_off_gives_its_frames_and_no_more(video: bytes) -> None:
    frames = list(decode_video(video[:-1700], VideoLimits()))

    assert 1 <= len(frames) < 12


@pytest.mark.parametrize(
    ("limits", "message", "limit"),
    [
        (VideoLimits(max_frames=5), "more than 5 frames", 5),
        (VideoLimits(max_pixels=3000), "3072 pixels; at most 3000", 3000),
        (VideoLimits(memory_bytes=1 << 26), "limit of time or memory", None),
    ],
)
def test_limits_are_told(video: bytes, limits: VideoLimits, message: str, limit: int | None) -> None:
    with pytest.raises(VideoError, match=message) as caught:
        list(decode_video(video, limits))

    assert caught.value.limit == limit


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
)
def test_playlists_and_pictures_do_not_reach_a_decoder(data: bytes) -> None:
    assert not is_video(data)

    with pytest.raises(VideoError, match="no MP4, QuickTime, AVI"):
        next(decode_video(data, VideoLimits()))


@pytest.mark.parametrize("start", [b"RIFF\0\0\0\0AVI ", b"\0\0\0\x18ftypmp42", b"\x1aE\xdf\xa3"])
def test_rubbish_behind_a_good_beginning_is_told(start: bytes) -> None:
    with pytest.raises(VideoError, match="damaged"):
        list(decode_video(start + os.urandom(5000), VideoLimits()))


def test_a_decoder_is_gone_once_nobody_reads_any_more(video: bytes) -> None:
    frames = decode_video(video, VideoLimits())
    next(frames)
    [child] = _children()

    frames.close()

    assert child not in _children()


def _children() -> set[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {pid for pid in map(int, listed) if b"video_child" in Path(f"/proc/{pid}/cmdline").read_bytes()}
