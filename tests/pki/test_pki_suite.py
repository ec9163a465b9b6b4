"""Cases in the manner of C2SP/x509-limbo, made afresh, each with what the two profiles say of it.

Names follow that suite where the case does, so that a disagreement with it can be looked up.
"""

import pytest
from chain_factory import judge
from suite_builders import Case
from suite_certificates import CERTIFICATES
from suite_constraints import CONSTRAINTS
from suite_paths import PATHS

from kzmitm.pki.report import Profile

CASES: dict[str, Case] = {**CERTIFICATES, **PATHS, **CONSTRAINTS}


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("case_id", CASES)
def test_case(case_id: str, profile: Profile):
    case = CASES[case_id]
    chain, anchors = case.make()
    options = {"profile": profile, "purpose": case.purpose, "max_intermediates": case.depth}
    report = judge(chain, *anchors, hostname=case.hostname, now=case.now, **options)
    expected = profile in case.trusted
    assert report.trusted is expected, report.reasons
    assert (report.failure is None) is expected
    if case.reason and not expected:
        assert case.reason in report.reasons


def test_every_strict_rule_is_broken_by_some_case():
    from kzmitm.pki import strict  # noqa: PLC0415 - only this test looks inside

    assert {f"profile_{rule.__name__}" for rule in strict.RULES} <= {case.reason for case in CASES.values()}
