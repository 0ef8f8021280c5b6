"""The networks: everything that would still make sense if there were no server."""

from models.catalog import create, names

__all__ = ["create", "names"]
