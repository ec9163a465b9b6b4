"""Which products an answer's traits are consistent with. Consistent with is not proof: libraries are shared.

The table `[traits]` of a forger holds what the product showed when it was measured. As with forgers there is
no score: nothing that could be told contradicts, and at least one of `telling` agrees.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kzmitm.model.traits import AnswerTraits, TraitMatch
from kzmitm.pki import schema as s
from kzmitm.pki.schema import fail
from kzmitm.wording import Wording

Condition = Callable[[AnswerTraits], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductTraits:
    """What a product showed: conditions by the name of the trait."""

    conditions: Mapping[str, Condition]
    telling: frozenset[str]


def _any_of(read: Callable[[AnswerTraits], object]) -> Callable[[Any], Condition]:
    def build(argument: Any) -> Condition:
        wanted = tuple(argument) if isinstance(argument, list) else (argument,)

        def condition(traits: AnswerTraits) -> bool | None:
            value = read(traits)
            return None if value is None else value in wanted

        return condition

    return build


def _shape(argument: Any) -> Condition:
    """Key and template of the shape: the names are those of the authority and, where copied, the origin."""
    wanted = frozenset(argument)

    def condition(traits: AnswerTraits) -> bool | None:
        return None if traits.shape is None else traits.shape.rsplit("_", 2)[0] in wanted

    return condition


_Versions = Callable[[AnswerTraits], tuple[str, ...] | None]


def _all_in(read: _Versions, opposite: _Versions) -> Callable[[Any], Condition]:
    """False if one of them went the other way; what was not asked leaves it untold."""

    def build(argument: Any) -> Condition:
        wanted = frozenset(argument)

        def condition(traits: AnswerTraits) -> bool | None:
            if wanted & frozenset(opposite(traits) or ()):
                return False
            return True if wanted <= frozenset(read(traits) or ()) else None

        return condition

    return build


_CONDITIONS: Mapping[str, tuple[s.Check, Callable[[Any], Condition]]] = {
    "jarm": (s.TEXTS, _any_of(lambda t: t.jarm)),
    "ja3s": (s.TEXTS, _any_of(lambda t: t.ja3s)),
    "shape": (s.TEXTS, _shape),
    "alpn": (s.list_of(s.choice("h2", "http/1.1", "none")), _any_of(lambda t: t.alpn or _none(t.alpn))),
    "session_ticket": (s.boolean, _any_of(lambda t: t.session_ticket)),
    "ocsp_staple": (s.boolean, _any_of(lambda t: t.ocsp_staple)),
    "embedded_scts": (s.boolean, _any_of(lambda t: t.embedded_scts)),
    "accepts": (s.TEXTS, _all_in(lambda t: t.accepted, lambda t: t.refused)),
    "refuses": (s.TEXTS, _all_in(lambda t: t.refused, lambda t: t.accepted)),
}


def _none(alpn: str | None) -> str | None:
    return None if alpn is None else "none"


_TABLE = s.table(
    {name: check for name, (check, _) in _CONDITIONS.items()},
    {"telling": s.list_of(s.choice(*_CONDITIONS)), "source": s.text},
)


def check_traits(value: Any, where: str) -> None:
    """Raise FingerprintError unless the value is a table of traits."""
    _TABLE(value, where)
    telling = value["telling"]
    if not telling or not set(telling) <= value.keys():
        raise fail(
            f"{where}.telling", Wording("must name at least one trait, each of which stands in the table")
        )


def build_traits(table: Mapping[str, Any]) -> ProductTraits:
    """The traits that a checked table describes."""
    return ProductTraits(
        conditions={
            name: _CONDITIONS[name][1](value) for name, value in table.items() if name in _CONDITIONS
        },
        telling=frozenset(table["telling"]),
    )


def match_traits(
    traits: AnswerTraits, products: Sequence[tuple[str, str, ProductTraits]]
) -> tuple[TraitMatch, ...]:
    """The products (id, name, traits) that the traits are consistent with, those with most to agree first."""
    found = [
        TraitMatch(identity, name, agreeing)
        for identity, name, known in products
        if (agreeing := _agreeing(traits, known)) is not None
    ]
    return tuple(sorted(found, key=lambda match: (-len(match.agreeing), match.id)))


def _agreeing(traits: AnswerTraits, known: ProductTraits) -> tuple[str, ...] | None:
    results = {name: condition(traits) for name, condition in known.conditions.items()}
    if False in results.values():
        return None
    agreeing = tuple(name for name, result in results.items() if result)
    return agreeing if known.telling.intersection(agreeing) else None
