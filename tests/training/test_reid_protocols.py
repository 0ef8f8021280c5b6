"""Which queries are looked for where, and how rankings are counted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import models
from models.predictors.reid import PersonEmbedder
from tests.training.layouts import MARKET, write_cuhk03, write_folders, write_indexed
from training.reid_layouts import CropFile
from training.reid_protocols import FloatArray, ReidProtocol, ReidTest, embed_crops, evaluate_reid, find_tests


def crop(identity: int, camera: int, place: str) -> CropFile:
    """A crop whose embedding is the angle that its name says."""
    return CropFile(place, identity, camera, Path())


def embed_by_name(crops: Sequence[CropFile], title: str) -> FloatArray:
    angles = np.deg2rad([float(one.name) for one in crops])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


# The query's other shot is second, behind a stranger; what its own camera saw does not count.
TEST = ReidTest(
    "drawn", "none", [crop(1, 1, "0")], [crop(1, 1, "0"), crop(2, 2, "5"), crop(1, 2, "10"), crop(3, 1, "1")]
)


def test_by_market_s_protocol_only_the_same_person_in_the_same_camera_is_left_out() -> None:
    scores = evaluate_reid(TEST, ReidProtocol(), embed_by_name)

    assert [scores.rank(k) for k in (1, 2, 3)] == [0, 0, 1]
    assert scores.mean_average_precision == pytest.approx(1 / 3)


def test_by_the_classic_protocol_the_whole_camera_is_left_out() -> None:
    scores = evaluate_reid(TEST, ReidProtocol(classic_set=0), embed_by_name)

    assert [scores.rank(k) for k in (1, 2, 3)] == pytest.approx([0, 1, 1])
    assert scores.mean_average_precision == pytest.approx(1 / 3)


def test_the_classic_protocol_draws_one_image_a_person_as_often_as_it_is_told() -> None:
    shots = [crop(1, 2, "10"), crop(1, 2, "30"), crop(2, 2, "20")]
    test = ReidTest("drawn", "none", [crop(1, 1, "0")], shots)

    once = {evaluate_reid(test, ReidProtocol(0, 1, seed), embed_by_name).rank(1) for seed in range(20)}
    often = evaluate_reid(test, ReidProtocol(0, 400, 0), embed_by_name).rank(1)

    assert once == {0, 1}
    assert often == pytest.approx(0.5, abs=0.1)


def test_re_ranking_finds_a_neighbour_s_neighbour() -> None:
    chain = [crop(1, 2, "12"), crop(1, 3, "24"), crop(1, 4, "36"), crop(1, 5, "48")]
    others = [crop(2, 2, str(angle)) for angle in (-47, *range(-130, -100))]
    test = ReidTest("drawn", "none", [crop(1, 1, "0")], chain + others)

    plain = evaluate_reid(test, ReidProtocol(), embed_by_name)
    reranked = evaluate_reid(test, ReidProtocol(rerank=True), embed_by_name)

    assert plain.mean_average_precision == pytest.approx((1 + 1 + 1 + 4 / 5) / 4)
    assert reranked.mean_average_precision == 1


def test_re_ranking_does_not_go_with_the_classic_protocol() -> None:
    with pytest.raises(ValueError, match="whole gallery"):
        ReidProtocol(classic_set=0, rerank=True)


def test_a_report_says_what_was_done() -> None:
    assert str(ReidProtocol()) == "Market-1501 protocol, cosine similarity"
    assert str(ReidProtocol(rerank=True)) == "Market-1501 protocol, k-reciprocal re-ranking"
    assert "one gallery image a person from another camera, 100 draws" in str(ReidProtocol(0, 100))


def test_data_with_two_kinds_of_boxes_is_tested_on_each(tmp_path: Path) -> None:
    cuhk03 = write_cuhk03(tmp_path / "cuhk03")
    market = write_folders(tmp_path / "market", MARKET)

    assert [test.name for test in find_tests(cuhk03)] == ["cuhk03 (labeled)", "cuhk03 (detected)"]
    assert [test.name for test in find_tests(cuhk03, "detected")] == ["cuhk03 (detected)"]
    assert [test.name for test in find_tests(market)] == ["market"]
    assert [len(test.query) for test in find_tests(cuhk03, "labeled", classic_set=1)] == [4]


def test_boxes_and_test_sets_that_data_do_not_have_are_refused(tmp_path: Path) -> None:
    market = write_folders(tmp_path / "market", MARKET)
    new = tmp_path / "cuhk03-np"
    for kind in ("labeled", "detected"):
        write_folders(new / kind, MARKET)
    indexed = write_indexed(tmp_path)

    with pytest.raises(ValueError, match=r"--boxes detected is for data with a choice; .*market has one kind of boxes"):
        find_tests(market, "detected")
    with pytest.raises(ValueError, match=r"has labeled$"):
        find_tests(indexed, "detected")
    for root, layout in ((market, "Market-1501"), (new, "CUHK03-NP")):
        with pytest.raises(ValueError, match=f"the classic protocol is CUHK03's; .* is in {layout} layout"):
            find_tests(root, classic_set=0)
    with pytest.raises(ValueError, match="has one test set, number 0, not 3"):
        find_tests(indexed, classic_set=3)


def test_a_part_that_is_missing_is_an_error_before_anything_is_embedded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no images in the split 'gallery'"):
        find_tests(write_indexed(tmp_path))


@pytest.mark.parametrize("flip", [False, True])
def test_crops_are_embedded_as_the_service_does_whatever_the_batch(tmp_path: Path, flip: bool) -> None:
    crops = find_tests(write_cuhk03(tmp_path), "labeled")[0].gallery
    network = models.create("rga_sc_resnet18", input_size=(32, 16), width=8)
    embedder = PersonEmbedder(network, (32, 16), flip=flip)

    rows = embed_crops(embedder, crops, "gallery")

    assert rows.shape == (6, network.embedding_dim)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.allclose(embed_crops(embedder, crops, "gallery", batch_size=4), rows, atol=1e-5)
    assert np.allclose(rows[0], rows[1], atol=1e-5)  # the same person in the same colour
