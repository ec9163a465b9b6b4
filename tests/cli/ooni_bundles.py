"""Saved scans for the tests of `ooni emit` and `ooni upload`."""

from datetime import timedelta

from cli_bundles import HEADER, NOON, write

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSObservation, Hello, TLSObservation
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.model.verdict import Outcome, Verdict

HERE = Vantage(asn="AS9198", cc="KZ", network_name="Kazakhtelecom")


def row(name, *, vantage=HERE, number=0, chain=(b"leaf", b"authority")):
    """A measurement and its verdict, as the writer of bundles takes them."""
    shown = TLSObservation(
        endpoint=Endpoint("192.0.2.7", 443), sni=name, hello=Hello("small"), presented_chain=tuple(chain)
    )
    lookup = DNSObservation(hostname=name, engine="udp", query_type="A", resolver_address="192.168.1.1")
    measured = Measurement(
        target=Target(name),
        vantage=vantage,
        started_at=NOON + timedelta(seconds=number),
        dns=(lookup,),
        tls=(shown,),
    )
    return measured, Verdict(outcome=Outcome.INCONCLUSIVE, confidence=None, rules_version="1"), ()


def scan(path, names=("a.test", "b.test", "c.test"), **fields):
    """The bundle of a scan of some sites."""
    rows = [row(name, number=number, **fields) for number, name in enumerate(names)]
    return write(path, rows, header=HEADER, finished_at=NOON)
