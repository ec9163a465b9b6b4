"""Coverage-guided fuzzing of path validation: `python tests/pki/fuzz_path.py [CORPUS] [-runs=N]`.

Needs atheris. The input is a list of certificates, each with its length in two octets before it, or a
recipe that damages good ones; the judgement must be made, in time, and hang together.
"""

import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["kzmitm.pki"]):
    from kzmitm.pki.cache import CertificateCache
    from kzmitm.pki.path import validate_path
    from kzmitm.pki.report import REASONS, NameStatus, PathStatus, Profile, TimeStatus

import chain_factory as cf

warnings.simplefilter("ignore")
ANCHOR = cf.root(extra=[cf.name_constraints(["DNS:example.com"])])
CA = cf.intermediate(ANCHOR, extra=[cf.policies("1.2.3"), cf.policy_constraints(0)])
GOOD = [cf.leaf(CA, extra=[cf.policies("1.2.3")]).der, CA.der, ANCHOR.der]
MAX_SECONDS = 5


def pieces(octets: bytes) -> list[bytes]:
    chain = []
    while len(octets) > 2 and len(chain) < 64:
        size = int.from_bytes(octets[:2], "big")
        chain.append(octets[2 : 2 + size])
        octets = octets[2 + size :]
    return chain


def damaged(octets: bytes) -> list[bytes]:
    chain = [bytearray(der) for der in GOOD]
    for number in range(0, len(octets) - 3, 4):
        which, high, low, value = octets[number : number + 4]
        der = chain[which % 3]
        der[(high << 8 | low) % len(der)] = value
    return [bytes(der) for der in chain]


def one_input(octets: bytes) -> None:
    if not octets:
        return
    cache = CertificateCache(64)
    chain = pieces(octets[1:]) if octets[0] & 1 else damaged(octets[1:])
    started = time.monotonic()
    report = validate_path(
        [cache.parse(der) for der in chain],
        store=cf.store_of(ANCHOR, cache_=cache),
        hostname="example.com",
        now=cf.NOW + timedelta(days=octets[0]),
        cache=cache,
        intermediates=[cache.parse(CA.der)],
        profile=Profile.STRICT if octets[0] & 2 else Profile.WEB,
    )
    assert time.monotonic() - started < MAX_SECONDS
    assert (report.failure is None) is report.trusted
    if report.trusted:
        fine = (TimeStatus.VALID, NameStatus.MATCH, PathStatus.TRUSTED)
        assert (report.time, report.name, report.path) == fine
        assert report.validated_path[-1].der == ANCHOR.der
    assert all(reason in REASONS or reason.startswith("profile_") for reason in report.reasons)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
