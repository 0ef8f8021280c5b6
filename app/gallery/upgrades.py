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
    3: (
        # Keys were told from each other by other means; what is sent again is found by its pictures.
        "DROP TABLE idempotency_keys",
        "ALTER TABLE calibrations ADD COLUMN stale_since DOUBLE PRECISION",
        "ALTER TABLE calibrations ADD COLUMN last_shot BIGINT DEFAULT 0 NOT NULL",
        "UPDATE calibrations SET last_shot = (SELECT COALESCE(MAX(shots.key), 0) FROM shots"
        " WHERE shots.gallery_key = calibrations.gallery_key AND shots.version <= calibrations.gallery_version)",
    ),
}


def prepare_tables(connection: Connection) -> None:
    """Make the tables, or bring them up to this release.

    Raises:
        StorageFailure: they are of a release that this one does not know.
    """
    schema_versions.create(connection, checkfirst=True)
    found = connection.scalar(select(schema_versions.c.version))
    if found is None:
        found = SCHEMA_VERSION
        connection.execute(insert(schema_versions).values(version=found))
    if found > SCHEMA_VERSION:
        raise StorageFailure(f"the tables are of version {found}; this release knows {SCHEMA_VERSION}")
    for version in range(found, SCHEMA_VERSION):
        for statement in UPGRADES[version]:
            connection.execute(text(statement))
    connection.execute(update(schema_versions).values(version=SCHEMA_VERSION))
    metadata.create_all(connection)
