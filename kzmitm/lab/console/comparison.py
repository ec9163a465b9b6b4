"""The certificate that came beside the genuine one, field by field. Pure; never raises on garbage."""

from collections.abc import Sequence
from dataclasses import dataclass

from kzmitm.lab.console.fields import codes, fields_of
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.relations import relate
from kzmitm.report.reasons import MEASURED, NAMED, RELATIONS, relation_text
from kzmitm.report.safe import harmless


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a field, such as one name of several; `only_here` if the other certificate lacks it."""

    text: str
    only_here: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A field of both; () where a certificate has none. `differs` is False if there is but one of them."""

    field: str
    presented: tuple[Part, ...]
    genuine: tuple[Part, ...]
    differs: bool
    is_code: bool
    """True for hexadecimal digits, which are read one by one."""


def compare(presented: Sequence[bytes], genuine: Sequence[bytes]) -> tuple[Row, ...]:
    """A row for each field that one of the leaves has; both chains in DER, the leaf first."""
    came, known = fields_of(presented), fields_of(genuine)
    comparable = bool(came and known)
    rows = []
    for label in came or known:
        here, there = came.get(label, ()), known.get(label, ())
        if here or there:
            rows.append(
                Row(
                    label,
                    _marked(here, there, comparable=comparable),
                    _marked(there, here, comparable=comparable),
                    differs=comparable and here != there,
                    is_code=label in codes(),
                )
            )
    return tuple(rows)


def _marked(parts: Sequence[str], others: Sequence[str], *, comparable: bool) -> tuple[Part, ...]:
    return tuple(Part(part, only_here=comparable and part not in others) for part in parts)


def remarks(presented: Sequence[bytes], genuine: Sequence[bytes], hostname: str) -> tuple[str, ...]:
    """How the leaf that came was made from the genuine one, in phrases; () if nothing was forged."""
    if not (presented and genuine):
        return ()
    came, known, *_above = map(parse_certificate, (presented[0], genuine[0]))
    issuer = parse_certificate(presented[1]) if len(presented) > 1 else None
    relations = relate(came, known, issuer=issuer, sni=hostname)
    if relations.key_is_genuine or relations.key is None:
        return ()
    return tuple(harmless(relation_text(fact)) for fact in relations.facts() if _has_words(fact))


def _has_words(fact: str) -> bool:
    field, _separator, value = fact.partition(":")
    plain = f"{field}: {value}".replace("_", " ")
    return fact in RELATIONS or (field in {*MEASURED, *NAMED} and relation_text(fact) != plain)
