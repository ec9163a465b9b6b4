"""Family traits: what certificates of one family have in common besides hash and key, written as data.

A trait holds if all of its conditions hold. Names alone are a name pattern, never a trait: the parser
demands at least one condition that a name does not bring. The one exception is `issuer_is`, the whole name of
an issuer over a certificate of another name: it is told on the wire, where the leaf leads to it, and
`is_structural` says that it proves nothing of a root that merely lies in a trust store. Detection science,
"unknown-root rule".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kzmitm.model.certificate import SHORT_NAMES, Certificate, Name, NameAttribute
from kzmitm.pki import schema
from kzmitm.pki.patterns import MAX_ATTRIBUTES, name_text, pattern
from kzmitm.pki.schema import fail
from kzmitm.wording import Wording

MIN_WHOLE_NAME = 2
"""Attributes of a name that may stand for its owner: a common name alone is anybody's."""
SKI_OCTETS = 20
"""A key identifier made by SHA-1 (RFC 5280, 4.2.1.2, method 1)."""

Condition = Callable[[Certificate], bool]


@dataclass(frozen=True, slots=True)
class Trait:
    """A named trait: `conditions` as (name in the file, predicate), in the order of the file."""

    id: str
    about: str
    conditions: tuple[tuple[str, Condition], ...]

    @property
    def is_structural(self) -> bool:
        """It asks for more than names: also told of a certificate that stands by itself."""
        return any(name in STRUCTURE_CONDITIONS for name, _ in self.conditions)

    def holds(self, certificate: Certificate) -> bool:
        """True if every condition holds of the certificate."""
        return all(condition(certificate) for _, condition in self.conditions)


def serial_is_key_id_top_bit_cleared(certificate: Certificate) -> bool:
    """The serial number is the 20-octet subject key identifier with its most significant bit cleared."""
    key_id = certificate.subject_key_id
    if key_id is None or len(key_id) != SKI_OCTETS:
        return False
    return certificate.serial == int.from_bytes(key_id) & ((1 << (8 * SKI_OCTETS - 1)) - 1)


def validity_seconds(certificate: Certificate) -> int | None:
    """Seconds from notBefore to notAfter, as openssl counts them (RFC 5280 counts one more)."""
    if certificate.not_before is None or certificate.not_after is None:
        return None
    return int((certificate.not_after - certificate.not_before).total_seconds())


def name_attribute(text: str) -> NameAttribute:
    """The attribute written `SHORT=value` or `1.2.3=value`."""
    key, _, value = text.partition("=")
    return NameAttribute(_OIDS.get(key, key), value)


_OIDS = {short: oid for oid, short in SHORT_NAMES.items()}


def name_has(name: Name, wanted: tuple[NameAttribute, ...]) -> bool:
    """True if the name has all of these attributes, whatever their order; of a long name the first ones."""
    attributes = name.attributes[:MAX_ATTRIBUTES]
    return all(attribute in attributes for attribute in wanted)


def name_order(name: Name) -> tuple[str, ...]:
    """The short names of the attribute types in the order of the encoding; of a long name the first ones."""
    return tuple(SHORT_NAMES.get(a.oid, a.oid) for a in name.attributes[: MAX_ATTRIBUTES + 1])


def _has(of: Callable[[Certificate], Name]) -> Callable[[Any], Condition]:
    def build(argument: Any) -> Condition:
        wanted = tuple(name_attribute(text) for text in argument)
        return lambda certificate: name_has(of(certificate), wanted)

    return build


def _is(of: Callable[[Certificate], Name]) -> Callable[[Any], Condition]:
    def build(argument: Any) -> Condition:
        wanted = sorted((a.oid, a.value) for a in map(name_attribute, argument))

        def condition(certificate: Certificate) -> bool:
            attributes = of(certificate).attributes
            return len(attributes) == len(wanted) and sorted((a.oid, a.value) for a in attributes) == wanted

        return condition

    return build


def _order(of: Callable[[Certificate], Name]) -> Callable[[Any], Condition]:
    def build(argument: Any) -> Condition:
        wanted = tuple(argument)
        return lambda certificate: name_order(of(certificate)) == wanted

    return build


def _pattern(of: Callable[[Certificate], Name]) -> Callable[[Any], Condition]:
    def build(argument: Any) -> Condition:
        compiled = re.compile(argument)
        return lambda certificate: compiled.search(name_text(of(certificate))) is not None

    return build


def _key(argument: Any) -> Condition:
    wanted = frozenset(argument)
    return lambda certificate: certificate.public_key is not None and str(certificate.public_key) in wanted


def _exponent(argument: Any) -> Condition:
    return lambda certificate: (
        certificate.public_key is not None and certificate.public_key.exponent == argument
    )


def _key_usage(argument: Any) -> Condition:
    wanted = frozenset(argument)
    return lambda certificate: certificate.key_usage == wanted


def _days(argument: Any) -> Condition:
    shortest, longest = (days * 86_400 for days in argument)

    def condition(certificate: Certificate) -> bool:
        seconds = validity_seconds(certificate)
        return seconds is not None and shortest <= seconds <= longest

    return condition


def _not_before(argument: Any) -> Condition:
    return lambda certificate: (
        certificate.not_before is not None and certificate.not_before.date() == argument
    )


def _subject(certificate: Certificate) -> Name:
    return certificate.subject


def _issuer(certificate: Certificate) -> Name:
    return certificate.issuer


def _day_range(value: Any, where: str) -> None:
    schema.list_of(schema.integer)(value, where)
    if len(value) != 2 or not 0 <= value[0] <= value[1]:
        raise fail(where, Wording("must be [shortest, longest]"))


NAME_CONDITIONS: Mapping[str, tuple[schema.Check, Callable[[Any], Condition]]] = {
    "subject_has": (schema.TEXTS, _has(_subject)),
    "issuer_has": (schema.TEXTS, _has(_issuer)),
    "issuer_is": (schema.TEXTS, _is(_issuer)),
    "subject_order": (schema.TEXTS, _order(_subject)),
    "issuer_order": (schema.TEXTS, _order(_issuer)),
    "subject_pattern": (pattern, _pattern(_subject)),
    "issuer_pattern": (pattern, _pattern(_issuer)),
    "self_issued": (
        schema.boolean,
        lambda argument: lambda certificate: certificate.is_self_issued is argument,
    ),
}
"""Conditions on names: whoever can write a name can fulfil them."""

STRUCTURE_CONDITIONS: Mapping[str, tuple[schema.Check, Callable[[Any], Condition]]] = {
    "is_ca": (schema.boolean, lambda argument: lambda certificate: certificate.is_ca is argument),
    "key": (schema.TEXTS, _key),
    "rsa_exponent": (schema.integer, _exponent),
    "key_usage": (schema.TEXTS, _key_usage),
    "validity_seconds": (
        schema.integer,
        lambda argument: lambda certificate: validity_seconds(certificate) == argument,
    ),
    "validity_days": (_day_range, _days),
    "not_before_date": (schema.day, _not_before),
    "serial_is_key_id_top_bit_cleared": (
        schema.boolean,
        lambda argument: lambda certificate: serial_is_key_id_top_bit_cleared(certificate) is argument,
    ),
}
"""Conditions on what a template brings besides names."""

_CONDITIONS = {**NAME_CONDITIONS, **STRUCTURE_CONDITIONS}

_TABLE = schema.table(
    {"about": schema.text, **{name: check for name, (check, _) in _CONDITIONS.items()}},
    {"id": schema.identifier},
)


def check_trait(value: Any, where: str) -> None:
    """Raise FingerprintError unless the table is a trait."""
    _TABLE(value, where)
    if STRUCTURE_CONDITIONS.keys() & value.keys():
        return
    if "issuer_is" not in value or value.get("self_issued") is not False:
        raise fail(
            where,
            Wording(
                "asks for names only; write a subject_patterns entry, or issuer_is with self_issued = false"
            ),
        )
    if len(value["issuer_is"]) < MIN_WHOLE_NAME:
        raise fail(
            f"{where}.issuer_is", Wording("is no whole name: a country and one more attribute at least")
        )


def build_trait(document: Mapping[str, Any]) -> Trait:
    """The trait that a checked table describes."""
    conditions = tuple(
        (key, _CONDITIONS[key][1](value)) for key, value in document.items() if key in _CONDITIONS
    )
    return Trait(document["id"], document.get("about", ""), conditions)
