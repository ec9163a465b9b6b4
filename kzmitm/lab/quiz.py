"""The quiz: what is drawn, and how answers count. Pure; the lines people type are the command's to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from kzmitm.lab.profile import Place, Profile
from kzmitm.lab.session import Offer
from kzmitm.lab.sites import STRUCK, UNRELATED, UNWATCHED

SITES = (*STRUCK, *UNWATCHED, *UNRELATED)
"""What the trainee scans; whatever is drawn shows in some of them."""

MOST_STRUCK = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was switched on behind the trainee's back."""

    profile: Profile
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the trainee said, and what was right."""

    said: Profile
    right: Profile

    @property
    def is_right(self) -> bool:
        """The very profile was named."""
        return self.said.name == self.right.name

    @property
    def is_near(self) -> bool:
        """At least whether it is interception was told."""
        return self.said.intercepts is self.right.intercepts


def questions(offers: Sequence[Offer], rounds: int, rng: Random) -> list[Question]:
    """As many questions, none twice while there are others; the same for the same seed and offers."""
    profiles = [offer.profile for offer in offers if not offer.missing]
    drawn: list[Question] = []
    while len(drawn) < rounds:
        round_of = profiles.copy()
        rng.shuffle(round_of)
        drawn += [_question(profile, rng) for profile in round_of]
    return drawn[:rounds]


def _question(profile: Profile, rng: Random) -> Question:
    """With sites whose names do not tell: the flaw called `expired` sits at a site of another name."""
    names = {parameter.name for parameter in profile.parameters}
    if "watched" in names:
        struck = rng.sample(SITES, rng.randint(1, MOST_STRUCK))
        return Question(profile=profile, given={"watched": ",".join(sorted(struck))})
    if profile.place is Place.SERVER or profile.name == "ip-block":
        return Question(profile=profile, given={"sites": rng.choice(STRUCK)})
    return Question(profile=profile, given={"sites": ",".join(SITES)})


def choices(offers: Sequence[Offer]) -> list[Profile]:
    """What may be answered, interception first."""
    profiles = [offer.profile for offer in offers if not offer.missing]
    return sorted(profiles, key=lambda profile: (not profile.intercepts, profile.name))


def chosen(text: str, among: Sequence[Profile]) -> Profile | None:
    """The profile that a number of the list or a name stands for; None for neither."""
    text = text.strip().lower()
    if text.isascii() and text.isdecimal() and len(text) < 4 and 0 < int(text) <= len(among):
        return among[int(text) - 1]
    return next((profile for profile in among if profile.name == text), None)
