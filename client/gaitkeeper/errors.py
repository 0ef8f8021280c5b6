"""What can go wrong between a client and the server."""

import httpx
import msgspec


class GaitkeeperError(Exception):
    """Anything that a client raises."""


class UnreachableError(GaitkeeperError):
    """The server did not answer, after every attempt."""


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    type: str = "about:blank"
    field: str | None = None
    limit: float | None = None
    request_id: str | None = None


class ProblemError(GaitkeeperError):
    """The server refused a request (RFC 9457).

    Attributes:
        status: of HTTP.
        type: such as "/problems/image-too-large"; it never changes.
        title: the kind of problem in words.
        detail: what to change.
        field: of the request that is wrong, if one is.
        limit: that was passed, if one was.
        request_id: to find the request in the server's log.
        retry_after: seconds to wait before the next attempt, if the server says.
    """

    def __init__(self, response: httpx.Response) -> None:
        try:
            problem = msgspec.json.decode(response.content, type=_Problem)
        except msgspec.MsgspecError:
            problem = _Problem(title=response.reason_phrase, detail=response.text[:500])
        super().__init__(f"{response.status_code} {problem.title}: {problem.detail}")
        self.status, self.type = response.status_code, problem.type
        self.title, self.detail = problem.title, problem.detail
        self.field, self.limit, self.request_id = problem.field, problem.limit, problem.request_id
        self.retry_after = _seconds(response.headers.get("retry-after", ""))


def _seconds(header: str) -> float | None:
    return float(header) if header.isdecimal() else None
