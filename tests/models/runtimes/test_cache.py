import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from models.runtimes.cache import FileCache


def refuse() -> bytes:
    raise AssertionError("it was there already")


def test_what_was_made_once_is_found_by_the_next_process(tmp_path: Path) -> None:
    FileCache(tmp_path / "cache").fetch("a", lambda: b"made")

    assert FileCache(tmp_path / "cache").fetch("a", refuse) == b"made"


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + b"?", lambda b: b[:10], lambda b: b""])
def test_a_damaged_file_is_told_and_made_anew(
    damage: Callable[[bytes], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    FileCache(tmp_path).fetch("a", lambda: b"made")
    (tmp_path / "a").write_bytes(damage((tmp_path / "a").read_bytes()))

    with caplog.at_level(logging.WARNING, "gaitkeeper"):
        again = FileCache(tmp_path).fetch("a", lambda: b"made again")

    assert again == b"made again"
    assert "damaged" in caplog.text
    assert FileCache(tmp_path).fetch("a", refuse) == b"made again"


def test_where_nothing_can_be_written_it_is_made_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    files = FileCache(tmp_path / "file" / "cache")

    with caplog.at_level(logging.WARNING, "gaitkeeper"):
        assert [files.fetch("a", lambda: b"made") for _ in range(2)] == [b"made", b"made"]

    assert "cannot be kept" in caplog.text


def test_what_is_forgotten_is_gone_and_the_rest_stays(tmp_path: Path) -> None:
    files = FileCache(tmp_path)
    for key in ("net-1.onnx", "net-2.onnx", "net-2-any", "network-1.onnx"):
        files.fetch(key, lambda: b"made")

    files.forget(re.compile(r"net-\d[.-].*"), but="net-2")
    FileCache(tmp_path / "absent").forget(re.compile(".*"), but="net")

    assert {path.name for path in tmp_path.iterdir()} == {"net-2.onnx", "net-2-any", "network-1.onnx"}


def test_without_a_folder_nothing_is_kept() -> None:
    assert [FileCache(None).fetch("a", bytes([n]).__bytes__) for n in range(2)] == [b"\0", b"\1"]


def test_processes_that_start_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    together = Barrier(4)

    def make() -> bytes:
        together.wait()
        return b"made" * 100_000

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: FileCache(tmp_path).fetch("a", make), range(4)))

    assert set(made) == {b"made" * 100_000}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert FileCache(tmp_path).fetch("a", refuse) == made[0]
