"""Log lines that say in which request or job they were written, and hold no more than one line."""

import logging
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from pairselect.trail.context import current

CONTEXT = ("request_id", "job_id", "person_id")
# Of requests Django's own lines carry the whole object, and the path, which may hold a secret.
DJANGOS = ("request", "status_code", "server_time")


class Circumstances(logging.Filter):
    """Gives each record the ids of `pairselect.trail.context`; lets everything through."""

    def filter(self, record: logging.LogRecord) -> bool:
        here = current()
        record.request_id = here.request_id or None
        record.job_id = here.job_id
        record.person_id = here.known_id()
        if (request := getattr(record, "request", None)) is not None and record.args:
            record.args = tuple(_without_path(one, request) for one in record.args)
        return True


class LineFormatter(logging.Formatter):
    """``2026-11-22 01:02:03,456 INFO name [request=… person=…]: message``.

    What somebody sent may be in a message or in a traceback: a line of it must not look like one of
    ours. Lines of tracebacks are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        ids = {name.removesuffix("_id"): getattr(record, name, None) for name in CONTEXT}
        told = " ".join(f"{name}={value}" for name, value in ids.items() if value is not None)
        record.where = f" [{told}]" if told else ""
        if record.exc_info:
            record.exc_text = None  # as another handler may have written it
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = _printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)


def _indented(text: str) -> str:
    return "\n".join(f"  {_printable(line)}" for line in text.split("\n"))


def line_formatter() -> logging.Formatter:
    return LineFormatter("{asctime} {levelname} {name}{where}: {message}", style="{")


def json_formatter() -> logging.Formatter:
    """One object a line: time, level, logger, message, the ids, and what the record brings."""
    return JsonFormatter(
        "{asctime}{levelname}{name}{message}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        reserved_attrs=[*RESERVED_ATTRS, *DJANGOS, "where"],
        json_ensure_ascii=False,
    )


def _without_path(value: object, request: Any) -> object:
    """The route's name where the path stands: a path may hold what nobody should read."""
    if value not in (request.path, request.get_full_path()):
        return value
    match = getattr(request, "resolver_match", None)
    return match.view_name if match else "an unknown address"
