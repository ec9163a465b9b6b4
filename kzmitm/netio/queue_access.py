"""Where a queue's server is, as whom we come to it, and what it may answer."""

import os
import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.netio.nats_keys import Nkey, NkeyError, parse_nkey
from kzmitm.wording import Wording, reason_of

DEFAULT_PORT = 4222
MAX_CREDENTIALS = 1 << 16

_JWT = re.compile(r"-+BEGIN NATS USER JWT-+\s+(\S+)\s+-+END NATS USER JWT-+", re.ASCII)
_SEED = re.compile(r"^(SU[A-Z2-7]{56})\s*$", re.ASCII | re.MULTILINE)
_NOTE = re.compile(r"^# (campaign|vantage) ([a-z0-9][a-z0-9_-]{0,39})\s*$", re.ASCII | re.MULTILINE)
_PASSWORD = re.compile(r"([^\s:#]+):(\S+)\s*")


class QueueError(KzmitmError):
    """The server did not do it: no link, no answer, or no room. It can be tried again."""


class QueueFullError(QueueError):
    """The server takes no more until somebody takes what is there."""


class MessageTooLargeError(QueueError):
    """The server never takes a message of this size."""


def kind_of(error: Exception) -> type[QueueError]:
    """Which of ours a complaint of the server or its library is, by its words: most have no other mark."""
    text = str(error).lower()
    if "payload" in text or "message size" in text:
        return MessageTooLargeError
    return QueueFullError if "maximum" in text else QueueError


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a consumer, what it was given and has not done, and how many ask for more."""

    waiting: int
    under_way: int
    asking: int

    @property
    def is_empty(self) -> bool:
        return not self.waiting and not self.under_way


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """`context` is of TLS; None only for a server on this computer."""

    host: str
    port: int
    context: ssl.SSLContext | None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.context else 'nats'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An nkey, with a JWT or alone; or a user and password. Never shown."""

    nkey: Nkey | None = field(default=None, repr=False)
    jwt: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    campaign: str = ""
    """What the file says it is for, in comments (`# campaign NAME`, `# vantage NAME`)."""
    vantage: str = ""


def parse_server(text: str, *, ca_file: Path | None = None) -> ServerAddress:
    """The server of `tls://HOST[:PORT]`; `nats://`, without TLS, only on loopback. Raises UsageError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if parts.scheme not in ("tls", "nats") or not host or parts.path.strip("/") or parts.query:
        raise UsageError("--server: not a server: {text}", hint="tls://HOST:4222", text=repr(text[:80]))
    if parts.username or parts.password:
        raise UsageError("--server: a password does not belong there", hint="put USER:PASSWORD into --creds")
    if parts.scheme == "nats":
        if not is_here(host):
            raise UsageError(
                "--server: nats:// has no TLS, and the server is not on this computer",
                hint="tls://HOST:4222",
            )
        return ServerAddress(host, port, None)
    return ServerAddress(host, port, _context(ca_file))


def read_credentials(path: Path) -> Credentials:
    """As whom to come: an nkey seed, a .creds file, or `USER:PASSWORD`; raises UsageError."""
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            text = file.read(MAX_CREDENTIALS).decode("utf-8", "replace")
    except OSError as exc:
        raise UsageError("--creds: {path}: {why}", path=path, why=reason_of(exc)) from None
    if os.name != "nt" and mode & 0o077:
        raise UsageError("--creds: {path}: others can read it", hint="chmod 600 {path}", path=path)
    notes: dict[str, Any] = {found[1]: found[2] for found in _NOTE.finditer(text)}
    jwt, seed = _JWT.search(text), _SEED.search(text)
    if seed is not None:
        try:
            return Credentials(nkey=parse_nkey(seed[1]), jwt=jwt[1] if jwt else "", **notes)
        except NkeyError as exc:
            raise UsageError("--creds: {path}: the seed is {why}", path=path, why=exc) from None
    bare = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    password = _PASSWORD.fullmatch(bare)
    if password is None:
        raise UsageError(
            "--creds: {path}: no credentials that we know",
            hint="an nkey seed (SU…), a .creds file, or USER:PASSWORD",
            path=path,
        )
    return Credentials(user=password[1], password=password[2], **notes)


def is_here(host: str) -> bool:
    """The host is this computer."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as exc:
        why = Wording("no certificates in PEM") if isinstance(exc, ssl.SSLError) else reason_of(exc)
        raise UsageError("--ca: {ca_file}: {why}", ca_file=ca_file, why=why) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
