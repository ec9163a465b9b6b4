"""The forms of names that name constraints can be told about (RFC 5280, 4.2.1.10), one class each.

A form reads subtrees and names once; comparing what it read is cheap, since hostile certificates bring
thousands of both. Reading raises `DERError` on what is malformed.
"""

from typing import Any, Protocol
from urllib.parse import urlsplit

from kzmitm.pki import extensions as ext
from kzmitm.pki.der import DERError
from kzmitm.pki.extensions import host_text
from kzmitm.pki.hostnames import as_address, is_hostname, is_pattern
from kzmitm.pki.names import canonical_name


class Form(Protocol):
    """How names of one form are read and compared."""

    def read_tree(self, content: bytes) -> Any:
        """A subtree. Raises DERError if it is none."""

    def read_name(self, content: bytes) -> Any:
        """A certificate's name. Raises DERError if it is none."""

    def touches(self, name: Any, tree: Any) -> bool:
        """True if anything the name stands for lies in the subtree."""

    def covers(self, name: Any, tree: Any) -> bool:
        """True if everything the name stands for lies in the subtree."""


def _lower(content: bytes) -> str:
    return host_text(content).lower()


def _host_tree(content: bytes) -> str:
    tree = _lower(content)
    if not is_hostname(tree.removeprefix(".")):
        raise DERError("a subtree that is no host")
    return tree


def within(host: str, tree: str) -> bool:
    """True if a host is the subtree's, or under it; `.example.com` means only what is under it."""
    if tree.startswith("."):
        return host.endswith(tree)
    return not tree or host == tree or host.endswith("." + tree)


class DNSForm:
    """Hosts; `*.example.com` stands for every label in the place of the asterisk."""

    def read_tree(self, content: bytes) -> str:
        return _host_tree(content) if content else ""

    def read_name(self, content: bytes) -> str:
        host = _lower(content)
        if not is_pattern(host):
            raise DERError("a name that is no host")
        return host

    def touches(self, name: str, tree: str) -> bool:
        if name[0] != "*":
            return within(name, tree)
        base = name[2:]
        return within(base, tree) or tree == name[1:] or tree.partition(".")[2] == base

    def covers(self, name: str, tree: str) -> bool:
        if name[0] != "*":
            return within(name, tree)
        return within(name[2:], tree) or tree == name[1:]


class IPForm:
    """Addresses as integers with their length, subtrees as network and mask with theirs."""

    def read_tree(self, content: bytes) -> tuple[int, int, int]:
        half = len(content) // 2
        if len(content) not in (8, 32):
            raise DERError("a network is an address and a mask")
        mask = int.from_bytes(content[half:], "big")
        inverse = mask ^ ((1 << half * 8) - 1)
        if inverse & (inverse + 1):
            raise DERError("a mask is ones, then zeros")
        return half, int.from_bytes(content[:half], "big") & mask, mask

    def read_name(self, content: bytes) -> tuple[int, int]:
        return len(content), int.from_bytes(content, "big")

    def touches(self, name: tuple[int, int], tree: tuple[int, int, int]) -> bool:
        return name[0] == tree[0] and name[1] & tree[2] == tree[1]

    covers = touches


class DirectoryForm:
    """Distinguished names: a subtree is how they begin, compared by RFC 5280, 7.1."""

    def read_tree(self, content: bytes) -> tuple[object, ...]:
        return canonical_name(content)

    read_name = read_tree

    def touches(self, name: tuple[object, ...], tree: tuple[object, ...]) -> bool:
        return name[: len(tree)] == tree

    covers = touches


class EmailForm:
    """Mailboxes as local part and host; a subtree is one of them, a host, or with a dot a domain."""

    def read_tree(self, content: bytes) -> tuple[str | None, str]:
        return self.read_name(content) if b"@" in content else (None, _host_tree(content))

    def read_name(self, content: bytes) -> tuple[str, str]:
        local, _, host = host_text(content).partition("@")
        host = host.lower()
        if not local or not is_hostname(host):
            raise DERError("a name that is no mailbox")
        return local, host

    def touches(self, name: tuple[str, str], tree: tuple[str | None, str]) -> bool:
        if tree[0] is not None:  # the local part counts as it is written (RFC 5321, 2.4)
            return name == tree
        return name[1].endswith(tree[1]) if tree[1].startswith(".") else name[1] == tree[1]

    covers = touches


class URIForm:
    """URIs by their host; a subtree is a host, or with a dot a domain."""

    def read_tree(self, content: bytes) -> str:
        return _host_tree(content)

    def read_name(self, content: bytes) -> str:
        try:
            host = urlsplit(host_text(content)).hostname or ""
        except ValueError as error:
            raise DERError("a URI that is none") from error
        if not is_hostname(host) or as_address(host) is not None:
            raise DERError("a URI without a host name")
        return host

    def touches(self, name: str, tree: str) -> bool:
        return name.endswith(tree) if tree.startswith(".") else name == tree

    covers = touches


FORMS: dict[int, Form] = {
    ext.DNS_NAME: DNSForm(),
    ext.IP_ADDRESS: IPForm(),
    ext.DIRECTORY_NAME: DirectoryForm(),
    ext.RFC822_NAME: EmailForm(),
    ext.URI_NAME: URIForm(),
}
"""By the tag of a GeneralName. Of any other form we know only that we cannot judge it."""
