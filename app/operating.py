"""What the whole service shares beside its networks: admission, the canary, and gauges that are read at a scrape."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.canary import Canary
from app.engine.admission import Admission, Room
from app.engine.served import ServedNetwork
from app.gallery.gallery import GalleryStore
from app.settings import Settings
from app.telemetry.metrics import Metrics, Reading

MOST_GALLERIES = 100  # in metrics, the largest; more would make scrapes large


@dataclass(frozen=True)
class Operations:
    """What requests are let in by, and what says whether the service is well."""

    metrics: Metrics
    admission: Admission
    canary: Canary


@asynccontextmanager
async def operate(
    settings: Settings, networks: Sequence[ServedNetwork[Any]], store: GalleryStore, metrics: Metrics
) -> AsyncIterator[Operations]:
    """Watch over networks and galleries until the block ends."""
    room = Room(settings.max_waiting, settings.max_waiting_per_client, settings.max_waiting_bytes)

    def wait(items: int) -> float:
        return max((network.batcher.pace.wait(items) for network in networks), default=0.0)

    admission = Admission(room, wait, metrics.refused)
    canary = Canary({n.checkpoint.name: n.reproduces_golden for n in networks}, settings.canary_seconds)
    _add_gauges(metrics, networks, store, admission, canary)
    canary.start()
    try:
        yield Operations(metrics, admission, canary)
    finally:
        await canary.close()


def _add_gauges(
    metrics: Metrics,
    networks: Sequence[ServedNetwork[Any]],
    store: GalleryStore,
    admission: Admission,
    canary: Canary,
) -> None:
    def waiting() -> Iterable[Reading]:
        return [((network.checkpoint.name,), network.batcher.waiting) for network in networks]

    def running() -> Iterable[Reading]:
        return [((network.checkpoint.name,), network.batcher.running) for network in networks]

    def sizes() -> Iterable[Reading]:
        largest = sorted(store.list(), key=lambda gallery: -gallery.shots)[:MOST_GALLERIES]
        for gallery in largest:
            yield (gallery.name, "identities"), gallery.identities
            yield (gallery.name, "shots"), gallery.shots

    metrics.read("gaitkeeper_waiting_items", "Items waiting for a batch.", ["network"], waiting)
    metrics.read("gaitkeeper_running_items", "Items in the batch that runs.", ["network"], running)
    metrics.read("gaitkeeper_network_ready", "1 if the canary is well.", ["network"], canary.readings)
    metrics.read("gaitkeeper_admitted_items", "Items let in.", [], lambda: [((), admission.items)])
    metrics.read("gaitkeeper_admitted_bytes", "Bytes of bodies let in.", [], lambda: [((), admission.bytes)])
    metrics.read("gaitkeeper_gallery_size", "The largest galleries.", ["gallery", "what"], sizes)
