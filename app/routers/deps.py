"""What routes ask for."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ValidationError

from app.errors import INVALID_FIELD, MALFORMED, ProblemError
from app.pipelines.reid import Embedded, ReidPipeline
from app.routers.access import caller_of
from app.routers.admission import carries, let_in
from app.runtime import Runtime
from app.schemas.common import ItemStatus, Problem, item_statuses
from app.strict_json import MAX_ECHO
from app.uploads import Upload, read_upload


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


# FastAPI calls what is no coroutine in a thread, which costs every request as much as decoding its picture.
async def _running(request: Request) -> Runtime:
    return _runtime(request)


async def _reid(request: Request) -> ReidPipeline:
    return _runtime(request).reid


Options = TypeVar("Options", bound=BaseModel)
Running = Annotated[Runtime, Depends(_running)]
Reid = Annotated[ReidPipeline, Depends(_reid)]
PageSize = Annotated[int, Query(ge=1, le=1000)]


def reply(body: BaseModel, status: int = 200) -> Response:
    """A JSON response straight from pydantic's serialiser; FastAPI's own encoder costs many times more."""
    return Response(body.model_dump_json(), status, media_type="application/json")


async def upload_of(request: Request, image_fields: tuple[str, ...] = ("image",)) -> Upload:
    """Let a request for inference in, and read its pictures and fields within the service's limits."""
    let_in(request)
    upload = await read_upload(request, _runtime(request).upload_limits, image_fields)
    items = sum(map(len, upload.files.values()))
    await _runtime(request).doorway.quotas.spend(caller_of(request).name, "images", items)
    carries(request, items)
    return upload


def statuses_of(request: Request, embedded: Embedded) -> list[ItemStatus]:
    """What became of each picture, with the problems of those that failed."""
    return item_statuses(embedded, [_body(item, request) for item in embedded.items])


def problem_of(item: ProblemError, request: Request) -> Problem:
    """The problem of one item of a request."""
    return Problem(**item.body(request))


def _body(item: object, request: Request) -> dict[str, Any] | None:
    return item.body(request) if isinstance(item, ProblemError) else None


def parse_fields(options: type[Options], fields: dict[str, Any], is_text: bool = False) -> Options:
    """Check the fields of a body, in which numbers are numbers; or text, as in a form and in an address.

    Raises:
        ProblemError: the first field that does not fit, with what it must be.
    """
    try:
        return options.model_validate(fields, strict=None if is_text else True)
    except ValidationError as error:
        raise invalid_field(error.errors()) from None


# The framework's own words for these name classes; the last is of a body, perhaps of another content type.
NO_OBJECT = {
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object, sent as application/json",
}


def invalid_field(errors: Sequence[Any]) -> ProblemError:
    """The problem for pydantic's findings: names the first field and what it must be."""
    first = errors[0]
    path = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    name = path[0][:MAX_ECHO] if path else "body"
    context = first.get("ctx", {})
    if first["type"] == "missing" and not path:
        return ProblemError(MALFORMED, "the body is empty; send a JSON object", field=name)
    said = NO_OBJECT.get(first["type"], first["msg"].removeprefix("Value error, "))
    limit = next((context[key] for key in ("le", "lt", "ge", "gt", "max_length") if key in context), None)
    return ProblemError(INVALID_FIELD, f"{name}: {said}", field=name, limit=limit)
