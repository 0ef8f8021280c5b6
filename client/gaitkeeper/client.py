"""`Client` and `AsyncClient`: one method an endpoint."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx
import msgspec

from gaitkeeper import calls, results
from gaitkeeper.calls import Box, Call, Picture
from gaitkeeper.errors import ProblemError, UnreachableError
from gaitkeeper.retry import BROKEN, REFUSED, Retry

Result = TypeVar("Result")
DEFAULT = "default"
PAGE = 500


class Client:
    """Talks to a server, one request after the other; safe to share between threads.

    Args:
        url: of the server.
        api_key: sent as `Authorization: Bearer`, if the server asks for keys.
        timeout_seconds: of one attempt.
        retry: when to send again.
        transport: of httpx, to reach the server in another way.

    Every method raises `ProblemError` for a refusal and `UnreachableError` where there is no answer.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        timeout_seconds: float = 30.0,
        retry: Retry | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retry = retry or Retry()
        self._http = httpx.Client(base_url=url, headers=_headers(api_key), timeout=timeout_seconds, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def embed(self, pictures: Sequence[Picture]) -> results.Embeddings:
        """Embeddings of crops of persons."""
        return self.send(calls.embed(pictures))

    def query(self, pictures: Sequence[Picture], gallery: str = DEFAULT, **options: object) -> results.QueryAnswer:
        """Rank a gallery's identities for crops of ONE person; options are the endpoint's fields, such as limit."""
        return self.send(calls.query(pictures, gallery, options))

    def verify(self, a: Sequence[Picture], b: Sequence[Picture]) -> results.Verification:
        """Whether two sets of crops show one person."""
        return self.send(calls.verify(a, b))

    def pose(
        self, pictures: Sequence[Picture], boxes: Sequence[Sequence[Box]] | None = None, **options: object
    ) -> results.Poses:
        """Keypoints of everybody in some pictures; boxes, if given, are those of each picture (x1, y1, x2, y2)."""
        return self.send(calls.pose(pictures, boxes, options))

    def render_pose(self, picture: Picture, **options: object) -> bytes:
        """A picture with skeletons drawn in, as PNG."""
        return self.send(calls.render_pose(picture, options))

    def gait_age(
        self,
        silhouettes: Sequence[Picture] | Picture | None = None,
        gei: Picture | None = None,
        video: Picture | None = None,
        **options: object,
    ) -> results.GaitAge:
        """Age from silhouettes in order (pictures, or one zip or npz file), from one GEI, or from a video."""
        return self.send(calls.gait_age(calls.gait_files(silhouettes, gei, video), options))

    def enrol(
        self,
        identity: str,
        pictures: Sequence[Picture],
        gallery: str = DEFAULT,
        idempotency_key: str | None = None,
        **options: object,
    ) -> results.Enrolled:
        """Add crops of one person; what is answered "created" is on disk."""
        return self.send(calls.enrol(identity, pictures, gallery, idempotency_key, options))

    def shots(self, identity: str, gallery: str = DEFAULT) -> results.Shots:
        """The crops of one identity."""
        return self.send(calls.shots(identity, gallery))

    def identities(self, gallery: str = DEFAULT) -> Iterator[results.Identity]:
        """Everybody in a gallery, fetched page by page."""
        cursor: str | None = None
        while True:
            page = self.send(calls.identity_page(gallery, cursor, PAGE))
            yield from page.identities
            if (cursor := page.next_cursor) is None:
                return

    def erase_identity(self, identity: str, gallery: str = DEFAULT) -> results.ErasureReceipt:
        """Erase a person with all crops."""
        return self.send(calls.erase(gallery, identity))

    def erase_shot(self, identity: str, shot: str, gallery: str = DEFAULT) -> results.ErasureReceipt:
        """Erase one crop."""
        return self.send(calls.erase(gallery, identity, shot))

    def erase_gallery(self, gallery: str) -> results.ErasureReceipt:
        """Erase a gallery with everyone in it."""
        return self.send(calls.erase(gallery))

    def create_gallery(
        self, name: str, label: str | None = None, metadata: Mapping[str, Any] | None = None, **options: object
    ) -> results.Gallery:
        """Make a new gallery; options are the other fields of its request, such as `ttl_seconds` and `quality`."""
        return self.send(calls.create_gallery(name, label, metadata or {}, options))

    def gallery(self, name: str = DEFAULT) -> results.Gallery:
        """A gallery's counts and version."""
        return self.send(calls.gallery(name))

    def galleries(self) -> list[results.Gallery]:
        """All galleries."""
        return self.send(calls.galleries())

    def models(self) -> results.Models:
        """What the server answers with, and what may be done with it."""
        return self.send(calls.models())

    def embed_all(self, pictures: Sequence[Picture], per_request: int = 32) -> Iterator[results.Embedding]:
        """Embeddings of any number of crops, in order; each one's index is its place in `pictures`."""
        for start in range(0, len(pictures), per_request):
            for found in self.embed(pictures[start : start + per_request]).embeddings:
                yield msgspec.structs.replace(found, index=start + found.index)

    def enrol_all(
        self, people: Mapping[str, Sequence[Picture]], gallery: str = DEFAULT, **options: object
    ) -> Iterator[results.Enrolled]:
        """Enrol many people, one request each; a refusal ends it, and what was yielded is on disk."""
        for identity, pictures in people.items():
            yield self.send(calls.enrol(identity, pictures, gallery, None, options))

    def send(self, call: Call[Result]) -> Result:
        """Send a call of `gaitkeeper.calls`, again where that is allowed; the other methods do."""
        request, attempt = _request(self._http, call), 0
        while True:
            attempt += 1
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                pause = self._retry.pause(attempt, None) if call.repeatable else None
                if pause is None:
                    raise UnreachableError(f"no answer from {request.url}: {error or type(error).__name__}") from error
            else:
                if response.is_success:
                    return _decoded(response, call)
                pause = _pause_before_retry(self._retry, call, attempt, problem := ProblemError(response))
                if pause is None:
                    raise problem
            time.sleep(pause)


class AsyncClient:
    """The same methods as `Client`, to await; many requests may run at once."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        timeout_seconds: float = 30.0,
        retry: Retry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retry = retry or Retry()
        self._http = httpx.AsyncClient(
            base_url=url, headers=_headers(api_key), timeout=timeout_seconds, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def embed(self, pictures: Sequence[Picture]) -> results.Embeddings:
        """See `Client.embed`."""
        return await self.send(await asyncio.to_thread(calls.embed, pictures))

    async def query(
        self, pictures: Sequence[Picture], gallery: str = DEFAULT, **options: object
    ) -> results.QueryAnswer:
        """See `Client.query`."""
        return await self.send(await asyncio.to_thread(calls.query, pictures, gallery, options))

    async def verify(self, a: Sequence[Picture], b: Sequence[Picture]) -> results.Verification:
        """See `Client.verify`."""
        return await self.send(await asyncio.to_thread(calls.verify, a, b))

    async def pose(
        self, pictures: Sequence[Picture], boxes: Sequence[Sequence[Box]] | None = None, **options: object
    ) -> results.Poses:
        """See `Client.pose`."""
        return await self.send(await asyncio.to_thread(calls.pose, pictures, boxes, options))

    async def render_pose(self, picture: Picture, **options: object) -> bytes:
        """See `Client.render_pose`."""
        return await self.send(await asyncio.to_thread(calls.render_pose, picture, options))

    async def gait_age(
        self,
        silhouettes: Sequence[Picture] | Picture | None = None,
        gei: Picture | None = None,
        video: Picture | None = None,
        **options: object,
    ) -> results.GaitAge:
        """See `Client.gait_age`."""
        files = await asyncio.to_thread(calls.gait_files, silhouettes, gei, video)
        return await self.send(calls.gait_age(files, options))

    async def enrol(
        self,
        identity: str,
        pictures: Sequence[Picture],
        gallery: str = DEFAULT,
        idempotency_key: str | None = None,
        **options: object,
    ) -> results.Enrolled:
        """See `Client.enrol`."""
        call = await asyncio.to_thread(calls.enrol, identity, pictures, gallery, idempotency_key, options)
        return await self.send(call)

    async def shots(self, identity: str, gallery: str = DEFAULT) -> results.Shots:
        """See `Client.shots`."""
        return await self.send(calls.shots(identity, gallery))

    async def identities(self, gallery: str = DEFAULT) -> AsyncIterator[results.Identity]:
        """See `Client.identities`."""
        cursor: str | None = None
        while True:
            page = await self.send(calls.identity_page(gallery, cursor, PAGE))
            for identity in page.identities:
                yield identity
            if (cursor := page.next_cursor) is None:
                return

    async def erase_identity(self, identity: str, gallery: str = DEFAULT) -> results.ErasureReceipt:
        """See `Client.erase_identity`."""
        return await self.send(calls.erase(gallery, identity))

    async def erase_shot(self, identity: str, shot: str, gallery: str = DEFAULT) -> results.ErasureReceipt:
        """See `Client.erase_shot`."""
        return await self.send(calls.erase(gallery, identity, shot))

    async def erase_gallery(self, gallery: str) -> results.ErasureReceipt:
        """See `Client.erase_gallery`."""
        return await self.send(calls.erase(gallery))

    async def create_gallery(
        self, name: str, label: str | None = None, metadata: Mapping[str, Any] | None = None, **options: object
    ) -> results.Gallery:
        """See `Client.create_gallery`."""
        return await self.send(calls.create_gallery(name, label, metadata or {}, options))

    async def gallery(self, name: str = DEFAULT) -> results.Gallery:
        """See `Client.gallery`."""
        return await self.send(calls.gallery(name))

    async def galleries(self) -> list[results.Gallery]:
        """See `Client.galleries`."""
        return await self.send(calls.galleries())

    async def models(self) -> results.Models:
        """See `Client.models`."""
        return await self.send(calls.models())

    async def enrol_all(
        self, people: Mapping[str, Sequence[Picture]], gallery: str = DEFAULT, at_once: int = 8, **options: object
    ) -> list[results.Enrolled | Exception]:
        """Enrol many people, some at once; the outcome of each, in order, is an answer or what it failed with."""
        free = asyncio.Semaphore(at_once)

        async def one(identity: str, pictures: Sequence[Picture]) -> results.Enrolled:
            async with free:
                return await self.send(await asyncio.to_thread(calls.enrol, identity, pictures, gallery, None, options))

        tasks = (one(identity, pictures) for identity, pictures in people.items())
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return cast("list[results.Enrolled | Exception]", outcomes)

    async def send(self, call: Call[Result]) -> Result:
        """Send a call of `gaitkeeper.calls`, again where that is allowed; the other methods do."""
        request, attempt = _request(self._http, call), 0
        while True:
            attempt += 1
            try:
                response = await self._http.send(request)
            except httpx.TransportError as error:
                pause = self._retry.pause(attempt, None) if call.repeatable else None
                if pause is None:
                    raise UnreachableError(f"no answer from {request.url}: {error or type(error).__name__}") from error
            else:
                if response.is_success:
                    return _decoded(response, call)
                pause = _pause_before_retry(self._retry, call, attempt, problem := ProblemError(response))
                if pause is None:
                    raise problem
            await asyncio.sleep(pause)


def _headers(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _request(http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
    return http.build_request(
        call.method,
        call.path,
        params=call.params or None,
        data=call.fields or None,
        files=call.files or None,
        json=call.body,
        content=call.content,
        headers=call.headers,
    )


def _pause_before_retry(retry: Retry, call: Call[Any], attempt: int, problem: ProblemError) -> float | None:
    if not (problem.status in REFUSED or (call.repeatable and problem.status in BROKEN)):
        return None
    return retry.pause(attempt, problem.retry_after)


def _decoded(response: httpx.Response, call: Call[Result]) -> Result:
    if call.result is bytes:
        return cast("Result", response.content)
    return msgspec.json.decode(response.content, type=call.result)
