"""JSON bodies that mean one thing only."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.edge.bodies import BodyError
from app.errors import ProblemError
from app.uploads import parse_json


class _StrictRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401  the framework's own signature
        try:
            return parse_json(await self.body())
        except ProblemError as problem:
            raise BodyError(problem) from None


class StrictRoute(APIRoute):
    """A route whose JSON body is refused if an object in it has a key twice, as uploads are."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What serves a request."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly
