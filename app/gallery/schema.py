"""The tables. Galleries, identities and shots are the truth; everything else about a gallery is computed from them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 4

# Order and equality by code point on every database, as in Python.
_Text = String().with_variant(String(collation="C"), "postgresql")
# SQLite counts rows without reusing numbers only where the key is declared INTEGER.
_Key = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

schema_versions = Table("schema_versions", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

# Services that have used a database by URL, one after the other.
openings = Table("openings", metadata, Column("number", BigInteger, primary_key=True, autoincrement=False))

galleries = Table(
    "galleries",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("name", _Text, nullable=False, unique=True),
    Column("checkpoint", _Text, nullable=False),
    Column("embedding_dim", Integer, nullable=False),
    Column("label", _Text),
    Column("metadata", JSON, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("ttl_seconds", Float(53)),
    Column("quality", _Text, nullable=False, server_default="off"),
    sqlite_autoincrement=True,
)

identities = Table(
    "identities",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("gallery_key", ForeignKey(galleries.c.key), nullable=False),
    Column("identity_id", _Text, nullable=False),
    Column("label", _Text),
    Column("metadata", JSON, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    UniqueConstraint("gallery_key", "identity_id"),
    sqlite_autoincrement=True,
)

# A slot is overwritten with zeros when its shot is erased, and used again; its row is never deleted. SQLite moves rows
# between pages when it deletes, and what it leaves behind in the old place outlives `secure_delete`.
embeddings = Table(
    "embeddings",
    metadata,
    Column("slot", _Key, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

free_slots = Table(
    "free_slots",
    metadata,
    Column("slot", ForeignKey(embeddings.c.slot), primary_key=True),
    Column("embedding_dim", Integer, nullable=False, index=True),
)

shots = Table(
    "shots",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("gallery_key", ForeignKey(galleries.c.key), nullable=False),
    Column("identity_key", ForeignKey(identities.c.key), nullable=False),
    Column("shot_id", _Text, nullable=False),
    Column("content_id", _Text, nullable=False),
    Column("image_sha256", _Text),
    Column("camera", _Text),
    Column("taken_at", Float(53)),
    Column("metadata", JSON, nullable=False),
    Column("quality", Float(53), nullable=False),
    Column("slot", ForeignKey(embeddings.c.slot), nullable=False, unique=True),
    Column("checksum", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    UniqueConstraint("gallery_key", "shot_id"),
    UniqueConstraint("identity_key", "content_id"),
    Index("ix_shots_created_at", "gallery_key", "created_at"),
    sqlite_autoincrement=True,
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("gallery_key", ForeignKey(galleries.c.key), primary_key=True),
    Column("report", JSON, nullable=False),
    Column("gallery_version", BigInteger, nullable=False),
    Column("shots", BigInteger, nullable=False),
    Column("last_shot", BigInteger, nullable=False),
    Column("fitted_at", Float(53), nullable=False),
    Column("stale_since", Float(53)),
)

# Clients may write names into their keys. Once the identity is gone nothing is left but the digest.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("gallery_key", ForeignKey(galleries.c.key), primary_key=True),
    Column("key_digest", _Text, primary_key=True),
    Column("identity_key", ForeignKey(identities.c.key), index=True),
    Column("fingerprint", _Text),
    Column("answer", JSON(none_as_null=True)),
    Column("created_at", Float(53), nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
)
