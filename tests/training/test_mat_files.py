"""MATLAB files, as SciPy writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.mat_files import read_mat

scipy_io = pytest.importorskip("scipy.io", reason="SciPy writes the files")

ARRAYS: dict[str, NDArray[Any]] = {
    "doubles": np.arange(24, dtype=np.float64).reshape(2, 3, 4) / 7,
    "singles": np.array([[1.5, -2.5]], np.float32),
    "counts": np.arange(200).reshape(10, 20),
    "bytes": np.array([[0, 255], [3, 4]], np.uint8),
    "flags": np.array([[True, False, True]]),
    "scalar": np.array([[4.0]]),
    "empty": np.zeros((0, 3)),
    "a_name_that_is_longer": np.array([[1, -1]], np.int16),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_every_kind_of_number_comes_back(tmp_path: Path, compressed: bool) -> None:
    scipy_io.savemat(tmp_path / "numbers.mat", ARRAYS, do_compression=compressed)

    read = read_mat(tmp_path / "numbers.mat")

    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert np.array_equal(read[name], array), name


def test_text_cells_and_complex_numbers_are_passed_over(tmp_path: Path) -> None:
    others = {"text": "head", "cells": np.array(["rank", "rkne"], object), "waves": np.array([[1 + 2j]])}
    scipy_io.savemat(tmp_path / "mixed.mat", {**others, "kept": np.array([[1.0]])})

    assert list(read_mat(tmp_path / "mixed.mat")) == ["kept"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "cut.mat"
    scipy_io.savemat(path, {"numbers": np.random.default_rng(0).random((50, 50))}, do_compression=compressed)
    path.write_bytes(path.read_bytes()[:-1000])

    with pytest.raises(ValueError, match=r"cut\.mat cannot be read"):
        read_mat(path)


@pytest.mark.parametrize("content", [None, b"", b"text" * 100, b"MATLAB 7.3 MAT-file".ljust(126) + b"IM" + bytes(64)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other.mat"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ValueError, match=r"other\.mat cannot be read"):
        read_mat(path)
