"""Traits of an answer as members of our documents."""

from collections.abc import Sequence
from typing import Any

from kzmitm.model.traits import AnswerTraits, TraitMatch

Row = dict[str, Any]

MICROSECONDS = 1_000_000


def trait_row(traits: AnswerTraits) -> Row:
    """What could be told; the times in whole microseconds, as a document of ours has no fractions."""
    return {
        "jarm": traits.jarm,
        "ja3s": traits.ja3s,
        "certificate_shape": traits.shape,
        "alpn": traits.alpn,
        "session_ticket": traits.session_ticket,
        "ocsp_staple": traits.ocsp_staple,
        "embedded_scts": traits.embedded_scts,
        "accepted": _listed(traits.accepted),
        "refused": _listed(traits.refused),
        "connect_us": _microseconds(traits.connect_s),
        "answer_us": _microseconds(traits.answer_s),
    }


def match_rows(matches: Sequence[TraitMatch]) -> list[Row]:
    """The products that the traits are consistent with."""
    return [{"id": m.id, "name": m.name, "traits": list(m.agreeing)} for m in matches]


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * MICROSECONDS)
