"""Name constraints (RFC 5280, 4.2.1.10): the names that a CA may sign for.

Checked for what the names mean, not only for what they say: a wildcard breaks a constraint as soon as
one host it stands for does (CVE-2025-61727).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from kzmitm.model.certificate import Name
from kzmitm.pki import der
from kzmitm.pki import extensions as ext
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError, read_tlv
from kzmitm.pki.extensions import host_text
from kzmitm.pki.hostnames import as_address, is_hostname, is_pattern
from kzmitm.pki.names import canonical_name

EMAIL_ADDRESS = "1.2.840.113549.1.9.1"

MAX_COMPARISONS = 250_000
"""Names times constraints of one path (Go has the same limit)."""

Subtree = tuple[int, bytes]
"""A GeneralName: tag and content."""


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """The subtrees of one CA: a name must lie in a permitted one of its form, if any, in no excluded one."""

    permitted: tuple[Subtree, ...]
    excluded: tuple[Subtree, ...]

    @property
    def has_leading_dot(self) -> bool:
        """True for a dNSName such as `.example.com`: no RFC 5280 form, yet what many write."""
        return any(
            tag == ext.DNS_NAME and content[:1] == b"." for tag, content in self.permitted + self.excluded
        )


@lru_cache(maxsize=256)
def read_name_constraints(value: bytes) -> NameConstraints:
    """The constraints in an extension value. Raises DERError on malformed, empty or meaningless ones."""
    start, stop = der.whole(value, der.SEQUENCE)
    trees: dict[int, tuple[Subtree, ...]] = {0xA0: (), 0xA1: ()}
    for tag, _, first, last in der.elements(value, start, stop):
        if tag not in trees or trees[tag] or first == last:
            raise DERError("name constraints are two lists of subtrees")
        trees[tag] = tuple(_subtree(value, *span) for span in der.elements(value, first, last))
    if start == stop:
        raise DERError("name constraints without a subtree")
    return NameConstraints(trees[0xA0], trees[0xA1])


def _subtree(value: bytes, tag: int, _: int, start: int, stop: int) -> Subtree:
    if tag != der.SEQUENCE:
        raise DERError("a subtree is no sequence")
    kind, first, last = read_tlv(value, start, stop)
    if kind not in ext.GENERAL_NAMES or last != stop:  # minimum and maximum are forbidden by RFC 5280
        raise DERError("a subtree is more than a name")
    content = value[first:last]
    if not _is_sound(kind, content):
        raise DERError(f"a subtree of form {kind:#04x} is malformed")
    return kind, content


def _is_sound(kind: int, content: bytes) -> bool:
    text = host_text(content).lower()
    match kind:
        case ext.DNS_NAME:
            return not text or is_hostname(text.removeprefix("."))
        case ext.URI_NAME:
            return is_hostname(text.removeprefix("."))
        case ext.RFC822_NAME:
            return _is_mailbox(text) if "@" in text else is_hostname(text.removeprefix("."))
        case ext.IP_ADDRESS:
            return _is_network(content)
        case ext.DIRECTORY_NAME:
            canonical_name(content)
        case _:
            pass
    return True


def _is_network(content: bytes) -> bool:
    half = len(content) // 2
    if half not in (4, 16) or len(content) % 2:
        return False
    mask = int.from_bytes(content[half:], "big")
    inverse = mask ^ ((1 << half * 8) - 1)
    return inverse & (inverse + 1) == 0  # ones, then zeros


def _is_mailbox(text: str) -> bool:
    local, _, host = text.partition("@")
    return bool(local) and is_hostname(host)


def violates(below: Iterable[tuple[Anatomy, bool]], constraints: Iterable[NameConstraints]) -> bool:
    """True if a name of a certificate below breaks a constraint, or cannot be told from one that does.

    `below` are the certificates under the constrained CA, each with whether it is the leaf:
    self-issued ones are exempt unless they are.
    """
    rules = tuple(constraints)
    work = 0
    for parts, is_leaf in below:
        if parts.certificate.is_self_issued and not is_leaf:
            continue
        for form, name in names_of(parts):
            for rule in rules:
                work += len(rule.permitted) + len(rule.excluded)
                if work > MAX_COMPARISONS or not _allows(rule, form, name):
                    return True
    return False


def names_of(parts: Anatomy) -> list[Subtree]:
    """Every name of a certificate that constraints apply to: subject, alternative names, old e-mail."""
    certificate = parts.certificate
    names = list(parts.alt_names.every) if parts.alt_names else []
    if certificate.subject.attributes:
        names.append((ext.DIRECTORY_NAME, certificate.subject.der))
    if not any(form == ext.RFC822_NAME for form, _ in names):
        names.extend(_emails(certificate.subject))
    return names


def _emails(subject: Name) -> list[Subtree]:
    return [
        (ext.RFC822_NAME, a.value.encode("utf-8", "backslashreplace"))
        for a in subject.attributes
        if a.oid == EMAIL_ADDRESS
    ]


def _allows(rule: NameConstraints, form: int, name: bytes) -> bool:
    excluded = [content for tag, content in rule.excluded if tag == form]
    permitted = [content for tag, content in rule.permitted if tag == form]
    if not excluded and not permitted:
        return True
    touches, covers = _COMPARE.get(form, (_always, _never))
    try:
        if any(touches(name, subtree) for subtree in excluded):
            return False
        return not permitted or any(covers(name, subtree) for subtree in permitted)
    except DERError:
        return False


def _always(_name: bytes, _subtree: bytes) -> bool:
    return True


def _never(_name: bytes, _subtree: bytes) -> bool:
    return False


def _host(name: bytes) -> str:
    text = host_text(name).lower()
    if not is_pattern(text):
        raise DERError("a name that is no host")
    return text


def within(host: str, subtree: str) -> bool:
    """True if a host is the subtree's, or under it; `.example.com` means only what is under it."""
    if subtree.startswith("."):
        return host.endswith(subtree)
    return not subtree or host == subtree or host.endswith("." + subtree)


def _dns_covers(name: bytes, subtree: bytes) -> bool:
    host, tree = _host(name), host_text(subtree).lower()
    if host.startswith("*."):  # stands for every label in its place
        base = host[2:]
        return within(base, tree) or tree == "." + base
    return within(host, tree)


def _dns_touches(name: bytes, subtree: bytes) -> bool:
    host, tree = _host(name), host_text(subtree).lower()
    if not host.startswith("*."):
        return within(host, tree)
    base = host[2:]
    return within(base, tree) or tree == "." + base or tree.partition(".")[2] == base


def _ip_within(name: bytes, subtree: bytes) -> bool:
    half = len(subtree) // 2
    if len(name) != half:
        return False
    mask = int.from_bytes(subtree[half:], "big")
    return int.from_bytes(name, "big") & mask == int.from_bytes(subtree[:half], "big") & mask


def _directory_within(name: bytes, subtree: bytes) -> bool:
    prefix = canonical_name(subtree)
    return canonical_name(name)[: len(prefix)] == prefix


def _email_within(name: bytes, subtree: bytes) -> bool:
    text, tree = host_text(name), host_text(subtree)
    if not _is_mailbox(text.lower()):
        raise DERError("a name that is no mailbox")
    local, _, host = text.partition("@")
    if "@" in tree:  # the local part counts by octets (RFC 5321, 2.4)
        tree_local, _, tree_host = tree.partition("@")
        return (local, host.lower()) == (tree_local, tree_host.lower())
    if tree.startswith("."):
        return host.lower().endswith(tree.lower())
    return host.lower() == tree.lower()


def _uri_within(name: bytes, subtree: bytes) -> bool:
    try:
        host = urlsplit(host_text(name)).hostname or ""
    except ValueError:
        host = ""
    if not is_hostname(host) or as_address(host) is not None:
        raise DERError("a URI without a host name")
    tree = host_text(subtree).lower()
    return host.endswith(tree) if tree.startswith(".") else host == tree


_COMPARE = {
    ext.DNS_NAME: (_dns_touches, _dns_covers),
    ext.IP_ADDRESS: (_ip_within, _ip_within),
    ext.DIRECTORY_NAME: (_directory_within, _directory_within),
    ext.RFC822_NAME: (_email_within, _email_within),
    ext.URI_NAME: (_uri_within, _uri_within),
}
"""Per form: does a name touch an excluded subtree, is it wholly within a permitted one."""
