"""Which methods an address takes."""

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


def allowed_methods(routes: list[BaseRoute], scope: Scope) -> str:
    """The value of an Allow header for the address in `scope`: all that some route takes, HEAD and OPTIONS included.

    The router itself names the methods of one route alone.
    """
    taken = [
        method
        for method in METHODS
        if any(route.matches(dict(scope, method=method))[0] is Match.FULL for route in routes)
    ]
    return ", ".join(sorted([*taken, "OPTIONS", *(["HEAD"] if "GET" in taken else [])]))
