"""A PostgreSQL database belongs to one service at a time, and comes back when its server does."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from app.cli import main
from app.gallery.database import Database
from app.gallery.domain import Search
from app.gallery.errors import StorageFailure
from app.gallery.gallery import GalleryStore
from tests.app.gallery.postgres import PostgresServer, postgres_server
from tests.app.gallery.support import CHECKPOINT, DIM, new_shots, random_vectors

ROWS = random_vectors(4, seed=8)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that may be stopped."""
    with postgres_server() as server:
        yield server


def enrol(store: GalleryStore, identity_id: str, row: int) -> None:
    store.enrol("people", identity_id, new_shots(ROWS[[row]]), CHECKPOINT)


def found(store: GalleryStore) -> set[str]:
    return {identity.identity_id for identity in store.search("people", ROWS, Search(9), CHECKPOINT).identities}


def test_a_second_service_is_refused_until_the_first_has_ended(postgres: PostgresServer) -> None:
    url = postgres.new_url()
    store = GalleryStore.open(None, url=url)

    with pytest.raises(StorageFailure, match="another process uses"):
        GalleryStore.open(None, url=url)

    store.close()
    GalleryStore.open(None, url=url).close()


def test_galleries_of_another_schema_are_another_service(postgres: PostgresServer) -> None:
    one, other = (GalleryStore.open(None, url=postgres.new_url()) for _ in range(2))
    one.create("people", CHECKPOINT, DIM)

    assert (one.names(), other.names()) == (["people"], [])
    one.close()
    other.close()


def test_every_commit_waits_for_the_disk(postgres: PostgresServer) -> None:
    database = Database(postgres.new_url() + "%20-csynchronous_commit%3Doff")
    for transaction in (database.read, database.write):
        with transaction() as connection:
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"
    database.close()


def test_a_killed_server_keeps_what_it_acknowledged_and_is_found_again(own_server: PostgresServer) -> None:
    store = GalleryStore.open(None, url=own_server.new_url())
    store.create("people", CHECKPOINT, DIM)
    enrol(store, "ann", 0)
    own_server.stop("immediate")

    with pytest.raises(StorageFailure):
        enrol(store, "bob", 1)
    assert found(store) == {"ann"}
    own_server.start()

    enrol(store, "cy", 2)
    assert found(store) == {"ann", "cy"}
    assert [identity.identity_id for identity in store.identities("people", None, 9)] == ["ann", "cy"]
    store.close()


def test_who_lost_the_database_to_another_service_writes_no_more(own_server: PostgresServer) -> None:
    url = own_server.new_url()
    store = GalleryStore.open(None, url=url)
    store.create("people", CHECKPOINT, DIM)
    own_server.stop("immediate")
    with pytest.raises(StorageFailure):
        enrol(store, "ann", 0)
    own_server.start()
    other = GalleryStore.open(None, url=url)
    enrol(other, "bob", 1)

    with pytest.raises(StorageFailure, match="another process uses"):
        enrol(store, "ann", 0)
    other.close()
    with pytest.raises(StorageFailure, match="restart the service"):
        enrol(store, "ann", 0)

    store.close()


def test_the_audit_trail_is_read_while_the_service_runs(postgres: PostgresServer) -> None:
    url = postgres.new_url()
    store = GalleryStore.open(None, url=url)
    store.create("people", CHECKPOINT, DIM)
    enrol(store, "ann", 0)

    arguments = ["audit", "verify", "--database-url", url.replace("+psycopg", "")]
    intact = CliRunner().invoke(main, arguments)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 2"))
    engine.dispose()
    changed = CliRunner().invoke(main, arguments)

    store.close()
    assert (intact.exit_code, intact.stdout.split()[:2]) == (0, ["2", "entries,"])
    assert (changed.exit_code, "entry 2 was changed" in changed.stderr) == (1, True)


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    with pytest.raises(StorageFailure, match="cannot be used") as caught:
        GalleryStore.open(None, url="postgresql+psycopg://nobody@/none?host=/nonexistent")

    assert "\n" not in str(caught.value)
