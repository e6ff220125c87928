"""Structured logs: one JSON object a line on stderr, without names of files or addresses."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

__all__ = ["JsonFormatter", "StandardError", "config", "frames", "log"]

_LOGGER = logging.getLogger("convtrace.service")
_EVENT = "convtrace_event"


class StandardError(logging.Handler):
    """Writes to what is the standard error at the time.

    `logging.StreamHandler` keeps the stream that was there when it was made. Where a program
    around the service replaces the standard error and closes the old one, it would fail at
    every later line.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line.

        Parameters
        ----------
        record : logging.LogRecord
            What to write.
        """
        stream = sys.stderr
        if stream is None or stream.closed:  # a program without a terminal has none
            return
        try:
            stream.write(self.format(record) + "\n")
            stream.flush()
        except OSError:
            self.handleError(record)


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON.

    Of exceptions only the type and the places in the code are written: a message may quote
    what was uploaded.

    Examples
    --------
    >>> record = logging.makeLogRecord({"msg": "started", "levelname": "INFO"})
    >>> sorted(json.loads(JsonFormatter().format(record)))
    ['event', 'level', 'time']
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line.

        Parameters
        ----------
        record : logging.LogRecord
            What to write.

        Returns
        -------
        str
        """
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
            **getattr(record, _EVENT, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = frames(record.exc_info[1])
        return json.dumps(line)


def frames(error: BaseException) -> list[str]:
    """Return the type of an exception and where it came from, without its message.

    Parameters
    ----------
    error : BaseException
        The exception.

    Returns
    -------
    list of str
    """
    places = traceback.extract_tb(error.__traceback__)
    return [type(error).__name__] + [
        f"{PurePath(place.filename).name}:{place.lineno} {place.name}" for place in places
    ]


def log(event: str, *, level: int = logging.INFO, **values: Any) -> None:
    """Write a line.

    Parameters
    ----------
    event : str
        What happened, in a word or two.
    level : int
        As in `logging`.
    **values
        Further members of the object; JSON values.
    """
    _LOGGER.log(level, event, extra={_EVENT: values})


def config() -> dict[str, Any]:
    """Return the logging configuration of a service, for `logging.config.dictConfig`.

    Returns
    -------
    dict
    """
    handler = {"()": StandardError, "formatter": "json"}
    names = ("uvicorn", "uvicorn.error", "convtrace.service")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": handler},
        "loggers": {
            name: {
                "handlers": ["stderr"],
                # Uvicorn's own lines say less than ours, and are for people.
                "level": "INFO" if name == "convtrace.service" else "WARNING",
                "propagate": False,
            }
            for name in names
        },
    }
