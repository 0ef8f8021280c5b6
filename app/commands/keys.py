"""`gaitkeeper keys …`: API keys of a service."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from app.access.callers import Scope, parse_scopes
from app.access.keys import Key, KeyStore
from app.access.opening import keys_url
from app.commands.console import fail, say
from app.gallery.names import NAME_RULE, is_name
from app.settings import with_driver

keys = typer.Typer(no_args_is_help=True, help="API keys: who may do what, and where.")
ALL_SCOPES = ", ".join(scope.value for scope in Scope)
DataDir = Annotated[Path, typer.Option(help="Data folder of the service.", envvar="GAITKEEPER_DATA_DIR")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="Database of the service, if it has one.", envvar="GAITKEEPER_DATABASE_URL")
]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will hold it, for people.")],
    scope: Annotated[list[str], typer.Option(help=f"Of {ALL_SCOPES}; repeatable.")],
    gallery: Annotated[
        list[str] | None, typer.Option(help="Gallery that the key is bound to; repeatable.", show_default="every one")
    ] = None,
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and print it. It cannot be shown again: only its hash is kept."""
    try:
        scopes, galleries = parse_scopes(scope), _galleries(gallery)
        if Scope.ADMIN in scopes and galleries:
            raise ValueError("a key with the scope 'admin' cannot be bound to galleries")
        with _store(data_dir, database_url) as store:
            text = store.create(name, scopes, galleries)
    except (ValueError, OSError, SQLAlchemyError) as error:
        fail(str(error))
    say(str(text))


@keys.command(name="list")
def list_(
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the keys, without their secrets."""
    if database_url is None and not data_dir.is_dir():
        fail(f"there is no folder {data_dir}")
    try:
        with _store(data_dir, database_url) as store:
            found = store.list()
    except (ValueError, OSError, SQLAlchemyError) as error:
        fail(str(error))
    if as_json:
        say(json.dumps([_described(key) for key in found]))
        return
    say(f"{'ID':14} {'STATE':8} {'MADE':10}  {'SCOPES':32} {'GALLERIES':24} NAME")
    for key in found:
        made = time.strftime("%Y-%m-%d", time.gmtime(key.created_at))
        scopes = ",".join(sorted(key.scopes))
        galleries = "every one" if key.galleries is None else ",".join(sorted(key.galleries))
        say(f"{key.key_id:14} {_state(key):8} {made}  {scopes:32} {galleries:24} {key.name}")


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id that `keys list` shows.")],
    data_dir: DataDir = Path("data"),
    database_url: DatabaseUrl = None,
) -> None:
    """End a key; running servers refuse it from their next request on."""
    try:
        with _store(data_dir, database_url) as store:
            revoked = store.revoke(key_id)
    except (ValueError, OSError, SQLAlchemyError) as error:
        fail(str(error))
    if not revoked:
        fail(f"there is no key {key_id!r} that is not revoked")
    say(f"revoked {key_id}")


def _galleries(names: list[str] | None) -> frozenset[str] | None:
    """What a key is bound to. A gallery need not be there yet, but a gallery of that name must be possible."""
    if not names:
        return None
    if wrong := [name for name in names if not is_name(name)]:
        raise ValueError(f"--gallery is {wrong[0]!r}; a gallery's name has {NAME_RULE}")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"--gallery {repeated[0]!r} is given twice")
    return frozenset(names)


def _store(data_dir: Path, database_url: str | None) -> KeyStore:
    if database_url is not None:
        return KeyStore(with_driver(database_url))
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return KeyStore(keys_url(data_dir))


def _state(key: Key) -> str:
    return "revoked" if key.revoked_at else "valid"


def _described(key: Key) -> dict[str, object]:
    values = vars(key) | {"scopes": sorted(key.scopes), "galleries": key.galleries and sorted(key.galleries)}
    return {"state": _state(key), **{name: value for name, value in values.items() if name != "hash"}}
