"""Who knows the trust stores is asked about what the judge's store does not trust, and about nothing else."""

import asyncio
import hashlib
import threading
from contextlib import aclosing
from datetime import UTC, datetime
from random import Random

import pytest

from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.target import Target
from kzmitm.model.verdict import Cause, Outcome
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.scan import Network, ScanOptions, SilentObserver, scan

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Witness:
    def __init__(self, failure=None):
        self.asked, self.threads, self.failure = [], set(), failure

    def __call__(self, chain, hostname, now):
        self.asked.append((hostname, now))
        self.threads.add(threading.get_ident())
        if self.failure is not None:
            raise self.failure
        return LocalTrust(leaf_sha256=hashlib.sha256(chain[0]).hexdigest(), accepted=False, stores_read=3)


class Notes(SilentObserver):
    def __init__(self):
        self.notes = []

    def on_note(self, code):
        self.notes.append(code)


@pytest.fixture
def measure(server, judge):
    def run(certificate, witness, *hosts: str, observer=None):
        async def go():
            async with server(certificate) as port:
                results = scan(
                    [Target(host) for host in hosts],
                    network=Network(
                        link=DirectLink(), overrides=parse_overrides([f"::127.0.0.1:{port}"], [])
                    ),
                    judge=judge,
                    options=ScanOptions(limits=Limits(2, 2, 2), benign_sni=("example.org",)),
                    rng=Random(7),
                    now=lambda: NOW,
                    observer=observer,
                    witness=witness,
                )
                async with aclosing(results):
                    return [judged async for judged in results]

        return asyncio.run(go())

    return run


def test_it_is_not_asked_about_a_trusted_chain(measure, genuine):
    witness = Witness()
    (judged,) = measure(genuine, witness, "a.test")
    assert judged.verdict.outcome is Outcome.CLEAN
    assert judged.measurement.local_trust is None
    assert witness.asked == []


def test_what_it_says_is_part_of_measurement_and_verdict(measure, forged):
    witness = Witness()
    (judged,) = measure(forged, witness, "a.test")
    assert witness.asked == [("a.test", NOW)]
    assert threading.get_ident() not in witness.threads
    assert judged.measurement.local_trust.stores_read == 3
    assert judged.facts.measurement is judged.measurement
    excluded = {each.cause: each for each in judged.verdict.ruled_out}
    assert excluded[Cause.LOCAL_ROOT].evidence == "no_local_root"
    assert excluded[Cause.LOCAL_ROOT].detail == "3"
    assert "local_roots" not in judged.verdict.undecided


def test_without_one_the_question_stays_open(measure, forged):
    (judged,) = measure(forged, None, "a.test")
    assert judged.measurement.local_trust is None
    assert "local_roots" in judged.verdict.undecided


def test_its_fault_costs_no_measurement(measure, forged):
    observer = Notes()
    witness = Witness(failure=RuntimeError("odd"))
    judged = measure(forged, witness, "a.test", "host1.test", observer=observer)
    assert [each.measurement.local_trust for each in judged] == [None, None]
    assert observer.notes.count("local_roots_unread") == 1


def test_it_is_asked_about_the_forged_one_of_several(server, judge, genuine, forged):
    """A broken chain that a public authority vouches for came first."""

    async def go():
        async with server(genuine) as port, server(forged, host="::1", port=port):
            network = Network(
                link=DirectLink(), overrides=parse_overrides([], [f"elsewhere.test:{port}:127.0.0.1,[::1]"])
            )
            results = scan(
                [Target("elsewhere.test", port)],
                network=network,
                judge=judge,
                options=ScanOptions(limits=Limits(2, 2, 2), benign_sni=("example.org",)),
                rng=Random(7),
                now=lambda: NOW,
                witness=Witness(),
            )
            async with aclosing(results):
                return [judged async for judged in results]

    (judged,) = asyncio.run(go())
    shown = {h.leaf_sha256: h.observation.endpoint.ip for h in judged.facts.handshakes if h.chain}
    assert shown[judged.measurement.local_trust.leaf_sha256] == "::1"
