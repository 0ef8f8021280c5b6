"""One gallery at work: readers never wait, writers are never overtaken, and what went wrong is made good."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from app.gallery.changes import GalleryRow, Outcome
from app.gallery.database import Database
from app.gallery.domain import Enrolment, NewShot, Search
from app.gallery.enrolment import EnrolmentRequest
from app.gallery.faiss_index import FaissIndex
from app.gallery.live import LiveGallery
from app.gallery.records import Records
from tests.app.gallery.support import CHECKPOINT, DIM, ByHand, random_vectors

ROWS = random_vectors(60, seed=5)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    database = Database(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    yield Records(database, lambda: 0.0)
    database.close()


@pytest.fixture
def background() -> ByHand:
    return ByHand()


@pytest.fixture
def live(records: Records, background: ByHand) -> LiveGallery:
    row = records.create_gallery("people", CHECKPOINT, DIM, None, {})
    return LiveGallery(row, records, partial(FaissIndex.build, compact_after=3), background)


def request(number: int) -> EnrolmentRequest:
    return EnrolmentRequest(f"p{number}", [NewShot(ROWS[number])], ROWS[[number]], None, None)


def enrol(live: LiveGallery, records: Records, *numbers: int) -> None:
    for number in numbers:
        live.write(partial(records.enrol, request=request(number)))


def found(live: LiveGallery) -> set[str]:
    return {identity.identity_id for identity in live.view.search(ROWS[:1], Search(100)).identities}


def names(*numbers: int) -> set[str]:
    return {f"p{number}" for number in numbers}


def test_a_search_does_not_wait_for_a_writer(live: LiveGallery, records: Records) -> None:
    enrol(live, records, 0)
    seen = []

    def look_then_enrol(row: GalleryRow) -> Outcome[Enrolment]:
        seen.append(found(live))
        outcome = records.enrol(row, request(1))
        seen.append(found(live))
        return outcome

    live.write(look_then_enrol)

    assert seen == [names(0), names(0)]
    assert found(live) == names(0, 1)


def test_what_is_written_during_compaction_is_kept(live: LiveGallery, records: Records, background: ByHand) -> None:
    enrol(live, records, *range(8))
    assert len(background.waiting) == 1
    live.write(partial(records.erase_identity, identity_id="p2"))
    enrol(live, records, 8, 2)
    assert len(live.view.index) == 9

    background.run()

    assert found(live) == names(*range(9))
    assert isinstance(live.view.index, FaissIndex)
    assert len(live.view.index.base) == 4
    assert live.view.info() == LiveGallery(live.view.gallery, records, FaissIndex.build, background).view.info()


def test_compaction_is_asked_for_again_once_it_is_wanted_again(
    live: LiveGallery, records: Records, background: ByHand
) -> None:
    enrol(live, records, *range(4))
    background.run()
    enrol(live, records, 4, 5, 6)
    assert background.waiting == []

    enrol(live, records, 7)

    assert len(background.waiting) == 1


def test_a_view_that_missed_a_commit_is_built_anew(
    live: LiveGallery, records: Records, background: ByHand, caplog: pytest.LogCaptureFixture
) -> None:
    enrol(live, records, 0)
    live.write(partial(records.update_gallery, label="All", metadata=None))
    records.enrol(live.view.gallery, request(1))
    assert found(live) == names(0)

    enrol(live, records, 2)

    assert found(live) == names(0, 1, 2)
    assert (live.view.info().label, live.view.info().version) == ("All", 4)
    assert "rebuilt" in caplog.text


def test_a_view_that_was_built_anew_is_not_replaced_by_an_older_compaction(
    live: LiveGallery, records: Records, background: ByHand, caplog: pytest.LogCaptureFixture
) -> None:
    enrol(live, records, *range(5))
    records.enrol(live.view.gallery, request(5))
    enrol(live, records, 6)

    background.run()

    assert "not compacted" in caplog.text
    assert found(live) == names(*range(7))


def test_a_compaction_that_fails_harms_nothing(
    records: Records, background: ByHand, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FaissIndex):
        def compacted(self) -> FaissIndex:
            raise MemoryError

    row = records.create_gallery("people", CHECKPOINT, DIM, None, {})
    live = LiveGallery(row, records, partial(Broken.build, compact_after=1), background)
    enrol(live, records, 0, 1, 2)

    background.run()
    enrol(live, records, 3)

    assert "not compacted" in caplog.text
    assert found(live) == names(0, 1, 2, 3)
    assert len(background.waiting) == 1


def test_writers_of_one_gallery_take_turns(live: LiveGallery, records: Records) -> None:
    threads = [threading.Thread(target=enrol, args=(live, records, *range(at, 40, 4))) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found(live) == names(*range(40))
    assert live.view.index.version == 40
