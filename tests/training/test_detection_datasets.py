"""Annotated persons in the layouts in which they are published."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.detection_datasets import find_detection_sets, mask_boxes, read_mot_boxes

MOT = "1,1,11,21,30,60,1,-1,-1,-1\n1,2,41,21,10,20,0,-1,-1,-1\n3,1,91,71,30,60,1,-1,-1,-1\n"
PENN_FUDAN = """# Compatible with PASCAL Annotation Version 1.00
Image size (X x Y x C) : 60 x 40 x 3
Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (11, 6) - (20, 35)
Pixel mask for object 1 "PASpersonWalking" : "PennFudanPed/PedMasks/A_mask.png"
"""


def write_video(path: Path, frames: int = 3) -> None:
    """A video of grey frames, 100 wide and 80 high, each brighter than the one before."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (100, 80))
    for frame in range(frames):
        writer.write(np.full((80, 100, 3), 40 * frame, np.uint8))
    writer.release()


def write_penn_fudan(root: Path) -> None:
    for folder in ("PNGImages", "Annotation", "PedMasks"):
        (root / folder).mkdir(parents=True)
    cv2.imwrite(str(root / "PNGImages" / "A.png"), np.zeros((40, 60, 3), np.uint8))
    (root / "Annotation" / "A.txt").write_text(PENN_FUDAN)
    mask = np.zeros((40, 60), np.uint8)
    mask[5:35, 10:20] = 1
    cv2.imwrite(str(root / "PedMasks" / "A_mask.png"), mask)


def test_a_video_has_its_boxes_frame_by_frame_cut_to_the_picture(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    (tmp_path / "walk.gt.txt").write_text(MOT)

    (data,) = find_detection_sets(tmp_path)
    pictures = list(data.pictures())

    assert (data.name, data.is_video, len(pictures)) == ("walk", True, 3)
    assert [picture.boxes.tolist() for picture in pictures] == [[[10, 20, 40, 80]], [], [[90, 70, 100, 80]]]
    assert [round(float(picture.image.mean()), -1) for picture in pictures] == [0, 40, 80]
    assert [found.name for found in find_detection_sets(tmp_path / "walk.avi")] == ["walk"]


def test_a_motchallenge_sequence_is_read(tmp_path: Path) -> None:
    root = tmp_path / "PETS09"
    (root / "img1").mkdir(parents=True)
    (root / "gt").mkdir()
    (root / "gt" / "gt.txt").write_text(MOT)
    for frame in (1, 2, 3):
        cv2.imwrite(str(root / "img1" / f"{frame:06}.jpg"), np.zeros((80, 100, 3), np.uint8))

    (data,) = find_detection_sets(root)

    assert data.name == "PETS09"
    assert [len(picture.boxes) for picture in data.pictures()] == [1, 0, 1]


def test_penn_fudan_has_the_same_boxes_by_annotation_and_by_mask(tmp_path: Path) -> None:
    write_penn_fudan(tmp_path)

    annotated = [picture.boxes.tolist() for picture in find_detection_sets(tmp_path)[0].pictures()]
    (tmp_path / "Annotation" / "A.txt").unlink()
    (tmp_path / "Annotation").rmdir()
    masked = [picture.boxes.tolist() for picture in find_detection_sets(tmp_path)[0].pictures()]

    assert annotated == masked == [[[10, 5, 20, 35]]]


def test_an_empty_mask_has_no_boxes() -> None:
    assert mask_boxes(np.zeros((4, 4), np.uint8)).shape == (0, 4)


def test_a_line_that_is_no_box_is_named(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,1,11,21,30,60,1\nframe,id\n")

    with pytest.raises(ValueError, match="line 2: 'frame,id' is not"):
        read_mot_boxes(tmp_path / "gt.txt")


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no PNGImages, no img1, and no video"):
        find_detection_sets(tmp_path)


def test_a_video_without_boxes_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")

    with pytest.raises(ValueError, match=r"walk\.gt\.txt is missing"):
        find_detection_sets(tmp_path / "walk.avi")


def test_a_missing_annotation_is_named(tmp_path: Path) -> None:
    write_penn_fudan(tmp_path)
    (tmp_path / "Annotation" / "A.txt").unlink()

    with pytest.raises(ValueError, match=r"A\.txt is missing"):
        find_detection_sets(tmp_path)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "walk.avi").write_text("no video")
    (tmp_path / "walk.gt.txt").write_text(MOT)
    (data,) = find_detection_sets(tmp_path)

    with pytest.raises(ValueError, match="not a video that can be read"):
        next(data.pictures())


@pytest.mark.shared
def test_the_reference_videos_have_their_counted_boxes(shared: Path) -> None:
    counts = {}
    for name in ("vtest", "TUD-Campus"):
        boxes = read_mot_boxes(shared / "data" / "video" / f"{name}.gt.txt")
        counts[name] = sum(len(frame) for frame in boxes.values())

    # vtest has 4650 lines, of which 174 are flagged as not to be found.
    assert counts == {"vtest": 4476, "TUD-Campus": 359}
