"""The log's format: a line of text, or a JSON object a line."""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson

from app.telemetry.request_ids import current_request_id

LogFormat = Literal["text", "json"]

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}


def configure_logging(level: str, log_format: LogFormat = "text") -> None:
    """One line a record on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])


class TextFormatter(logging.Formatter):
    """A line that ends with the request's id, if there is a request."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        request_id = current_request_id()
        line = super().formatMessage(record)
        return f"{line} [{request_id}]" if request_id else line


class JsonFormatter(logging.Formatter):
    """A JSON object: time, level, logger, message, request id, exception, and whatever `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """The object on one line."""
        body = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id():
            body["request_id"] = request_id
        if record.exc_info:
            body["exception"] = self.formatException(record.exc_info)
        extra = {name: value for name, value in vars(record).items() if name not in STANDARD}
        return orjson.dumps(body | extra, default=str).decode()
