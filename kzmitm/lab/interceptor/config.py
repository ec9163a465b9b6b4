"""What the interceptor is told: one JSON document, checked as a whole before anything is done."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kzmitm.errors import UsageError
from kzmitm.lab.certificates.forging import LeafRule
from kzmitm.lab.certificates.pki import Credential
from kzmitm.lab.interceptor.marks import MARKS
from kzmitm.lab.interceptor.watch import Watch
from kzmitm.pki.store import TrustStore, parse_store

E = TypeVar("E", bound=StrEnum)

MAX_CONFIG = 1 << 20
"""Octets of a document: a hundred times what the laboratory sends."""
MAX_NUMBER = (1 << 16) - 1
"""Of a port, and of a queue (linux/netfilter/nfnetlink.h: res_id)."""
MAX_MARK = (1 << 32) - MARKS


class Mode(StrEnum):
    """Where connections end."""

    INLINE = "inline"
    """At the server, until a watched one is taken over."""
    PROXY = "proxy"
    """All of them here."""


class Deed(StrEnum):
    """What a watched connection gets."""

    FORGE = "forge"
    PLAIN = "plain"
    """A page in the clear that says that the site is blocked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The checked document. `port` is only of use in proxy mode, `queue` only inline."""

    mode: Mode
    action: Deed
    watch: Watch
    rule: LeafRule
    issuer: Credential = field(repr=False)
    """The issuing CA, with what is sent after it."""
    public_roots: TrustStore = field(repr=False)
    require_valid_origin: bool
    port: int
    queue: int
    mark: int


OPTIONAL = frozenset({"port", "queue"})
FIELDS = OPTIONAL | {
    "mode", "action", "watched", "rule", "chain", "key", "public_roots", "require_valid_origin", "mark"
}  # fmt: skip


def parse_config(text: str) -> Config:
    """The configuration in a JSON document; raises UsageError, in one line, for any other text."""
    given = _object(text)
    mode = _choice(given, "mode", Mode)
    watched = given["watched"]
    if watched is not None and not (isinstance(watched, list) and all(_is_name(name) for name in watched)):
        raise UsageError("watched: a list of names or null")
    return Config(
        mode=mode,
        action=_choice(given, "action", Deed),
        watch=Watch.of(watched),
        rule=_choice(given, "rule", LeafRule),
        issuer=_issuer(_text(given, "chain"), _text(given, "key")),
        public_roots=_roots(_text(given, "public_roots")),
        require_valid_origin=_boolean(given, "require_valid_origin"),
        port=_number(given, "port", 1, MAX_NUMBER) if mode is Mode.PROXY else 0,
        queue=_number(given, "queue", 0, MAX_NUMBER) if mode is Mode.INLINE else 0,
        mark=_number(given, "mark", 1, MAX_MARK),
    )


def _object(text: str) -> Mapping[str, Any]:
    if len(text) > MAX_CONFIG:
        raise UsageError("a configuration of more than {max_config} characters", max_config=MAX_CONFIG)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("the configuration is not JSON") from None
    if not isinstance(given, dict):
        raise UsageError("the configuration is not a JSON object")
    given = dict.fromkeys(OPTIONAL) | given
    if given.keys() != FIELDS:
        wrong = sorted(FIELDS ^ given.keys())
        raise UsageError("missing or unknown fields: {ascii}", ascii=", ".join(map(ascii, wrong))[:200])
    return given


def _choice(given: Mapping[str, Any], name: str, choices: type[E]) -> E:
    value = given[name]
    if not isinstance(value, str) or value not in set(choices):
        raise UsageError("{name}: one of {choices}", name=name, choices=", ".join(choices))
    return choices(value)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise UsageError("{name}: text", name=name)
    return value


def _boolean(given: Mapping[str, Any], name: str) -> bool:
    value = given[name]
    if not isinstance(value, bool):
        raise UsageError("{name}: true or false", name=name)
    return value


def _number(given: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError("{name}: a number from {least} to {most}", name=name, least=least, most=most)
    return value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip("."))


def _roots(pem: str) -> TrustStore:
    try:
        return parse_store(pem.encode(), name="public_roots", version="lab", date="2020-01-01")
    except UnicodeEncodeError:
        raise UsageError("public_roots: not PEM") from None


def _issuer(chain: str, key: str) -> Credential:
    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        raise UsageError("chain: not certificates in PEM") from None
    try:
        loaded = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        raise UsageError("key: not an unencrypted private key in PEM") from None
    if not isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UsageError("key: neither RSA nor ECDSA")
    if loaded.public_key() != certificates[0].public_key():
        raise UsageError("key: not that of the first certificate of chain")
    return Credential(certificates[0], loaded, tuple(certificates[1:]))
