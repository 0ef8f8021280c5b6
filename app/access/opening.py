"""Whether a service may start, and whom it lets in."""

import ipaddress
from pathlib import Path
from typing import Literal

from app.access.gate import Gate
from app.access.keys import KeyStore

Mode = Literal["auto", "keys", "open"]


class UnsafeStartError(ValueError):
    """The service would answer strangers."""


def keys_url(data_dir: Path) -> str:
    """Where a service without a database by URL keeps its keys: a file for its owner alone, made if it is not there."""
    file = data_dir.resolve() / "keys.sqlite"
    file.touch(mode=0o600)
    return f"sqlite:///{file}"


def open_gate(mode: Mode, host: str, store: KeyStore) -> Gate:
    """Decide whom a service lets in.

    Args:
        mode: "keys" asks everybody for a key, "open" nobody; "auto" asks for keys once there are any, and without keys
            is open on loopback alone.
        host: address that the service listens on.
        store: the keys.

    Raises:
        UnsafeStartError: "auto", no keys, and the address can be reached from elsewhere; or "keys" and there are none.
    """
    if mode == "open":
        return Gate(None)
    if store.count():
        return Gate(store)
    if mode == "auto" and is_loopback(host):
        return Gate(None)
    make = "make one with `gaitkeeper keys create NAME --scope admin`"
    if mode == "keys":
        raise UnsafeStartError(f"the setting access is 'keys', but there are none; {make}")
    raise UnsafeStartError(
        f"{host} can be reached from other machines and there are no API keys; {make}, or let everybody in with "
        "GAITKEEPER_ACCESS=open"
    )


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
