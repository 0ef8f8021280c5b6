"""Watches every request: counts it, times its stages, logs it, traces it."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.metrics import Metrics
from app.telemetry.stages import Stage, collect_stages, slowest

log = logging.getLogger("gaitkeeper.requests")


class Tracer(Protocol):
    """Who exports finished requests."""

    def report(
        self, headers: Mapping[str, str], name: str, status: int, span: tuple[float, float], stages: Sequence[Stage]
    ) -> None:
        """Export a request: headers, route, status, its begin and end, its stages."""


@dataclass
class Visit:
    """One request as it went.

    Attributes:
        started: reading of `time.perf_counter`.
        stages: what its work was.
        status: of the answer; 499, as nginx has it, if the client left before there was one.
    """

    started: float
    stages: list[Stage] = field(default_factory=list)
    status: int = 499


class Observed:
    """Adds `Server-Timing` to answers that took work, and reports each request by its route, never by its address.

    Addresses name galleries and identities; routes do not.

    Args:
        app: what serves.
        metrics: where requests are counted.
        tracer: None if nobody traces.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, tracer: Tracer | None) -> None:
        self._app, self._metrics, self._tracer = app, metrics, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(time.perf_counter(), collect_stages())

        async def send_with_timing(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                if visit.stages:
                    MutableHeaders(scope=message)["server-timing"] = server_timing(visit)
            await send(message)

        with self._metrics.requests_in_flight.track_inprogress():
            try:
                await self._app(scope, receive, send_with_timing)
            finally:
                self._report(scope, visit, time.perf_counter())

    def _report(self, scope: Scope, visit: Visit, ended: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        seconds = ended - visit.started
        self._metrics.requests.labels(scope["method"], route, str(visit.status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        for name, spent in slowest(visit.stages).items():
            self._metrics.stage_seconds.labels(route, name).observe(spent)
        level = logging.WARNING if visit.status == 500 else logging.DEBUG
        facts = {"method": scope["method"], "route": route, "status": visit.status, "ms": round(1000 * seconds, 1)}
        log.log(level, "%(method)s %(route)s %(status)s in %(ms)s ms", facts, extra=facts)
        if self._tracer is not None:
            name, span = f"{scope['method']} {route}", (visit.started, ended)
            self._tracer.report(Headers(scope=scope), name, visit.status, span, visit.stages)


def server_timing(visit: Visit) -> str:
    """The header's value (W3C Server Timing): stages in milliseconds, then the total so far."""
    seconds = slowest(visit.stages) | {"total": time.perf_counter() - visit.started}
    return ", ".join(f"{name};dur={1000 * spent:.3f}" for name, spent in seconds.items())
