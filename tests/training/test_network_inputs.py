"""What `gaitkeeper quantize` reads."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoint import Checkpoint
from models.predictors.reid import PersonEmbedder
from tests.app.pictures import encode, pattern
from tests.models.runtimes.tiny import GLCNN, PLAIN, PRINCETON, Tiny
from tests.training.layouts import MARKET, write_coco, write_folders, write_indexed, write_lsp, write_oulp_age
from training.network_inputs import network_inputs

POSE = Tiny("hourglass_bearpaw", (3, 64, 64), {"num_stacks": 1, "channels": 16, "num_keypoints": 17})


def checkpoint_of(tiny: Tiny, task: str) -> Checkpoint:
    return replace(tiny.checkpoint(), task=task)


def test_crops_of_a_folder_are_prepared_as_the_service_does(tmp_path: Path) -> None:
    (tmp_path / "somebody").mkdir()
    (tmp_path / "somebody" / "any name.png").write_bytes(encode(pattern(40, 20)))
    (tmp_path / "notes.txt").write_text("no picture")
    network = PLAIN.build()

    (image,) = network_inputs(PLAIN.checkpoint(), network, str(tmp_path), 10)

    torch.testing.assert_close(image, PersonEmbedder(network, (32, 16)).prepare(pattern(40, 20)), rtol=0, atol=0)


def test_so_many_are_drawn_and_another_seed_draws_others(tmp_path: Path) -> None:
    data = str(write_folders(tmp_path, MARKET))  # seven pictures of five people

    draws = [network_inputs(PLAIN.checkpoint(), PLAIN.build(), data, 3, seed) for seed in (0, 0, 1)]

    assert [len(draw) for draw in draws] == [3, 3, 3]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_an_index_gives_the_pictures_for_training_alone(tmp_path: Path) -> None:
    assert len(network_inputs(PLAIN.checkpoint(), PLAIN.build(), str(write_indexed(tmp_path)), 10)) == 2


def test_poses_come_from_boxes_where_there_are_some_else_from_whole_crops(tmp_path: Path) -> None:
    crops, checkpoint, network = write_folders(tmp_path / "crops", MARKET), checkpoint_of(POSE, "pose"), POSE.build()

    for data, count in ((write_coco(tmp_path / "coco"), 2), (write_lsp(tmp_path / "lsp"), 5), (crops, 5)):
        assert network_inputs(checkpoint, network, str(data), 5).shape == (count, 3, 64, 64)


def test_gait_reads_what_it_is_evaluated_on(tmp_path: Path) -> None:
    ages = write_oulp_age(tmp_path, {"0001": 20, "0002": 30})
    checkpoint, network = GLCNN.checkpoint(), GLCNN.build()

    for data in (str(ages), "synthetic:1:2"):
        images = network_inputs(checkpoint, network, data, 10)
        assert images.shape == (2, 1, 64, 44)
        assert 0 <= images.min() < images.max() <= 1


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no pictures \(\.jpeg, \.jpg, \.png\), and no index\.csv"):
        network_inputs(PLAIN.checkpoint(), PLAIN.build(), str(tmp_path), 10)
    with pytest.raises(ValueError, match="is a checkpoint for classification, of which no pictures are read"):
        network_inputs(checkpoint_of(PRINCETON, "classification"), PRINCETON.build(), str(tmp_path), 10)
