"""Cases made by hand: a chain of the judges' small world, and what probe and control say of it."""

import sys
from pathlib import Path

from kzmitm.ooni.archive.cases import Situation, Vouchers, case_of
from kzmitm.verdict.handshake import Judging

sys.path.insert(0, str(Path(__file__).parents[2] / "verdict"))

from verdict_world import CACHE, HOST, NOW, registry, store

UNKNOWN, INVALID, HOSTNAME = "ssl_unknown_authority", "ssl_invalid_certificate", "ssl_invalid_hostname"
RESET = "connection_reset"


def case(failure="", chain=(), *, chain_id=None, now=NOW, vouchers=Vouchers(), **told):  # noqa: B008
    """A handshake of the site itself that the probe verified, unless something else is told."""
    fields = {
        "verified": True,
        "control": "",
        "in_control": None,
        "private": False,
        "name": HOST,
        "host": HOST,
        "role": "",
    }
    unknown = set(told) - set(fields)
    assert not unknown, unknown
    name = chain_id if chain_id is not None else ("c" * bool(chain))
    situation = Situation(failure=failure, chain=name, time=now, **(fields | told))
    return case_of(situation, tuple(chain), Judging(registry(), store(), CACHE, now), vouchers)
