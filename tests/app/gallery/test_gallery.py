"""What a gallery promises to those who enrol, list, change and search."""

from collections.abc import Callable

import numpy as np
import pytest

from app.gallery.domain import Enrolment, ErasureReceipt, GalleryInfo, Metadata, NewShot, Retention, Search
from app.gallery.errors import (
    CheckpointMismatch,
    DimensionMismatch,
    GalleryExists,
    IdempotencyConflict,
    IdempotencyKeySpent,
    InvalidEmbedding,
    InvalidMetadata,
    UnknownGallery,
    UnknownIdentity,
    UnknownShot,
)
from app.gallery.gallery import GalleryStore
from app.gallery.idempotency import Once
from tests.app.gallery.support import CHECKPOINT, DIM, Place, new_shots, random_vectors

ROWS = random_vectors(20, seed=7)


def enrol(store: GalleryStore, identity_id: str, *numbers: int) -> list[str]:
    """Enrol rows of ROWS by their numbers; returns shot ids."""
    return [
        shot.shot_id for shot in store.enrol("people", identity_id, new_shots(ROWS[list(numbers)]), CHECKPOINT).shots
    ]


def best(store: GalleryStore, number: int) -> str:
    """The identity most like a row of ROWS."""
    return store.search("people", ROWS[[number]], Search(1), CHECKPOINT).identities[0].identity_id


def test_an_enrolled_person_is_found(store: GalleryStore) -> None:
    enrol(store, "ann", 0, 1)
    store.enrol("people", "bob", new_shots(ROWS[2:4], camera="c2"), CHECKPOINT, label="Bob")

    ranking = store.search("people", ROWS[3:4], Search(10), CHECKPOINT)

    first, second = ranking.identities
    assert (first.rank, first.identity_id, first.label, first.shots, first.best_shot.camera) == (
        1,
        "bob",
        "Bob",
        2,
        "c2",
    )
    assert first.similarity == first.best_shot.similarity == pytest.approx(1)
    assert (second.rank, second.identity_id, second.label, second.best_shot.camera) == (2, "ann", None, None)
    assert ranking.gallery_version == 2


def test_a_gallery_is_the_same_after_it_was_closed_and_opened(place: Place) -> None:
    store = place.open()
    enrol(store, "ann", 0, 1, 2)
    enrol(store, "bob", 3)
    store.put_identity("people", "cy", "Cy", {"age": 4})
    store.delete_shot("people", "ann", enrol(store, "ann", 1)[0])
    store.update("people", "All of them", {"site": 9})

    def state(store: GalleryStore) -> list[object]:
        ranking = store.search("people", ROWS[:1], Search(5), CHECKPOINT)
        shots = [store.shots("people", name) for name in ("ann", "bob", "cy")]
        return [store.list(), ranking, store.identities("people", None, 9), shots]

    before = state(store)
    store.close()
    reopened = place.open()

    assert state(reopened) == before
    reopened.close()


def test_the_same_picture_is_one_shot_of_a_person(store: GalleryStore) -> None:
    first = store.enrol("people", "ann", [NewShot(ROWS[0], "aa"), NewShot(ROWS[1], "bb")], CHECKPOINT)

    again = store.enrol(
        "people", "ann", [NewShot(ROWS[5], "bb"), NewShot(ROWS[6], "cc"), NewShot(ROWS[7], "cc")], CHECKPOINT
    )

    assert [shot.status for shot in again.shots] == ["duplicate", "created", "duplicate"]
    assert again.shots[0].shot_id == first.shots[1].shot_id
    assert again.shots[2].shot_id == again.shots[1].shot_id
    assert store.info("people").shots == 3


def test_without_a_picture_the_same_embedding_is_one_shot(store: GalleryStore) -> None:
    first = enrol(store, "ann", 0, 1)

    assert enrol(store, "ann", 1, 0) == first[::-1]
    assert store.info("people").shots == 2


def test_the_same_picture_of_another_person_is_another_shot(store: GalleryStore) -> None:
    ann = store.enrol("people", "ann", [NewShot(ROWS[0], "aa")], CHECKPOINT).shots[0]
    bob = store.enrol("people", "bob", [NewShot(ROWS[0], "aa")], CHECKPOINT).shots[0]

    assert (ann.status, bob.status) == ("created", "created")
    assert ann.shot_id != bob.shot_id


def test_the_version_counts_changes_and_nothing_else(store: GalleryStore) -> None:
    versions = []

    def step(version: int) -> None:
        versions.append((version, store.info("people").version))

    step(store.enrol("people", "ann", new_shots(ROWS[:2]), CHECKPOINT).gallery_version)
    step(store.enrol("people", "ann", new_shots(ROWS[:2]), CHECKPOINT).gallery_version)
    step(store.enrol("people", "ann", new_shots(ROWS[:2]), CHECKPOINT, label="Ann").gallery_version)
    step(store.put_identity("people", "bob", None, {}).version)
    step(store.put_identity("people", "bob", None, {}).version)
    step(store.update_identity("people", "bob", "Bob", None).version)
    step(store.update_identity("people", "bob", None, None).version)
    step(store.update("people", None, {"site": 1}).version)
    step(store.update("people", None, {"site": 1}).version)
    step(store.delete_shot("people", "ann", store.shots("people", "ann")[0].shot_id).gallery_version)
    step(store.delete_identity("people", "ann").gallery_version)

    assert versions == [(n, n) for n in (1, 1, 2, 3, 3, 4, 4, 5, 5, 6, 7)]


def test_a_label_is_kept_until_another_is_given(store: GalleryStore) -> None:
    store.enrol("people", "ann", new_shots(ROWS[:1]), CHECKPOINT, label="Ann")
    enrol(store, "ann", 1)
    assert store.identity("people", "ann").label == "Ann"

    store.enrol("people", "ann", new_shots(ROWS[2:3]), CHECKPOINT, label="Anna")

    assert store.identity("people", "ann").label == "Anna"
    assert store.search("people", ROWS[:1], Search(1), CHECKPOINT).identities[0].label == "Anna"


def test_a_shot_is_listed_as_it_was_enrolled(place: Place) -> None:
    store = place.open(clock=lambda: 1234.5)
    shot = NewShot(ROWS[0], "ab" * 32, "c3", 99.25, {"bib": "é\u2028", "n": [1, None]}, 0.5)
    shot_id = store.enrol("people", "ann", [shot], CHECKPOINT).shots[0].shot_id

    (listed,) = store.shots("people", "ann")

    assert (listed.shot_id, listed.identity_id, listed.version, listed.created_at) == (shot_id, "ann", 1, 1234.5)
    assert (listed.image_sha256, listed.camera, listed.taken_at) == ("ab" * 32, "c3", 99.25)
    assert (listed.metadata, listed.quality) == ({"bib": "é\u2028", "n": [1, None]}, 0.5)
    store.close()


def test_identities_come_in_pages_in_order_of_ids(store: GalleryStore) -> None:
    for name in ("b", "a", "Z", "é", "c", "a-1"):
        store.put_identity("people", name, None, {})
    enrol(store, "c", 0, 1)

    pages = [store.identities("people", None, 4)]
    pages.append(store.identities("people", pages[0][-1].identity_id, 4))

    assert [[one.identity_id for one in page] for page in pages] == [["Z", "a", "a-1", "b"], ["c", "é"]]
    assert [one.shots for one in pages[1]] == [2, 0]
    assert store.identities("people", "é", 4) == []


def test_putting_replaces_and_patching_keeps_what_is_not_given(store: GalleryStore) -> None:
    store.put_identity("people", "ann", "Ann", {"a": 1})

    patched = store.update_identity("people", "ann", None, {"b": 2})
    assert (patched.label, patched.metadata) == ("Ann", {"b": 2})

    put = store.put_identity("people", "ann", None, {})
    assert (put.label, put.metadata, put.shots) == (None, {}, 0)


def test_someone_without_shots_is_listed_but_not_ranked(store: GalleryStore) -> None:
    (shot_id,) = enrol(store, "ann", 0)
    enrol(store, "bob", 1)
    store.delete_shot("people", "ann", shot_id)

    assert [one.identity_id for one in store.search("people", ROWS[:1], Search(5), CHECKPOINT).identities] == ["bob"]
    assert store.info("people").identities == 2
    enrol(store, "ann", 2)
    assert best(store, 2) == "ann"


def test_an_erased_identity_comes_back_only_when_enrolled_again(store: GalleryStore) -> None:
    old = enrol(store, "ann", 0)
    enrol(store, "bob", 1)

    receipt = store.delete_identity("people", "ann")

    assert receipt == ErasureReceipt("people", "ann", old, 0.0, 3)
    assert best(store, 0) == "bob"
    assert enrol(store, "ann", 0) != old
    assert best(store, 0) == "ann"


def test_galleries_are_apart(store: GalleryStore) -> None:
    store.create("others", "d" * 64, DIM, "Others", {"k": 1})
    enrol(store, "ann", 0)
    store.enrol("others", "ann", new_shots(ROWS[1:3]), "d" * 64)

    others = GalleryInfo("others", "d" * 64, DIM, 1, 2, 1, 0.0, "Others", {"k": 1})
    assert store.info("others") == others
    assert store.list() == [others, store.info("people")]
    assert store.names() == ["others", "people"]
    assert best(store, 0) == "ann"


def test_erasing_a_gallery_leaves_nothing_of_it(store: GalleryStore) -> None:
    store.create("others", CHECKPOINT, DIM)
    shots = store.enrol("others", "ann", new_shots(ROWS[1:3]), CHECKPOINT, once=Once("k", "f")).shots

    receipt = store.delete("others")

    assert receipt == ErasureReceipt("others", None, [shot.shot_id for shot in shots], 0.0, 2)
    assert store.names() == ["people"]
    created = store.create("others", "d" * 64, 8)
    assert (created.version, created.shots, created.identities, created.embedding_dim) == (0, 0, 0, 8)


def test_an_enrolment_sent_again_with_its_key_is_answered_as_the_first_time(store: GalleryStore) -> None:
    once = Once.of("k1", "ann", {}, [b"one", b"two", b"three"])
    notes: list[Metadata] = [{}, {"problem": "broken"}, {"quality": 0.5}]

    def send(number: int) -> Enrolment:
        return store.enrol("people", "ann", new_shots(ROWS[[number, 1]]), CHECKPOINT, once=once, notes=notes)

    assert store.recall("people", "ann", once) is None
    first = send(0)
    enrol(store, "bob", 5)
    store.delete_shot("people", "ann", first.shots[0].shot_id)

    notes = []
    assert send(0) == send(2) == store.recall("people", "ann", once) == first
    assert list(first.notes) == [{}, {"problem": "broken"}, {"quality": 0.5}]
    assert (store.info("people").shots, store.info("people").version) == (2, 3)


SENT: tuple[str, dict[str, object], list[bytes]] = ("ann", {"label": "Ann", "metadata": {"a": 1, "b": 2}}, [b"1", b"2"])


@pytest.mark.parametrize(
    "other",
    [
        ("bob", *SENT[1:]),
        ("ann", SENT[1] | {"label": "Anna"}, SENT[2]),
        ("ann", SENT[1] | {"camera": None}, SENT[2]),
        (*SENT[:2], [b"2", b"1"]),
        (*SENT[:2], [b"1", b"2", b""]),
        (*SENT[:2], [b"12"]),
    ],
    ids=["other identity", "other label", "one more field", "other order", "more pictures", "cut otherwise"],
)
def test_a_key_that_comes_with_something_else_is_refused(
    store: GalleryStore, other: tuple[str, dict[str, object], list[bytes]]
) -> None:
    store.enrol("people", "ann", new_shots(ROWS[:2]), CHECKPOINT, once=Once.of("k1", *SENT))

    with pytest.raises(IdempotencyConflict):
        store.recall("people", other[0], Once.of("k1", *other))
    with pytest.raises(IdempotencyConflict) as caught:
        store.enrol("people", other[0], new_shots(ROWS[:2]), CHECKPOINT, once=Once.of("k1", *other))

    assert (caught.value.gallery, caught.value.idempotency_key) == ("people", "k1")
    assert store.info("people").version == 1


def test_a_request_is_known_again_in_whatever_order_its_fields_come() -> None:
    turned = {"metadata": {"b": 2, "a": 1}, "label": "Ann"}

    assert Once.of("k", "ann", turned, SENT[2]) == Once.of("k", *SENT)


def test_a_key_is_forgotten_after_a_day(place: Place) -> None:
    now = [0.0]
    store = place.open(clock=lambda: now[0])
    once = Once("day", "f")

    def send() -> str:
        return store.enrol("people", "ann", new_shots(ROWS[:1]), CHECKPOINT, once=once).shots[0].status

    assert send() == "created"
    now[0] = 3600.0 * 24
    assert (send(), store.recall("people", "ann", once) is not None) == ("created", True)
    now[0] = 3600.0 * 25
    assert (store.recall("people", "ann", once), send()) == (None, "duplicate")
    store.close()


def erase(store: GalleryStore) -> None:
    store.delete_identity("people", "ann")


def expire(store: GalleryStore) -> None:
    store.update("people", None, None, Retention(1))
    store.sweep()
    store.update("people", None, None, Retention(None))


def move_away(store: GalleryStore) -> None:
    store.create("others", CHECKPOINT, DIM)
    store.transfer("people", "ann", "others")


@pytest.mark.parametrize("leave", [erase, expire, move_away])
def test_a_key_stays_spent_for_its_day_when_whom_it_enrolled_has_gone(
    place: Place, leave: Callable[[GalleryStore], None]
) -> None:
    now = [0.0]
    store = place.open(clock=lambda: now[0])
    once, other = Once.of("k", *SENT), Once.of("k", "bob", {}, [])

    def send(identity_id: str, once: Once) -> str:
        return store.enrol("people", identity_id, new_shots(ROWS[:1]), CHECKPOINT, once=once).shots[0].status

    send("ann", once)
    now[0] = 3600.0
    leave(store)

    for identity_id, late in (("ann", once), ("bob", other)):
        with pytest.raises(IdempotencyKeySpent):
            store.recall("people", identity_id, late)
        with pytest.raises(IdempotencyKeySpent):
            send(identity_id, late)
    assert store.info("people").identities == 0
    store.close()
    store = place.open(clock=lambda: 3600.0 * 25)
    assert send("ann", once) == "created"
    store.close()


def test_a_key_is_answered_as_before_where_its_identity_was_renamed_or_merged(store: GalleryStore) -> None:
    once = Once.of("k", *SENT)
    first = store.enrol("people", "ann", new_shots(ROWS[:1]), CHECKPOINT, once=once, notes=[{}])
    enrol(store, "bob", 1)

    store.rename("people", "ann", "anna")
    renamed = store.recall("people", "ann", once)
    store.merge("people", "bob", "anna")

    assert renamed == store.recall("people", "ann", once) == first
    store.delete_identity("people", "bob")
    with pytest.raises(IdempotencyKeySpent):
        store.recall("people", "ann", once)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.info("none"),
        lambda store: store.update("none", None, {}),
        lambda store: store.delete("none"),
        lambda store: store.enrol("none", "ann", new_shots(ROWS[:1]), CHECKPOINT),
        lambda store: store.recall("none", "ann", Once("k", "f")),
        lambda store: store.put_identity("none", "ann", None, {}),
        lambda store: store.identities("none", None, 5),
        lambda store: store.shots("none", "ann"),
        lambda store: store.search("none", ROWS[:1], Search(1), CHECKPOINT),
    ],
)
def test_an_unknown_gallery_is_named(store: GalleryStore, call: Callable[[GalleryStore], object]) -> None:
    with pytest.raises(UnknownGallery) as caught:
        call(store)
    assert caught.value.gallery == "none"


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.identity("people", "none"),
        lambda store: store.update_identity("people", "none", "N", None),
        lambda store: store.delete_identity("people", "none"),
        lambda store: store.shots("people", "none"),
        lambda store: store.delete_shot("people", "none", "s"),
    ],
)
def test_an_unknown_identity_is_named(store: GalleryStore, call: Callable[[GalleryStore], object]) -> None:
    with pytest.raises(UnknownIdentity) as caught:
        call(store)
    assert (caught.value.gallery, caught.value.identity_id) == ("people", "none")
    assert store.info("people").version == 0


def test_a_shot_of_someone_else_is_unknown(store: GalleryStore) -> None:
    enrol(store, "ann", 0)
    (of_bob,) = enrol(store, "bob", 1)

    with pytest.raises(UnknownShot) as caught:
        store.delete_shot("people", "ann", of_bob)

    assert (caught.value.identity_id, caught.value.shot_id) == ("ann", of_bob)
    assert store.info("people").shots == 2


def test_a_gallery_is_created_once(store: GalleryStore) -> None:
    enrol(store, "ann", 0)

    with pytest.raises(GalleryExists) as caught:
        store.create("people", CHECKPOINT, DIM)

    assert caught.value.gallery == "people"
    assert store.info("people").shots == 1


def test_embeddings_of_another_network_are_refused(store: GalleryStore) -> None:
    with pytest.raises(CheckpointMismatch) as enrolling:
        store.enrol("people", "ann", new_shots(ROWS[:1]), "d" * 64)
    with pytest.raises(CheckpointMismatch):
        store.search("people", ROWS[:1], Search(1), "d" * 64)

    assert (enrolling.value.expected, enrolling.value.given) == (CHECKPOINT, "d" * 64)
    assert store.info("people").version == 0


def test_embeddings_of_another_length_are_refused(store: GalleryStore) -> None:
    with pytest.raises(DimensionMismatch) as caught:
        store.enrol("people", "ann", new_shots(random_vectors(1, 0, dim=8)), CHECKPOINT)
    with pytest.raises(DimensionMismatch):
        store.search("people", random_vectors(1, 0, dim=8), Search(1), CHECKPOINT)

    assert (caught.value.expected, caught.value.given) == (DIM, 8)


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0, np.nan, np.inf])
def test_an_embedding_that_is_not_a_unit_vector_is_refused(store: GalleryStore, factor: float) -> None:
    rows = ROWS[:3].copy()
    rows[2] *= factor

    with pytest.raises(InvalidEmbedding) as caught:
        store.enrol("people", "ann", new_shots(rows), CHECKPOINT)
    with pytest.raises(InvalidEmbedding):
        store.search("people", rows, Search(1), CHECKPOINT)

    assert (caught.value.gallery, caught.value.index) == ("people", 2)
    assert store.info("people").identities == 0


def test_nothing_to_enrol_or_to_look_for_is_refused(store: GalleryStore) -> None:
    with pytest.raises(ValueError, match="no embeddings"):
        store.enrol("people", "ann", [], CHECKPOINT)
    with pytest.raises(ValueError, match="no embeddings"):
        store.search("people", ROWS[:0], Search(1), CHECKPOINT)
    with pytest.raises(ValueError, match="vector"):
        store.search("people", ROWS[0], Search(1), CHECKPOINT)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}, b"bytes"])
def test_metadata_that_is_not_json_is_refused(store: GalleryStore, value: object) -> None:
    store.put_identity("people", "ann", None, {})
    metadata = {"key": [value]}

    for call in (
        lambda: store.create("others", CHECKPOINT, DIM, None, metadata),
        lambda: store.update("people", None, metadata),
        lambda: store.put_identity("people", "bob", None, metadata),
        lambda: store.update_identity("people", "ann", None, metadata),
        lambda: store.enrol("people", "ann", [NewShot(ROWS[0], metadata=metadata)], CHECKPOINT),
    ):
        with pytest.raises(InvalidMetadata):
            call()

    assert (store.names(), store.info("people").version) == (["people"], 1)


def test_quality_is_a_share() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        NewShot(ROWS[0], quality=1.5)


def test_many_shots_are_enrolled_in_one_call(store: GalleryStore) -> None:
    rows = random_vectors(2500, seed=9)

    first = store.enrol("people", "ann", new_shots(rows[:1500]), CHECKPOINT)
    second = store.enrol("people", "ann", new_shots(rows), CHECKPOINT)

    assert (first.gallery_version, second.gallery_version, store.info("people").shots) == (1, 2, 2500)
    assert [shot.status for shot in second.shots] == ["duplicate"] * 1500 + ["created"] * 1000
    assert [shot.shot_id for shot in store.shots("people", "ann")] == [shot.shot_id for shot in second.shots]
    found = store.search("people", rows[-1:], Search(1), CHECKPOINT).identities[0]
    assert found.best_shot.shot_id == second.shots[-1].shot_id
