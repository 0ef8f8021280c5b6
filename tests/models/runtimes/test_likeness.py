from dataclasses import replace

import pytest
import torch

from models.backbones.glcnn import GLCNNOutput
from models.runtimes.likeness import answer_of, likeness
from tests.models.runtimes.tiny import GLCNN, HOURGLASS, PLAIN


def test_embeddings_are_compared_by_their_cosine_whatever_their_length() -> None:
    answer = answer_of(PLAIN.checkpoint())
    true, other = torch.tensor([[1.0, 0], [0, 2], [3, 0]]), torch.tensor([[5.0, 0], [0, 1], [1, 1]])

    assert likeness("reid", answer(true), answer(other)) == pytest.approx(
        {"cosine, median": 1.0, "cosine, lowest": 0.5**0.5}
    )


def test_keypoints_are_compared_in_pixels_of_the_last_stack_s_heatmaps() -> None:
    answer = answer_of(replace(HOURGLASS.checkpoint(), task="pose"))
    true = torch.zeros(1, 2, 3, 16, 16)  # one picture, two stacks, three keypoints
    true[:, 1, :, 8, 8] = 1
    other = true.clone()
    other[:, 0] = torch.rand(16, 16, generator=torch.Generator().manual_seed(0))
    other[:, 1, 2] = true[:, 1, 2].roll((3, 4), dims=(1, 2))

    apart = likeness("pose", answer(true), answer(other))

    assert apart["apart, median pixels"] == 0
    assert apart["apart, largest pixels"] == pytest.approx(5, abs=1e-3)


def test_ages_are_compared_in_years() -> None:
    answer = answer_of(GLCNN.checkpoint())

    def said(*ages: int) -> GLCNNOutput:
        older = torch.stack([torch.where(torch.arange(89) < age, 1.0, -1.0) for age in ages])
        return GLCNNOutput(torch.zeros(len(ages), 1), older, torch.zeros(len(ages), 2))

    apart = likeness("gait", answer(said(20, 30, 40)), answer(said(20, 31, 36)))

    assert apart == {"apart, median years": 1.0, "apart, largest years": 4.0}
