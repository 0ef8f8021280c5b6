"""Everything that stands between a caller and the service."""

import logging
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from app.access.gate import Gate
from app.access.keys import KeyStore
from app.access.opening import keys_url, open_gate
from app.access.quotas import QuotaLimits, Quotas
from app.settings import Settings

log = logging.getLogger("gaitkeeper")


@dataclass(frozen=True)
class Doorway:
    """Who is let in, and how much each may use.

    Attributes:
        gate: looks at keys.
        quotas: of callers.
        threads: where keys are looked up; few, so that wrong ones cannot take the cores.
    """

    gate: Gate
    quotas: Quotas
    threads: Executor


@contextmanager
def open_doorway(settings: Settings) -> Iterator[Doorway]:
    """Decide whom the service lets in, until the block ends.

    Raises:
        UnsafeStartError: it would answer strangers.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    limits = QuotaLimits(settings.quota_requests, settings.quota_images, settings.quota_kilobytes)
    with (
        KeyStore(settings.database_url or keys_url(settings.data_dir)) as store,
        ThreadPoolExecutor(2, "keys") as threads,
    ):
        gate = open_gate(settings.access, settings.host, store)
        if gate.is_open:
            log.warning("no API keys are asked for: whoever reaches %s may do everything", settings.host)
        yield Doorway(gate, Quotas(limits), threads)
