from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gallery.audit import Deed, set_actor
from app.gallery.domain import Retention, Search
from app.gallery.errors import StorageFailure, UnknownIdentity
from app.gallery.gallery import GalleryStore
from app.gallery.logs import read_log
from app.gallery.trail import Trail
from tests.app.gallery.support import CHECKPOINT, new_shots, open_store, random_vectors

DEED = Deed(1.0, "key", "query", "people", None, {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GalleryStore]:
    store = open_store(tmp_path)
    yield store
    store.close()


def actions(folder: Path) -> list[tuple[str, str | None]]:
    return [(entry.action, entry.identity_id) for entry in read_log(folder, 0)]


def test_every_change_and_every_query_is_entered_with_who_did_it(store: GalleryStore, tmp_path: Path) -> None:
    set_actor("key-7")
    enrolled = store.enrol("people", "anna", new_shots(random_vectors(2, 0)), CHECKPOINT)
    store.rename("people", "anna", "bea")
    store.search("people", random_vectors(1, 1), Search(5), CHECKPOINT)
    store.delete_identity("people", "bea")
    set_actor("")
    store.close()

    entries = read_log(tmp_path, 1)

    assert [entry.action for entry in entries if entry.action != "query"] == ["enrol", "rename", "erase-identity"]
    assert [entry.action for entry in entries].count("query") == 1
    assert {entry.actor for entry in entries} == {"key-7"}
    shot_ids = [shot.shot_id for shot in enrolled.shots]
    assert entries[0].detail["shots"] == shot_ids
    assert sorted(next(e for e in entries if e.action == "erase-identity").detail["shots"]) == sorted(shot_ids)


def test_what_failed_is_not_entered(store: GalleryStore, tmp_path: Path) -> None:
    before = actions(tmp_path)

    with pytest.raises(UnknownIdentity):
        store.delete_identity("people", "nobody")

    assert actions(tmp_path) == before


def test_no_embedding_is_in_the_trail(store: GalleryStore, tmp_path: Path) -> None:
    embeddings = random_vectors(1, 0)
    store.enrol("people", "anna", new_shots(embeddings), CHECKPOINT)

    assert all(str(float(value)) not in str(read_log(tmp_path, 0)) for value in embeddings[0, :4])


def test_deeds_that_cannot_be_entered_are_kept_for_later() -> None:
    entered: list[Deed] = []
    broken = [True]

    def enter(deeds: object) -> None:
        if broken[0]:
            raise StorageFailure("the disk is full")
        entered.extend(deeds)  # type: ignore[arg-type]

    trail = Trail(enter)
    trail.add(DEED)
    trail.flush()
    broken[0] = False
    trail.add(DEED)
    trail.close()

    assert entered == [DEED, DEED]


def test_a_changed_setting_is_told_with_its_value_and_no_metadata(store: GalleryStore, tmp_path: Path) -> None:
    store.update("people", "Lab of Dr. Who", {"door": "secret"}, Retention(60), "warn")
    store.update("people", None, None, Retention(60), "off")
    store.update("people", None, None)

    assert [entry.detail for entry in read_log(tmp_path, 1)] == [
        {"changed": ["label", "metadata", "quality", "ttl_seconds"], "ttl_seconds": 60, "quality": "warn"},
        {"changed": ["quality"], "quality": "off"},
        {"changed": []},
    ]


def test_a_calibration_that_is_erased_is_entered_once(store: GalleryStore, tmp_path: Path) -> None:
    store.calibrate("people", {"eer": 0.1}, store.moment("people"))
    store.forget_calibration("people")
    store.forget_calibration("people")

    assert actions(tmp_path)[1:] == [("calibrate", None), ("erase-calibration", None)]


def test_what_moving_shots_erased_is_told(store: GalleryStore, tmp_path: Path) -> None:
    rows = random_vectors(2, 0)
    for name in ("ann", "bob", "cy"):
        enrolled = store.enrol("people", name, new_shots(rows[:1]), CHECKPOINT)
    [shot] = enrolled.shots
    merged = store.merge("people", "ann", "bob")
    store.move_shots("people", "cy", [shot.shot_id], "ann")

    merge, move = read_log(tmp_path, 4)

    assert merge.detail == {"into": "ann", "duplicates": merged.duplicates, "gone": [[2, 0.0]]}
    assert move.detail == {"shots": [], "duplicates": [shot.shot_id], "to": "ann"}
