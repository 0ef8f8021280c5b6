"""Tables of earlier releases, brought up to this one. Functions here run within the caller's transaction."""

from sqlalchemy import Connection, insert, select, text, update

from app.gallery.errors import StorageFailure
from app.gallery.schema import SCHEMA_VERSION, metadata, schema_versions

# What turns the tables of a version into those of the next.
UPGRADES = {
    1: (
        "ALTER TABLE galleries ADD COLUMN ttl_seconds DOUBLE PRECISION",
        "CREATE INDEX ix_shots_created_at ON shots (gallery_key, created_at)",
    ),
    2: (
        "ALTER TABLE galleries ADD COLUMN quality VARCHAR DEFAULT 'off' NOT NULL",
        # They were of another form; galleries go back to the checkpoint's until they are calibrated again.
        "DELETE FROM calibrations",
    ),
}


def prepare_tables(connection: Connection) -> None:
    """Make the tables, or bring them up to this release.

    Raises:
        StorageFailure: they are of a release that this one does not know.
    """
    metadata.create_all(connection)
    found = connection.scalar(select(schema_versions.c.version))
    if found is None:
        connection.execute(insert(schema_versions).values(version=SCHEMA_VERSION))
        return
    for version in range(found, SCHEMA_VERSION):
        for statement in UPGRADES[version]:
            connection.execute(text(statement))
    if found > SCHEMA_VERSION:
        raise StorageFailure(f"the tables are of version {found}; this release knows {SCHEMA_VERSION}")
    connection.execute(update(schema_versions).values(version=SCHEMA_VERSION))
