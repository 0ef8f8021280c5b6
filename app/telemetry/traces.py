"""OpenTelemetry spans of a request and its stages. Imported only where tracing is switched on (extra `otel`)."""

import time
from collections.abc import Mapping, Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.telemetry.stages import Stage


class SpanTracer:
    """Turns finished requests into spans, so that tracing costs a request nothing while it runs.

    A request's span continues the trace that its `traceparent` names (W3C Trace Context). Its children are its stages;
    a forward pass says how many items shared the batch.

    Args:
        exporter: where spans go, in batches, from a thread of its own.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "gaitkeeper"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("gaitkeeper")
        self._propagator = TraceContextTextMapPropagator()

    def report(
        self, headers: Mapping[str, str], name: str, status: int, span: tuple[float, float], stages: Sequence[Stage]
    ) -> None:
        """Export a request: its headers, its route, and readings of `time.perf_counter` for its begin and end."""
        offset = time.time() - time.perf_counter()

        def nanoseconds(reading: float) -> int:
            return round((reading + offset) * 1e9)

        parent = self._propagator.extract(headers)
        request = self._tracer.start_span(name, parent, SpanKind.SERVER, start_time=nanoseconds(span[0]))
        request.set_attribute("http.response.status_code", status)
        if status >= 500:
            request.set_status(StatusCode.ERROR)
        inside = set_span_in_context(request)
        for stage in stages:
            child = self._tracer.start_span(stage.name, inside, start_time=nanoseconds(stage.started))
            if stage.batch_size:
                child.set_attribute("batch.size", stage.batch_size)
            child.end(nanoseconds(stage.ended))
        request.end(nanoseconds(span[1]))

    def close(self) -> None:
        """Export what is left."""
        self._provider.shutdown()


def open_tracer(kind: str, endpoint: str | None) -> SpanTracer:
    """A tracer for the setting `traces`: "console", or "otlp" to send over HTTP to `endpoint`.

    Raises:
        ValueError: the package that sends is not installed.
    """
    if kind == "console":
        return SpanTracer(ConsoleSpanExporter())
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise ValueError("traces to OTLP need the extra 'otel': pip install 'gaitkeeper[otel]'") from None
    return SpanTracer(OTLPSpanExporter(endpoint))
