"""The quiz: repeatable questions whose sites do not tell, tools at the prompt, and a score."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_tools import need_network, run

from kzmitm.lab.profile import all_profiles
from kzmitm.lab.quiz import SITES, Answer, choices, chosen, questions
from kzmitm.lab.session import Offer

OFFERS = [Offer(profile=profile) for profile in all_profiles().values() if profile.network is not None]


@given(seed=st.integers(), rounds=st.integers(1, 100))
def test_a_seed_repeats_its_questions(seed: int, rounds: int):
    first, second = (questions(OFFERS, rounds, Random(seed)) for _ in range(2))
    assert first == second
    assert len(first) == rounds
    names = [question.profile.name for question in first[: len(OFFERS)]]
    assert len(set(names)) == len(names)


@given(seed=st.integers())
def test_every_question_can_be_switched_on_and_is_seen(seed: int):
    for question in questions(OFFERS, len(OFFERS), Random(seed)):
        settings = question.profile.settle(question.given)
        assert set(question.profile.struck(settings)) <= set(SITES)
        if question.profile.name != "none":
            assert not any(question.profile.name in site for site in question.profile.struck(settings))


def test_what_is_missing_is_not_asked():
    offers = [Offer(profile=offer.profile, missing=offer.profile.needs) for offer in OFFERS]
    asked = questions(offers, 50, Random(1))
    assert not any(question.profile.needs for question in asked)
    assert not any(profile.needs for profile in choices(offers))


@pytest.mark.parametrize("text", ["3", " 3 \n", "kz-inline", "KZ-Inline\n"])
def test_an_answer_is_a_number_or_a_name(text: str):
    found = chosen(text, choices(OFFERS))
    assert found is not None
    assert found.name == "kz-inline"


@given(text=st.text())
def test_anything_else_is_no_answer(text: str):
    found = chosen(text, choices(OFFERS))
    assert found is None or found in choices(OFFERS)


@pytest.mark.parametrize("text", ["", "0", "-1", "999", "9" * 5000, "٣", "scan", "²"])
def test_no_answer(text: str):
    assert chosen(text, choices(OFFERS)) is None


def test_an_answer_may_be_near():
    kinds = all_profiles()
    assert Answer(kinds["sslsplit"], kinds["squid"]).is_near
    assert not Answer(kinds["sslsplit"], kinds["squid"]).is_right
    assert not Answer(kinds["drop"], kinds["squid"]).is_near
    assert Answer(kinds["drop"], kinds["drop"]).is_right


def seed_of(name: str) -> int:
    """A seed whose first question is this profile."""
    return next(s for s in range(1000) if questions(OFFERS, 1, Random(s))[0].profile.name == name)


def test_a_quiz_with_tools_and_a_score(tmp_path: Path):
    need_network()
    typed = "help\nscan\nscan nonsense!\nrun client echo heard\nrun nowhere true\n'\nlist\nnxdomain\n"
    done = run(
        "lab", "quiz", "--rounds", "1", "--seed", str(seed_of("nxdomain")), home=tmp_path, given=typed
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "BLOCKED" in done.stdout
    assert "heard" in done.stdout
    assert "no host is called 'nowhere'" in done.stdout
    assert "Right: it was a name server that denies watched names" in done.stdout
    assert "Score: 1 of 1 right; 1 of 1 told interception from all else" in done.stdout
    assert f"--seed {seed_of('nxdomain')} --rounds 1" in done.stdout


def test_a_quiz_that_is_left(tmp_path: Path):
    need_network()
    done = run("lab", "quiz", "--rounds", "2", "--seed", "1", home=tmp_path, given="none\n")
    assert done.returncode == 3
    assert "of 1" in done.stdout


@pytest.mark.parametrize("rounds", ["0", "101", "x"])
def test_rounds_that_cannot_be(rounds: str, tmp_path: Path):
    done = run("lab", "quiz", "--rounds", rounds, home=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
