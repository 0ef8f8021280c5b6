"""Prometheus metrics: what is counted, and under which names."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

Reading = tuple[tuple[str, ...], float]


class Metrics:
    """Every metric of one service; each service has its own registry."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the answer
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "gaitkeeper_http_requests_total", "Answers.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "gaitkeeper_http_request_seconds", "From head to answer.", ["route"], buckets=SECONDS, registry=registry
        )
        self.requests_in_flight = Gauge("gaitkeeper_http_requests_in_flight", "Requests inside.", registry=registry)
        self.stage_seconds = Histogram(
            "gaitkeeper_stage_seconds",
            "A request's slowest item, by stage.",
            ["route", "stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self.queue_seconds = Histogram(
            "gaitkeeper_queue_seconds", "An item's wait for its batch.", ["network"], buckets=SECONDS, registry=registry
        )
        self.forward_seconds = Histogram(
            "gaitkeeper_forward_seconds", "One batch's run.", ["network"], buckets=SECONDS, registry=registry
        )
        self.batch_size = Histogram(
            "gaitkeeper_batch_size", "Items in a batch.", ["network"], buckets=SIZES, registry=registry
        )
        self.shed = Counter(
            "gaitkeeper_shed_total",
            "Refused or dropped; network is empty for whole requests that were not let in.",
            ["network", "reason"],
            registry=registry,
        )
        self.failures = Counter(
            "gaitkeeper_failures_total", "Items or batches that failed.", ["network", "error"], registry=registry
        )

    def read(self, name: str, about: str, labels: Sequence[str], source: Callable[[], Iterable[Reading]]) -> None:
        """Have a gauge read at every scrape: `source` gives (label values, value)."""
        self.registry.register(_Read(name, about, labels, source))

    def of_network(self, network: str) -> "NetworkMetrics":
        """What a network's batcher tells its numbers to."""
        return NetworkMetrics(self, network)

    def refused(self, reason: str) -> None:
        """A request was not let in."""
        self.shed.labels("", reason).inc()

    def exposition(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self.registry)


class NetworkMetrics:
    """One network's numbers (an `Observer` of a batcher)."""

    def __init__(self, metrics: Metrics, network: str) -> None:
        self._metrics, self._network = metrics, network
        self._queue_seconds = metrics.queue_seconds.labels(network)
        self._forward_seconds = metrics.forward_seconds.labels(network)
        self._batch_size = metrics.batch_size.labels(network)

    def ran(self, queue_seconds: Sequence[float], forward_seconds: float) -> None:
        """A batch succeeded."""
        self._forward_seconds.observe(forward_seconds)
        self._batch_size.observe(len(queue_seconds))
        for seconds in queue_seconds:
            self._queue_seconds.observe(seconds)

    def shed(self, reason: str) -> None:
        """An item was refused or dropped."""
        self._metrics.shed.labels(self._network, reason).inc()

    def failed(self, error: Exception) -> None:
        """An item or a batch failed."""
        self._metrics.failures.labels(self._network, type(error).__name__).inc()


class _Read(Collector):
    def __init__(self, name: str, about: str, labels: Sequence[str], source: Callable[[], Iterable[Reading]]) -> None:
        self._name, self._about, self._labels, self._source = name, about, labels, source

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily(self._name, self._about, labels=self._labels)]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._about, labels=self._labels)
        for labels, value in self._source():
            family.add_metric(labels, value)
        return [family]
