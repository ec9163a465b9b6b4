"""What an experiment's module yields, and which module is whose."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kzmitm._registry import discover

OTHER_NAME = "other_name"
"""Role: at the address of a helper, which does not serve the name asked for."""
TRACE = "trace"
"""Role: with a TTL that may be too low to arrive, so a timeout says nothing."""

RESOLVER = "resolver"
"""Role: with an encrypted resolver that the probe asked on its own account; of the site it tells nothing."""

UNCHECKED = "NoTLSVerify=true"
"""urlgetter's option: no handshake of the measurement was checked."""

USUAL = "web_connectivity"
"""A test that keeps its handshakes where most do."""

MAX_OBJECTS = 4096
"""Rows of one kind that are looked at; OONI's largest measurements have some hundred."""

LAST_REQUEST = "http_experiment_failure"
"""Of web_connectivity: the failure of the request that ended it."""

_OF_HANDSHAKES = (
    "ssl_error", "ssl_invalid_", "ssl_unknown_authority", "ssl_no_certificate", "unknown_failure: x509: ",
    "unknown_failure: tls: ", "unknown_failure: remote error: tls: ",
)  # fmt: skip

Row = Mapping[str, Any]


def is_of_handshake(failure: Any) -> bool:
    """The failure of a request was that of its handshake, as OONI's programs of all ages say it."""
    return isinstance(failure, str) and (
        failure.startswith(_OF_HANDSHAKES) or "certificate verify failed" in failure
    )


@dataclass(frozen=True, slots=True)
class Found:
    """A df-006 row and what it does not tell itself; `control` is of the same address, as far as known."""

    row: Row
    events: list[Row]
    role: str = ""
    verified: bool = True
    control: str = ""


Handshakes = Callable[[Row, frozenset[str]], Iterator[Found]]


def objects(value: Any) -> list[Row]:
    """The objects in a list; whatever else is there, or stands in the place of a list, is not looked at."""
    return [each for each in value[:MAX_OBJECTS] if isinstance(each, dict)] if isinstance(value, list) else []


@cache
def experiments() -> Mapping[str, Handshakes]:
    """Where the handshakes are, by the name of the test."""
    from kzmitm.ooni import experiments as package  # noqa: PLC0415 (its modules import this one)

    return {name: module.handshakes for module in discover(package) for name in module.TESTS}


def handshakes_of(test: str) -> Handshakes:
    """Where the handshakes of a test are: a test that has no module keeps them where most do."""
    known = experiments()
    return known.get(test, known[USUAL])


def is_usual(test: str) -> bool:
    """A test keeps its handshakes where most do."""
    return handshakes_of(test) is handshakes_of(USUAL)
