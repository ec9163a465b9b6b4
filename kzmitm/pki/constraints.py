"""Name constraints (RFC 5280, 4.2.1.10): the names that a CA may sign for.

Checked for what the names mean, not only for what they say: a wildcard breaks a constraint as soon as
one host it stands for does (CVE-2025-61727).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kzmitm.model.certificate import Name
from kzmitm.pki import der
from kzmitm.pki import extensions as ext
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError, read_tlv
from kzmitm.pki.memo import memo
from kzmitm.pki.name_forms import FORMS

EMAIL_ADDRESS = "1.2.840.113549.1.9.1"

MAX_COMPARISONS = 250_000
"""Names times constraints of one path (Go has the same limit): about 50 ms."""

Subtrees = Mapping[int, tuple[Any, ...]]
"""Trees by form of name (the tag of a GeneralName), as that form reads them."""


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """The subtrees of one CA: a name must lie in a permitted one of its form, if any, in no excluded one."""

    permitted: Subtrees
    excluded: Subtrees

    @property
    def has_leading_dot(self) -> bool:
        """True for a dNSName such as `.example.com`: no RFC 5280 form, yet what many write."""
        trees = (*self.permitted.get(ext.DNS_NAME, ()), *self.excluded.get(ext.DNS_NAME, ()))
        return any(tree.startswith(".") for tree in trees)


@memo(256)
def read_name_constraints(value: bytes) -> NameConstraints:
    """The constraints in an extension value. Raises DERError on malformed, empty or meaningless ones."""
    start, stop = der.whole(value, der.SEQUENCE)
    lists: dict[int, Subtrees] = {}
    for tag, _, first, last in der.elements(value, start, stop):
        if tag not in (0xA0, 0xA1) or tag in lists or first == last:
            raise DERError("name constraints are two lists of subtrees")
        lists[tag] = _subtrees(value, first, last)
    if not lists:
        raise DERError("name constraints without a subtree")
    return NameConstraints(lists.get(0xA0, {}), lists.get(0xA1, {}))


def _subtrees(value: bytes, first: int, last: int) -> Subtrees:
    found: dict[int, list[Any]] = {}
    for tag, _, start, stop in der.elements(value, first, last):
        if tag != der.SEQUENCE:
            raise DERError("a subtree is no sequence")
        form, inner, end = read_tlv(value, start, stop)
        if form not in ext.GENERAL_NAMES or end != stop:  # minimum and maximum are forbidden by RFC 5280
            raise DERError("a subtree is more than a name")
        tree = FORMS[form].read_tree(value[inner:end]) if form in FORMS else None
        found.setdefault(form, []).append(tree)
    return {form: tuple(trees) for form, trees in found.items()}


def violates(below: Iterable[tuple[Anatomy, bool]], rule: NameConstraints) -> bool:
    """True if a name of a certificate below breaks a constraint, or cannot be told from one that does.

    `below` are the certificates under the constrained CA, each with whether it is the leaf:
    self-issued ones are exempt unless they are.
    """
    work = 0
    for parts, is_leaf in below:
        if parts.certificate.is_self_issued and not is_leaf:
            continue
        for form, name in names_of(parts):
            excluded, permitted = rule.excluded.get(form, ()), rule.permitted.get(form, ())
            work += len(excluded) + len(permitted)
            if work > MAX_COMPARISONS or not _allows(form, name, excluded, permitted):
                return True
    return False


def names_of(parts: Anatomy) -> list[tuple[int, bytes]]:
    """Every name of a certificate that constraints apply to: subject, alternative names, old e-mail."""
    certificate = parts.certificate
    names = list(_alt_names(parts.values.get(ext.SUBJECT_ALT_NAME)))
    if certificate.subject.attributes:
        names.append((ext.DIRECTORY_NAME, certificate.subject.der))
    if not any(form == ext.RFC822_NAME for form, _ in names):
        names.extend(_emails(certificate.subject))
    return names


def _alt_names(value: bytes | None) -> list[tuple[int, bytes]]:
    try:
        return ext.read_alt_names(value).every if value else []
    except DERError:  # a fault of its own, noted where the certificate was read
        return []


def _emails(subject: Name) -> list[tuple[int, bytes]]:
    return [
        (ext.RFC822_NAME, a.value.encode("utf-8", "backslashreplace"))
        for a in subject.attributes
        if a.oid == EMAIL_ADDRESS
    ]


def _allows(form: int, content: bytes, excluded: tuple[Any, ...], permitted: tuple[Any, ...]) -> bool:
    if not excluded and not permitted:
        return True
    kind = FORMS.get(form)
    if kind is None:  # a constraint that we cannot process, and a name it is about (RFC 5280, 4.2.1.10)
        return False
    try:
        name = kind.read_name(content)
    except DERError:
        return False
    touches, covers = kind.touches, kind.covers
    for tree in excluded:
        if touches(name, tree):
            return False
    return not permitted or any(covers(name, tree) for tree in permitted)
