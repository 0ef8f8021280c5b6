"""Runs schemathesis against a running service and keeps count."""

from collections import Counter
from dataclasses import dataclass, field

from schemathesis.config import SchemathesisConfig
from schemathesis.engine.core import Engine
from schemathesis.engine.events import EngineEvent, EngineFinished, FatalError, NonFatalError, ScenarioFinished

from tests.contract.schema import EXCLUDED_CHECKS, load


@dataclass
class Report:
    """What came of a campaign.

    Attributes:
        statuses: answers by status.
        operations: those that were tried, as "POST /v1/pose".
        findings: what the document does not allow, or what failed.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    findings: list[str] = field(default_factory=list)


def run(url: str, seconds: int, seed: int = 0, max_examples: int = 10) -> Report:
    """Try every operation: its corner cases, random requests, and chains of requests, for so long at most."""
    checks = {name: {"enabled": False} for name in EXCLUDED_CHECKS}
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "max-time": seconds,
            "base-url": url,
            "request-timeout": 60,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "checks": checks,
            "generation": {"max-examples": max_examples, "no-shrink": True, "database": "none"},
        }
    )
    report = Report()
    for event in Engine(load(url, config)).execute():
        _note(event, report)
    return report


def _note(event: EngineEvent, report: Report) -> None:
    if isinstance(event, ScenarioFinished):
        for case in event.recorder.cases.values():
            report.operations.add(case.value.operation.label)
        for interaction in event.recorder.interactions.values():
            if interaction.response is not None:
                report.statuses[interaction.response.status_code] += 1
    elif isinstance(event, EngineFinished):
        report.findings += [f"{failure.operation}: {failure.title}\n{failure.message}" for failure in event.failures]
    elif isinstance(event, NonFatalError):
        report.findings.append(f"{event.label}: {event.value}")
    elif isinstance(event, FatalError):
        raise event.exception
