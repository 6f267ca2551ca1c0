"""How the daemons log: to standard error, one line for each record, for people or for a log collector.

Configured once at start-up; modules use `log = logging.getLogger(__name__)` and nothing else. What a record
is about stands in fields of the JSON form, whose names are stable. They come from what surrounds the record
(`about`) and from the objects in its arguments; an id that is in neither is an `extra` of the record.
Nothing here knows what is logged: secrets are kept out where they are (credentials print as dots).

Messages quote others: the cloud, the API server, the kernel. Whatever they write, a line stays one line, and
not much longer than `LONGEST`.
"""

import contextlib
import json
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

from ipamd.core.claim.eipclaim import Claim
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.model import PodRef, SandboxKey

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
LONGEST: Final = 8000
"""Characters of a message, or of a line of a traceback."""
FIELDS: Final = (
    "call_id", "network", "namespace", "pod", "container_id", "eni", "eip", "claim", "request_id"
)  # fmt: skip
"""What a line may be about. `call_id` is one for each call of the CNI plugin, `request_id` the cloud's."""

# Controls, and what else ends a line or turns its direction for some program that shows it.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_surroundings: ContextVar[Mapping[str, str]] = ContextVar("surroundings", default=MappingProxyType({}))


@contextlib.contextmanager
def about(**fields: str) -> Iterator[None]:
    """Have the records of this thread inside the block say what they are about: names of FIELDS."""
    unknown = fields.keys() - set(FIELDS)
    if unknown:
        msg = f"no line is about {', '.join(sorted(unknown))}: see FIELDS"
        raise TypeError(msg)
    known = {name: value for name, value in fields.items() if value}
    token = _surroundings.set({**_surroundings.get(), **known})
    try:
        yield
    finally:
        _surroundings.reset(token)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": _bounded(record.getMessage()),
            **_subjects(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        beginning = f"{_time(record)} {record.levelname:7} {record.name}: "
        lines = [record.getMessage()]
        if record.exc_info:
            # Each with a beginning of its own, so that nothing in it looks like another record.
            lines += [f"| {line}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(beginning + _printable(_bounded(line)) for line in lines)


def configure(level: str, form: str) -> None:
    """Send the records of all modules to standard error; `level` and `form` are of LEVELS and FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries log whole requests and answers at debug level, headers with credentials among them; our own
    # modules say what matters of both.
    chosen = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(chosen, logging.WARNING))
    logging.getLogger("ipamd").setLevel(chosen)


def _subjects(record: logging.LogRecord) -> dict[str, str]:
    """Return the fields of a record: of what surrounds it, and of what it has itself, which knows better."""
    found = dict(_surroundings.get())
    arguments = record.args if isinstance(record.args, tuple) else ()
    for argument in arguments:
        found |= {name: value for name, value in _fields_of(argument).items() if value}
    # And of what is no object: `extra`, as the standard library calls it.
    named = {name: str(record.__dict__.get(name, "")) for name in FIELDS}
    return found | {name: value for name, value in named.items() if value}


def _fields_of(argument: object) -> dict[str, str]:
    match argument:
        case PodRef():
            return {"namespace": argument.namespace, "pod": argument.name}
        case SandboxKey():
            return {"container_id": argument.container_id}
        case Claim():
            address = argument.address
            return {"claim": str(argument), "eip": address.eip_id if address else ""}
        case CloudError():
            return {"request_id": argument.request_id}
        case BaseException() if argument.__cause__ is not None:
            return _fields_of(argument.__cause__)
        case _:
            return {}


def _bounded(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... ({len(text)} characters)"


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: ascii(found.group())[1:-1], text)


def _time(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03}Z"
