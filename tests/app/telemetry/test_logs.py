import json
import logging
import sys
from contextvars import copy_context

from app.telemetry.logs import TEXT, JsonFormatter, TextFormatter
from app.telemetry.request_ids import _current


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("gaitkeeper").makeRecord(
        "gaitkeeper", logging.WARNING, "file.py", 1, message, ("7",), None, extra=extra
    )


def in_request(formatter: logging.Formatter, entry: logging.LogRecord) -> str:
    context = copy_context()
    context.run(_current.set, "robot-7")
    return context.run(formatter.format, entry)


def test_json_records_hold_their_facts_and_the_request_id() -> None:
    line = in_request(JsonFormatter(), record("lost %s", network="rga"))

    body = json.loads(line)
    assert body.pop("time").endswith("+00:00")
    assert body == {
        "level": "warning",
        "logger": "gaitkeeper",
        "message": "lost 7",
        "request_id": "robot-7",
        "network": "rga",
    }
    assert "\n" not in line


def test_json_records_hold_exceptions_on_one_line() -> None:
    entry = record("failed %s")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        entry.exc_info = sys.exc_info()

    line = JsonFormatter().format(entry)

    assert "ValueError: two\nlines" in json.loads(line)["exception"]
    assert "\n" not in line
    assert "request_id" not in json.loads(line)


def test_text_records_end_with_the_request_id_inside_a_request() -> None:
    formatter = TextFormatter(TEXT)

    assert formatter.format(record("lost %s")).endswith("gaitkeeper: lost 7")
    assert in_request(formatter, record("lost %s")).endswith("gaitkeeper: lost 7 [robot-7]")
