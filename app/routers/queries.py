"""Query parameters that a route does not know."""

from collections import Counter

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from app.errors import INVALID_FIELD, ProblemError
from app.strict_json import MAX_ECHO
from app.uploads import RAW_IMAGES


async def _refuse_unknown(request: Request) -> None:
    given = Counter(name for name, _ in request.query_params.multi_items())
    if not given:
        return
    twice = sorted(name for name, count in given.items() if count > 1)
    if twice:
        name = twice[0][:MAX_ECHO]
        raise ProblemError(INVALID_FIELD, f"the query parameter {name} came more than once", field=name)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() in RAW_IMAGES:
        return  # beside a raw picture, the query holds the option fields, which the route itself checks
    known = _known(request.scope["route"])
    unknown = sorted(given.keys() - known)
    if unknown:
        name, takes = unknown[0][:MAX_ECHO], ", ".join(sorted(known)) or "none"
        detail = f"the query parameter {name} is unknown; known here: {takes}"
        raise ProblemError(INVALID_FIELD, detail, field=name)


def _known(route: APIRoute) -> set[str]:
    parameters = get_flat_params(route.dependant)
    return {parameter.alias for parameter in parameters if isinstance(parameter.field_info, Query)}


KNOWN_QUERY = Depends(_refuse_unknown)
"""A dependency of every route: the query holds only what it takes, and each once."""
