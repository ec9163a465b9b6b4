"""The harness reads the suite's format: our own cases go through it as the suite would bring them."""

import json
import ssl
import subprocess
import sys
from pathlib import Path

from suite_builders import Case
from test_pki_suite import CASES

from kzmitm.pki.report import Profile, Purpose

HARNESS = Path(__file__).parents[2] / "tools" / "limbo_harness.py"


def in_their_format(case_id: str, case: Case, *, wrong: bool = False) -> dict[str, object]:
    chain, anchors = case.make()
    pems = [ssl.DER_cert_to_PEM_cert(c.der) for c in chain]
    succeeds = (Profile.WEB in case.trusted) is not wrong
    return {
        "id": f"own::{case_id}",
        "features": [],
        "conflicts_with": [],
        "validation_kind": "CLIENT" if case.purpose is Purpose.CLIENT else "SERVER",
        "trusted_certs": [ssl.DER_cert_to_PEM_cert(a.der) for a in anchors],
        "untrusted_intermediates": pems[1:],
        "peer_certificate": pems[0],
        "validation_time": case.now.isoformat(),
        "extended_key_usage": [],
        "expected_result": "SUCCESS" if succeeds else "FAILURE",
        "expected_peer_name": {"kind": "DNS", "value": case.hostname} if case.hostname else None,
        "expected_peer_names": [],
        "max_chain_depth": case.depth,
    }


def run(tmp_path: Path, cases: list[dict[str, object]], *options: str) -> subprocess.CompletedProcess[str]:
    suite = tmp_path / "limbo.json"
    suite.write_text(json.dumps({"version": 1, "testcases": cases}))
    command = [sys.executable, str(HARNESS), str(suite), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_every_case_of_ours_agrees_through_the_harness(tmp_path):
    done = run(tmp_path, [in_their_format(*item) for item in CASES.items()], "--profile", "web")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert f"{len(CASES)} agree, 0 disagree" in done.stdout


def test_disagreement_skip_and_contradiction(tmp_path):
    case = CASES["exact-dns-san"]
    wrong = in_their_format("wrong", case, wrong=True)
    revoked = in_their_format("revoked", case) | {"features": ["has-crl"]}
    done = run(tmp_path, [wrong, revoked], "--all")
    assert done.returncode == 1
    assert "DISAGREES own::wrong expects FAILURE: trusted" in done.stdout
    assert "skipped   own::revoked" in done.stdout
    rival = in_their_format("right", case) | {"conflicts_with": ["own::wrong"]}
    wrong["conflicts_with"] = ["own::right"]
    assert run(tmp_path, [wrong, rival]).returncode == 0
