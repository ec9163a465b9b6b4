"""Every lie that a worker can tell, and that it is told apart."""

from dataclasses import replace
from datetime import timedelta

import pytest
from nats_support import REGISTRY
from work_samples import AT, KEY, OTHER_KEY, line_for, measurement_for, result_for, sample_plan

from kzmitm.campaign.intake import Intake, Reason, Refusals, RefusedError
from kzmitm.campaign.plan import Share
from kzmitm.model.target import Target
from kzmitm.pki.store import pinned_store
from kzmitm.resources import truststore_files
from kzmitm.verdict.judge import Judge

PLAN = sample_plan()
SHARE = Share(1, "a")
STORE = pinned_store(truststore_files(), "mozilla")


def judge():
    return Judge(registry=REGISTRY, store=STORE)


def intake(pinned=None):
    return Intake(PLAN, SHARE, judge, pinned)


def take(octets, taker=None, *, final=()):
    return (taker or intake()).take(
        octets, is_final=lambda n: n in final, began=AT, now=AT + timedelta(days=1)
    )


def refusal(octets, taker=None):
    with pytest.raises(RefusedError) as caught:
        take(octets, taker)
    return caught.value


def job(number=0, share=SHARE):
    return PLAN.job(share, number)


def test_an_honest_result_is_judged_here():
    accepted = take(result_for(PLAN, 0).encoded())
    assert accepted.job == job()
    assert accepted.judged.verdict.outcome == "unreachable"


def test_a_job_that_has_a_result_is_a_double():
    assert take(result_for(PLAN, 0).encoded(), final={0}) is None


OTHER = sample_plan(names=("one.example", "two.example", "four.example"))
LIES = {
    "no json": (b"\xff{", Reason.UNREADABLE),
    "no object": (b"[]", Reason.UNREADABLE),
    "pickle": (b"\x80\x04\x95\x00", Reason.UNREADABLE),
    "deep": (b"[" * 100_000, Reason.UNREADABLE),
    "wide": (b"[" + b"1," * 400_000 + b"1]", Reason.UNREADABLE),
    "too long": (b'{"format":"' + b"x" * (1 << 20) + b'"}', Reason.UNREADABLE),
    "another campaign's": (result_for(OTHER, 0).encoded(), Reason.OTHER_PLAN),
    "another vantage's": (result_for(PLAN, 0, vantage="b").encoded(), Reason.OTHER_SHARE),
    "another round's": (result_for(PLAN, 0, round_number=2).encoded(), Reason.OTHER_SHARE),
    "no such number": (result_for(PLAN, 0, number=3).encoded(), Reason.UNKNOWN_JOB),
    "an id made up": (result_for(PLAN, 0, job="0" * 32).encoded(), Reason.UNKNOWN_JOB),
    "another job's number": (result_for(PLAN, 0, number=1).encoded(), Reason.UNKNOWN_JOB),
    "line changed": (
        replace(result_for(PLAN, 0), line=result_for(PLAN, 0).line.replace(b"refused", b"reset")).encoded(),
        Reason.SIGNATURE,
    ),
    "no measurement": (result_for(PLAN, 0, line=b"{}").encoded(), Reason.NO_MEASUREMENT),
    "a line that is none": (result_for(PLAN, 0, line=b"rm -rf /").encoded(), Reason.NO_MEASUREMENT),
    "the line of another job": (result_for(PLAN, 0, line=line_for(job(1))).encoded(), Reason.OTHER_JOB),
    "the line of another vantage": (
        result_for(PLAN, 0, line=line_for(job(0, Share(1, "b")))).encoded(),
        Reason.OTHER_JOB,
    ),
    "a line of another key": (
        result_for(PLAN, 0, line=line_for(job(), OTHER_KEY)).encoded(),
        Reason.OTHER_JOB,
    ),
    "another target": (
        result_for(
            PLAN, 0, line=line_for(job(), measurement=measurement_for(Target("elsewhere.example")))
        ).encoded(),
        Reason.OTHER_TARGET,
    ),
    "another name asked for": (
        result_for(
            PLAN, 0, line=line_for(job(), measurement=measurement_for(replace(job().target, sni="x.example")))
        ).encoded(),
        Reason.OTHER_TARGET,
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_and_named(name):
    octets, reason = LIES[name]
    refused = refusal(octets)
    assert refused.reason is reason
    assert refused.key == ("" if reason is Reason.UNREADABLE else KEY.public.fingerprint)


def test_a_key_that_did_not_sign_is_refused():
    octets = replace(result_for(PLAN, 0), key=OTHER_KEY.public).encoded()
    assert refusal(octets).reason is Reason.SIGNATURE


def test_the_first_good_key_is_pinned_and_a_bad_one_is_not():
    taker = intake()
    refusal(result_for(PLAN, 0, key=OTHER_KEY, line=b"{}").encoded(), taker)
    assert taker.pinned is None
    take(result_for(PLAN, 0).encoded(), taker)
    second = refusal(result_for(PLAN, 1, key=OTHER_KEY).encoded(), taker)
    assert second.reason is Reason.OTHER_KEY
    assert second.key == OTHER_KEY.public.fingerprint


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_is_wrong_does_not_decide_when_certificates_hold(years):
    made = measurement_for(job().target, started_at=AT + timedelta(days=365 * years))
    accepted = take(result_for(PLAN, 0, line=line_for(job(), measurement=made)).encoded())
    assert abs(accepted.judged.facts.now - AT) <= timedelta(days=1)


def test_refusals_are_counted_in_little_memory():
    refusals = Refusals()
    firsts = [refusals.add(RefusedError(Reason.SIGNATURE, key=f"SHA256:{n}")) for n in range(1000)]
    assert sum(firsts) == 65
    assert sum(row[2] for row in refusals.rows()) == 1000
    assert len(refusals.rows()) == 65
