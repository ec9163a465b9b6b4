"""What a forger leaves behind, as data: conditions on field relations, each true, false or not to be told.

A forger of the registry asks for relations (`[require]`), refuses some (`[forbid]`) and mentions others
where they fit (`[optional]`). `telling` names those required ones of which at least one must have been
seen to hold, so that a leaf about which little is known is not consistent with everybody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kzmitm.pki import schema as s
from kzmitm.pki.entries import Document
from kzmitm.pki.extensions import SIGNED_CERTIFICATE_TIMESTAMPS
from kzmitm.pki.fields import SANRelation, SerialRelation, SubjectRelation, ValidityRelation
from kzmitm.pki.product_traits import ProductTraits, build_traits, check_traits
from kzmitm.pki.relations import MAX_LISTED, FieldRelations
from kzmitm.pki.schema import fail
from kzmitm.pki.traits import name_attribute, name_has
from kzmitm.wording import Wording

SHIFT_TOLERANCE_S = 60
"""Published shifts are said in hours; a minute is far below what tells one from another."""

EXTENSIONS = {
    "authority_info_access": "1.3.6.1.5.5.7.1.1",
    "authority_key_identifier": "2.5.29.35",
    "basic_constraints": "2.5.29.19",
    "certificate_policies": "2.5.29.32",
    "crl_distribution_points": "2.5.29.31",
    "ext_key_usage": "2.5.29.37",
    "key_usage": "2.5.29.15",
    "netscape_comment": "2.16.840.1.113730.1.13",
    "signed_certificate_timestamps": SIGNED_CERTIFICATE_TIMESTAMPS,
    "subject_alt_name": "2.5.29.17",
    "subject_key_identifier": "2.5.29.14",
}
"""Names of extensions in forger files; RFC 5280 names in snake_case."""
_EXTENSION_NAMES = {oid: name for name, oid in EXTENSIONS.items()}

Condition = Callable[[FieldRelations, bool | None], bool | None]
"""Of the relations and of whether the key is shared between hosts; None = could not be told."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition of a forger: `text` says the relation it is about, as it was seen."""

    name: str
    holds: Condition
    text: Callable[[FieldRelations, bool | None], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownForger:
    """A product, or an operator's way of forging."""

    id: str
    name: str
    required: tuple[Requirement, ...]
    forbidden: tuple[Requirement, ...]
    optional: tuple[Requirement, ...]
    telling: frozenset[str]
    traits: ProductTraits | None = None
    """How the product answers, whatever it forges."""
    document: Document


_Build = Callable[[Any], Condition]


def _one_of(read: Callable[[FieldRelations], tuple[str | None, str | None]]) -> _Build:
    """True if either of (relation to the genuine field, relation to the SNI) is wanted.

    Without a genuine leaf "it is the SNI" can be seen, "it is a copy" cannot: None then, not false.
    """

    def build(argument: Any) -> Condition:
        wanted = frozenset(argument)

        def condition(relations: FieldRelations, _: bool | None) -> bool | None:  # noqa: FBT001 (tri-state fact)
            against, alone = read(relations)
            if against in wanted or alone in wanted:
                return True
            return None if against is None else False

        return condition

    return build


def _equals(read: Callable[[FieldRelations], object]) -> _Build:
    def build(argument: Any) -> Condition:
        def condition(relations: FieldRelations, _: bool | None) -> bool | None:  # noqa: FBT001 (tri-state fact)
            value = read(relations)
            return None if value is None else value == argument

        return condition

    return build


def _between(read: Callable[[FieldRelations], int | None]) -> _Build:
    def build(argument: Any) -> Condition:
        lowest, highest = argument

        def condition(relations: FieldRelations, _: bool | None) -> bool | None:  # noqa: FBT001 (tri-state fact)
            value = read(relations)
            return None if value is None else lowest <= value <= highest

        return condition

    return build


def _serial_bits(argument: Any) -> Condition:
    return lambda relations, _: relations.serial_bits <= argument


def _low_bits(argument: Any) -> Condition:
    def condition(relations: FieldRelations, _: bool | None) -> bool | None:  # noqa: FBT001 (tri-state fact)
        if relations.serial is None:
            return None
        return relations.serial_low_bits is not None and relations.serial_low_bits <= argument

    return condition


def _shift(argument: Any) -> Condition:
    def condition(relations: FieldRelations, _: bool | None) -> bool | None:  # noqa: FBT001 (tri-state fact)
        if relations.validity is None:
            return None
        shift = relations.validity_shift_s
        return shift is not None and any(abs(shift - hours * 3600) <= SHIFT_TOLERANCE_S for hours in argument)

    return condition


def _shared(argument: Any) -> Condition:
    return lambda _, shared_key: None if shared_key is None else shared_key is argument


def _extensions(
    test: Callable[[frozenset[str], frozenset[str]], bool],
) -> _Build:
    def build(argument: Any) -> Condition:
        wanted = frozenset(EXTENSIONS[name] for name in argument)
        return lambda relations, _: test(frozenset(relations.extensions), wanted)

    return build


def _issuer(argument: Any) -> Condition:
    wanted = tuple(name_attribute(text) for text in argument)
    return lambda relations, _: name_has(relations.issuer, wanted)


def _range(value: Any, where: str) -> None:
    s.list_of(s.integer)(value, where)
    if len(value) != 2 or value[0] > value[1]:
        raise fail(where, Wording("must be [lowest, highest]"))


_EXTENSION_LIST = s.list_of(s.choice(*EXTENSIONS))

_CONDITIONS: Mapping[str, tuple[s.Check, _Build]] = {
    "subject": (
        s.list_of(s.choice(*SubjectRelation)),
        _one_of(lambda r: (r.subject, r.subject_by_sni)),
    ),
    "san": (s.list_of(s.choice(*SANRelation)), _one_of(lambda r: (r.san, r.san_by_sni))),
    "serial": (s.list_of(s.choice(*SerialRelation)), _one_of(lambda r: (r.serial, None))),
    "serial_low_bits_max": (s.integer, _low_bits),
    "serial_bits_max": (s.integer, _serial_bits),
    "validity": (s.list_of(s.choice(*ValidityRelation)), _one_of(lambda r: (r.validity, None))),
    "validity_shift_hours": (s.list_of(s.integer), _shift),
    "duration_s": (_range, _between(lambda r: r.duration_s)),
    "backdated_s": (_range, _between(lambda r: r.backdated_s)),
    "key": (s.TEXTS, _one_of(lambda r: (r.key, None))),
    "exponent": (s.integer, _equals(lambda r: r.exponent)),
    "key_equals_issuer_key": (s.boolean, _equals(lambda r: r.key_equals_issuer_key)),
    "shared_key": (s.boolean, _shared),
    "issuer_has": (s.TEXTS, _issuer),
    "extensions_exactly": (_EXTENSION_LIST, _extensions(lambda has, wanted: has == wanted)),
    "extensions_within": (_EXTENSION_LIST, _extensions(lambda has, wanted: has <= wanted)),
    "extensions_include": (_EXTENSION_LIST, _extensions(lambda has, wanted: has >= wanted)),
    "extensions_lack": (_EXTENSION_LIST, _extensions(lambda has, wanted: not has & wanted)),
}

_TABLE = s.table({name: check for name, (check, _) in _CONDITIONS.items()})

_FORGER = s.table(
    {
        "about": s.text,
        "product": s.text,
        "first_seen": s.partial_date,
        "last_seen": s.partial_date,
        "confidence": s.CONFIDENCE,
        "sources": s.TEXTS,
        "optional": _TABLE,
        "forbid": _TABLE,
        "traits": check_traits,
    },
    {"id": s.identifier, "name": s.text, "require": _TABLE, "telling": s.list_of(s.choice(*_CONDITIONS))},
)


def forger(document: Document, where: str) -> KnownForger:
    """The forger of a decoded file. Raises FingerprintError."""
    _FORGER(document, where)
    telling = frozenset(document["telling"])
    if not telling or not telling <= document["require"].keys():
        raise fail(
            f"{where}telling", Wording("must name at least one condition, each of which [require] asks for")
        )
    return KnownForger(
        id=document["id"],
        name=document["name"],
        required=_requirements(document["require"]),
        forbidden=_requirements(document.get("forbid", {})),
        optional=_requirements(document.get("optional", {})),
        telling=telling,
        traits=build_traits(document["traits"]) if "traits" in document else None,
        document=document,
    )


def _requirements(table: Mapping[str, Any]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(name, _CONDITIONS[name][1](argument), _text(name)) for name, argument in table.items()
    )


def _text(name: str) -> Callable[[FieldRelations, bool | None], str]:
    """What was seen of the field that a condition is about, in the words of `FieldRelations.facts`."""
    field = {
        "serial_low_bits_max": "serial",
        "validity_shift_hours": "validity",
        "duration_s": "duration",
        "backdated_s": "backdated",
    }.get(name, name)

    def text(relations: FieldRelations, shared_key: bool | None) -> str:  # noqa: FBT001 (tri-state fact)
        if name.startswith("extensions_"):
            seen = (_EXTENSION_NAMES.get(oid, oid) for oid in relations.extensions[:MAX_LISTED])
            return f"extensions:{'+'.join(seen) or 'none'}"
        match name:
            case "shared_key":
                return f"key_shared_between_hosts:{'yes' if shared_key else 'no'}"
            case "issuer_has":
                return "issuer:as_known"
            case "serial_bits_max":
                return f"serial_bits:{relations.serial_bits}"
            case _:
                return next(fact for fact in relations.facts() if fact.partition(":")[0] == field)

    return text
