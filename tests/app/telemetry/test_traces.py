import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra 'otel' is not installed")

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.telemetry.stages import Stage
from app.telemetry.traces import SpanTracer

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_request_continues_its_clients_trace_down_to_the_batch() -> None:
    exporter = InMemorySpanExporter()
    tracer = SpanTracer(exporter)
    stages = [Stage("queue", 10.0, 10.1), Stage("forward", 10.1, 10.3, batch_size=4)]

    tracer.report({"traceparent": f"00-{TRACE}-{PARENT}-01"}, "POST /reid/embed", 200, (10.0, 10.4), stages)
    tracer.close()

    spans = {span.name: span for span in exporter.get_finished_spans()}
    request = spans["POST /reid/embed"]
    assert request.parent is not None
    assert (f"{request.parent.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
    for name, milliseconds in (("queue", 100), ("forward", 200)):
        span = spans[name]
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert ((span.end_time or 0) - (span.start_time or 0)) / 1e6 == pytest.approx(milliseconds, abs=0.01)
    assert dict(spans["forward"].attributes or {}) == {"batch.size": 4}


def test_a_failed_request_is_marked() -> None:
    exporter = InMemorySpanExporter()
    tracer = SpanTracer(exporter)

    tracer.report({}, "POST /reid/embed", 503, (10.0, 10.4), [])
    tracer.close()

    (span,) = exporter.get_finished_spans()
    assert span.parent is None
    assert not span.status.is_ok
