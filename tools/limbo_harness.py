"""Holds path validation to the C2SP x509-limbo suite (https://github.com/C2SP/x509-limbo).

    .venv/bin/python tools/limbo_harness.py limbo.json [--profile web|strict|auto] [--all]

Prints a table of agreements per family, then every disagreement with its reasons. `auto` asks the
strict profile about the families that test what issuers must do (rfc5280, webpki, rfc9881) and the web
profile about the rest. Of two cases that contradict each other (`conflicts_with`) one must agree.
Cases of revocation are skipped: nothing here looks at it. Exit 1 if anything disagrees.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Any

from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.constraints import names_of
from kzmitm.pki.extensions import RFC822_NAME
from kzmitm.pki.hostnames import as_address
from kzmitm.pki.path import validate_path
from kzmitm.pki.report import PathReport, Profile, Purpose
from kzmitm.pki.store import TrustStore

Testcase = dict[str, Any]
STRICT_FAMILIES = ("rfc5280", "webpki", "rfc9881")
OFF = ("has-crl",)


@dataclass(frozen=True, slots=True)
class Answer:
    """What we say of a case: `agrees` is None if it was skipped."""

    case_id: str
    agrees: bool | None
    expected: str
    reasons: tuple[str, ...]

    @property
    def family(self) -> str:
        """The namespace of the case."""
        return "::".join(self.case_id.split("::")[:-1]) or "(none)"


def profile_of(case: Testcase, wanted: str) -> Profile:
    """The profile that a case is judged by."""
    if wanted != "auto":
        return Profile(wanted)
    return Profile.STRICT if case["id"].split("::")[0] in STRICT_FAMILIES else Profile.WEB


def judge(case: Testcase, wanted: str, now: datetime) -> PathReport:
    """Our judgement of a case."""
    cache = CertificateCache()
    trusted = tuple(cache.parse(PEM_cert_to_DER_cert(pem)) for pem in case["trusted_certs"])
    chain = [case["peer_certificate"], *case["untrusted_intermediates"]]
    peer = case.get("expected_peer_name")
    client = case["validation_kind"] == "CLIENT" or "clientAuth" in (case.get("extended_key_usage") or ())
    when = case.get("validation_time")
    return validate_path(
        [cache.parse(PEM_cert_to_DER_cert(pem)) for pem in chain],
        store=TrustStore(name="limbo", version="1", date="", sha256="", anchors=trusted),
        hostname=peer["value"] if peer and peer["kind"] in ("DNS", "IP") and not client else None,
        now=datetime.fromisoformat(when).astimezone(UTC) if when else now,
        cache=cache,
        profile=profile_of(case, wanted),
        purpose=Purpose.CLIENT if client else Purpose.SERVER,
        max_intermediates=case.get("max_chain_depth"),
    )


def names_the_peers(case: Testcase) -> bool:
    """True if the leaf bears every expected name of a client (text of the alternative names)."""
    cache = CertificateCache()
    leaf = cache.parse(PEM_cert_to_DER_cert(case["peer_certificate"]))
    names = names_of(cache.anatomy(leaf))
    emails = [content.decode("ascii", "replace") for tag, content in names if tag == RFC822_NAME]
    known = {*emails, *(leaf.san_dns or ()), *(leaf.san_ip or ())}
    peers = case.get("expected_peer_names") or ()
    return all(peer["value"] in known or as_address(peer["value"]) in known for peer in peers)


def answer(case: Testcase, wanted: str, now: datetime) -> Answer:
    """Whether we agree with a case."""
    expected = case["expected_result"]
    if set(case.get("features") or ()) & set(OFF):
        return Answer(case["id"], None, expected, ())
    report = judge(case, wanted, now)
    success = report.trusted and names_the_peers(case)
    return Answer(case["id"], success == (expected == "SUCCESS"), expected, report.reasons)


def with_conflicts_settled(answers: list[Answer], cases: list[Testcase]) -> Iterator[Answer]:
    """The answers; a case whose contradiction agrees is taken out of the count."""
    by_id = {a.case_id: a for a in answers}
    rivals = {case["id"]: case.get("conflicts_with") or () for case in cases}
    for each in answers:
        others = [by_id[rival] for rival in rivals[each.case_id] if rival in by_id]
        settled = each.agrees is False and any(other.agrees for other in others)
        yield Answer(each.case_id, None, each.expected, each.reasons) if settled else each


def main() -> int:
    """Runs the suite and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--profile", choices=("web", "strict", "auto"), default="auto")
    parser.add_argument("--all", action="store_true", help="list the agreements as well")
    options = parser.parse_args()
    now = datetime.now(UTC)  # noqa: TID251 - the suite means today where it gives no time
    cases = json.loads(options.suite.read_bytes())["testcases"]
    answers = list(with_conflicts_settled([answer(case, options.profile, now) for case in cases], cases))
    counts = Counter((a.family, a.agrees) for a in answers)
    print(f"{'family':32} {'agree':>6} {'disagree':>9} {'skipped':>8}")
    for family in sorted({a.family for a in answers}):
        row = [counts[family, agrees] for agrees in (True, False, None)]
        print(f"{family:32} {row[0]:6} {row[1]:9} {row[2]:8}")
    for each in answers:
        if each.agrees is False or options.all:
            word = {True: "agrees", False: "DISAGREES", None: "skipped"}[each.agrees]
            print(f"{word:9} {each.case_id} expects {each.expected}: {', '.join(each.reasons) or 'trusted'}")
    wrong = sum(a.agrees is False for a in answers)
    print(f"{sum(a.agrees is True for a in answers)} agree, {wrong} disagree, profile {options.profile}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
