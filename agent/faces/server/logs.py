"""Logs as one JSON object a line; `serve` switches them on. They hold no pictures, words, tokens or whole ids."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import TextIO

__all__ = ["switch_on"]

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _PLAIN},
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The frames without the error's own words, which may quote what a person wrote.
            frames = traceback.extract_tb(record.exc_info[2])
            line["error"] = record.exc_info[0].__name__
            line["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        return json.dumps(line, default=str)


def switch_on(stream: TextIO, level: int = logging.INFO) -> logging.Handler:
    """Begins to log; returns the handler, for whoever wants to end it.

    Args:
        stream: where lines go.
        level: from which on.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines())
    logger = logging.getLogger("instructedit")
    logger.setLevel(level)
    logger.addHandler(handler)
    logger.propagate = False
    return handler
