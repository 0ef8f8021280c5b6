"""What a person is told who asks what is kept about them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.gallery.domain import NewShot
from app.gallery.errors import UnknownIdentity
from app.gallery.gallery import GalleryStore
from app.gallery.logs import read_log
from tests.app.gallery.support import CHECKPOINT, DIM, new_shots, open_store, random_vectors

ROWS = random_vectors(6, seed=11)


def test_an_export_holds_all_that_was_enrolled(store: GalleryStore) -> None:
    shots = [NewShot(ROWS[0], "aa", "c1", 5.0, {"door": 3}, 0.5), NewShot(ROWS[1])]
    store.enrol("people", "ann", shots, CHECKPOINT, "Ann")
    store.enrol("people", "bob", new_shots(ROWS[2:4]), CHECKPOINT)

    exported = store.export("people", "ann")

    assert exported.identity == store.identity("people", "ann")
    assert exported.shots == store.shots("people", "ann")
    assert np.array_equal(exported.embeddings, ROWS[:2])
    assert exported.gallery_version == 2
    assert [entry.action for entry in exported.entries] == ["enrol"]


def test_an_export_tells_by_which_ways_the_shots_came(store: GalleryStore) -> None:
    store.create("other", CHECKPOINT, DIM)
    store.enrol("other", "ann", new_shots(ROWS[:1]), CHECKPOINT)
    store.enrol("people", "bob", new_shots(ROWS[1:2]), CHECKPOINT)
    store.enrol("people", "cy", new_shots(ROWS[2:3]), CHECKPOINT)
    store.transfer("other", "ann", "people")
    store.merge("people", "ann", "bob")

    exported = store.export("people", "ann")

    ways = [("enrol", "ann"), ("enrol", "bob"), ("transfer", "ann"), ("merge", "bob")]
    assert [(entry.action, entry.identity_id) for entry in exported.entries] == ways
    assert {tuple(row) for row in exported.embeddings} == {tuple(row) for row in ROWS[:2]}


def entered(store: GalleryStore, identity_id: str) -> list[tuple[str, str | None]]:
    return [(entry.action, entry.identity_id) for entry in store.export("people", identity_id).entries]


def test_an_export_follows_a_person_through_names(store: GalleryStore) -> None:
    store.enrol("people", "a", new_shots(ROWS[:1]), CHECKPOINT)
    store.rename("people", "a", "b")
    store.enrol("people", "a", new_shots(ROWS[1:2]), CHECKPOINT)
    store.rename("people", "b", "c")
    store.rename("people", "a", "b")

    assert entered(store, "c") == [("enrol", "a"), ("rename", "a"), ("rename", "b")]
    assert entered(store, "b") == [("enrol", "a"), ("rename", "a")]


def erase(store: GalleryStore) -> None:
    store.delete_identity("people", "ann")


def erase_gallery(store: GalleryStore) -> None:
    store.delete("people")
    store.create("people", CHECKPOINT, DIM)


def rename(store: GalleryStore) -> None:
    store.rename("people", "ann", "zoe")


def merge(store: GalleryStore) -> None:
    store.put_identity("people", "zoe", None, {})
    store.merge("people", "zoe", "ann")


def transfer(store: GalleryStore) -> None:
    store.create("other", CHECKPOINT, DIM)
    store.transfer("people", "ann", "other")


@pytest.mark.parametrize("leave", [erase, erase_gallery, rename, merge, transfer])
def test_an_export_tells_nothing_of_who_bore_the_name_before(
    store: GalleryStore, leave: Callable[[GalleryStore], None]
) -> None:
    store.enrol("people", "ann", new_shots(ROWS[:1]), CHECKPOINT)
    leave(store)
    store.put_identity("people", "ann", None, {})

    assert entered(store, "ann") == [("put-identity", "ann")]


def test_a_gallery_called_like_a_person_confuses_nobody(store: GalleryStore) -> None:
    store.create("ann", CHECKPOINT, DIM)
    store.enrol("people", "bob", new_shots(ROWS[:1]), CHECKPOINT)
    store.transfer("people", "bob", "ann")
    store.put_identity("people", "ann", None, {})

    assert entered(store, "ann") == [("put-identity", "ann")]


def test_an_identity_without_shots_is_exported_too(store: GalleryStore) -> None:
    store.put_identity("people", "dee", "Dee", {"note": "expected"})

    exported = store.export("people", "dee")

    assert (exported.identity.metadata, exported.embeddings.shape) == ({"note": "expected"}, (0, DIM))


def test_an_export_is_entered_in_the_trail(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put_identity("people", "dee", None, {})
    store.export("people", "dee")
    store.close()

    assert [(e.action, e.identity_id) for e in read_log(tmp_path, 0)][-1] == ("export", "dee")


def test_who_is_not_there_cannot_be_exported(store: GalleryStore) -> None:
    with pytest.raises(UnknownIdentity):
        store.export("people", "nobody")
