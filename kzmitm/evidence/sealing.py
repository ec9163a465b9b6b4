"""Encrypting a finished bundle to a partner's key, so that who finds the file cannot open it.

The format is age's (https://age-encryption.org/v1): the partner opens it with `age -d` or `rage -d`, and
needs nothing of ours. pyrage writes it; it is an extra, and imported when a key is read.

Keys come from strangers. pyrage 1.4 panics on an X25519 key of low order, but only when it encrypts, which
is after the scan; to an Ed25519 key of low order it encrypts, and everybody can open that. It takes an ssh
key with octets left over, which age refuses. So keys are checked here, when they are read.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from kzmitm.errors import UsageError
from kzmitm.wording import Wording, reason_of

SEALED_SUFFIX = ".age"
"""Is appended to the name of a sealed file."""
_MAGIC = b"age-encryption.org/v1\n"

MAX_FILE = 1 << 18
"""Octets of a file of recipients: as many as may be of ssh-rsa with 4096 bits are a fifth of it."""
MAX_LINE = 8 << 10
"""Octets of a line; as age and sshd have it."""
MAX_RECIPIENTS = 64
"""Each of them can open everything: more is a server's authorized_keys, not a list of partners."""

_HINT = Wording(
    'give age1… (`age-keygen -y FILE` prints it), "ssh-ed25519 AAAA…" in quotes, or a file of such lines'
)
_SSH_KINDS = {"ssh-ed25519": 2, "ssh-rsa": 3}
"""What age encrypts to, and of how many strings such a key consists (RFC 8709, RFC 4253)."""
_SSH_KIND = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]{1,60}", re.ASCII)
_AGE_KEY = re.compile(r"age1[0-9a-z]{40,}", re.ASCII)
"""Long enough to be no file's name; a key of X25519 has 62 characters."""
_SECRETS = (
    (re.compile(r"age-secret-key-"), "AGE-SECRET-KEY-…", "age-keygen -y FILE"),
    (
        re.compile(r"\bage-plugin-[0-9a-z-]*-1[0-9a-z]{6}"),
        "AGE-PLUGIN-…",
        Wording("the plugin's own command"),
    ),
    (re.compile(r"private key-----"), "PRIVATE KEY", "ssh-keygen -y -f FILE"),
    (re.compile(r"putty-user-key-file-"), "PuTTY-User-Key-File-…", "puttygen FILE -O public-openssh"),
)
"""How secret halves are known, in lower case; how messages call them; what prints the public half."""

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_P = 2**255 - 19
"""The prime of Curve25519 (RFC 7748, section 4.1)."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who will be able to open what is sealed; made by `parse_recipient`."""

    text: str
    """The public key, without any comment."""
    key: Any = field(repr=False, compare=False)
    """As pyrage parsed it."""


def is_available() -> bool:
    """True if pyrage is installed and loads."""
    try:
        _pyrage()
    except UsageError:
        return False
    return True


def _pyrage() -> Any:
    try:
        import pyrage  # noqa: PLC0415 (an extra)
    except ImportError:
        hint = Wording("pip install 'kzmitm[seal]'")
        raise UsageError("sealing needs pyrage, which is not installed", hint=hint) from None
    return pyrage


def parse_recipient(text: str) -> Recipient:
    """The recipient of a key: `age1…`, or `ssh-ed25519 AAAA…` or `ssh-rsa AAAA…` with or without a comment.

    Raises UsageError, which never repeats the key: it could be a secret one, mistyped.
    """
    _refuse_secret(text)
    pyrage = _pyrage()
    if len(text.strip().splitlines()) > 1:
        raise UsageError("more than one line where one key is expected", hint=_HINT)
    kind, *rest = text.split() or [""]
    if kind.casefold().startswith("age1"):
        return _age_recipient(pyrage, kind, rest)
    if kind in _SSH_KINDS:
        return _ssh_recipient(pyrage, kind, rest)
    if _SSH_KIND.fullmatch(kind):
        raise UsageError(
            "{kind}: age cannot encrypt to such a key", hint="give age1… or ssh-ed25519 AAAA…", kind=kind
        )
    raise UsageError("not a public key of age or ssh", hint=_HINT)


def _refuse_secret(text: str) -> None:
    folded = text.casefold()
    for mark, name, command in _SECRETS:
        if mark.search(folded):
            raise UsageError(
                "{name}: that is the secret half of a key, which must not leave its owner",
                hint="give the public half ({command} prints it); if the key came from somebody, tell them",
                name=name,
                command=command,
            )


def _age_recipient(pyrage: Any, word: str, rest: list[str]) -> Recipient:
    if rest:
        raise UsageError("a key of age has nothing after it", hint=_HINT)
    if "1" in word[4:]:
        raise UsageError(
            "a plugin's or post-quantum key of age", hint="give age1… as age-keygen makes it without options"
        )
    try:
        key = pyrage.x25519.Recipient.from_str(word)
    except (pyrage.RecipientError, UnicodeError):
        raise UsageError(
            "not a key of age: incomplete or mistyped", hint="copy it again: 62 characters, age1…"
        ) from None
    text = str(key)
    _refuse_low_order(_x25519_point(text))
    return Recipient(text, key)


def _ssh_recipient(pyrage: Any, kind: str, rest: list[str]) -> Recipient:
    if not rest:
        raise UsageError(
            "{kind}: the key itself is missing", hint="put kind and key in quotes, as one word", kind=kind
        )
    text = f"{kind} {rest[0]}"
    fields = _ssh_fields(rest[0])
    try:
        key = pyrage.ssh.Recipient.from_str(text)
    except (pyrage.RecipientError, UnicodeError):
        key = None
    except BaseException as exc:
        # Its Rust half panics on some broken keys of ssh-rsa; a panic is no Exception.
        if type(exc).__name__ != "PanicException":
            raise
        key = None
    if key is None or len(fields) != _SSH_KINDS[kind] or fields[0] != kind.encode():
        size = Wording("; of ssh-rsa, 2048 to 4096 bits") if kind == "ssh-rsa" else ""
        raise UsageError(
            "not a key of {kind}: incomplete, mistyped or unfit",
            hint="copy the whole .pub file{size}",
            kind=kind,
            size=size,
        )
    if kind == "ssh-ed25519":
        _refuse_low_order(_montgomery(fields[1]))
    return Recipient(text, key)


def _ssh_fields(encoded: str) -> list[bytes]:
    """The strings of a public key (RFC 4253, section 6.6); none if anything is missing or left over."""
    try:
        rest = base64.b64decode(encoded, validate=True)
    except ValueError:
        return []
    if base64.b64encode(rest).decode() != encoded:
        return []
    fields = []
    while rest:
        end = 4 + int.from_bytes(rest[:4], "big")
        if len(rest) < end:
            return []
        fields.append(rest[4:end])
        rest = rest[end:]
    return fields


def _x25519_point(text: str) -> bytes:
    """The octets of a valid key of age: in Bech32 (BIP 173), 52 characters between `age1` and checksum."""
    value = 0
    for character in text[4:-6]:
        value = value << 5 | _BECH32.index(character)
    return (value >> 4).to_bytes(32, "big")


def _montgomery(ed25519: bytes) -> bytes:
    """The point as age uses it for X25519: u = (1 + y) / (1 - y) (RFC 7748, section 4.1)."""
    y = int.from_bytes(ed25519, "little") & ~(1 << 255)
    return ((1 + y) * pow(1 - y, _P - 2, _P) % _P).to_bytes(32, "little")


def _refuse_low_order(point: bytes) -> None:
    """A shared secret with such a point is zero for everybody (RFC 7748, section 6.1)."""
    try:
        # Any key will do: all are multiples of the small orders.
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(X25519PublicKey.from_public_bytes(point))
    except ValueError:
        raise UsageError(
            "a key to which everybody could open the file (a point of low order)",
            hint="do not use it, and ask its sender where it came from",
        ) from None


def read_recipients(value: str) -> tuple[Recipient, ...]:
    """The recipients of `--seal-to`: a key itself, or the path of a file with one a line (as for `age -R`).

    Raises UsageError that says which line is wrong.
    """
    _refuse_secret(value)
    kind, *rest = value.split() or [""]
    is_ssh = kind in _SSH_KINDS or bool(rest and _SSH_KIND.fullmatch(kind))
    if is_ssh or _AGE_KEY.fullmatch(kind.casefold()):
        return (parse_recipient(value),)
    _pyrage()
    recipients = tuple(dict.fromkeys(_recipients_in(value)))
    if not recipients:
        raise UsageError("{value} holds no key", hint=_HINT, value=value)
    if len(recipients) > MAX_RECIPIENTS:
        raise UsageError(
            "{value} holds more than {max_recipients} keys",
            hint="name the partners only",
            value=value,
            max_recipients=MAX_RECIPIENTS,
        )
    return recipients


def _recipients_in(path: str) -> Iterator[Recipient]:
    for number, line in enumerate(_lines(path), 1):
        if not line or line.startswith(b"#"):
            continue
        if len(line) > MAX_LINE:
            raise UsageError(
                "{value}:{number}: line longer than {max_line} octets",
                hint=_HINT,
                value=path,
                number=number,
                max_line=MAX_LINE,
            )
        try:
            # Comments of ssh keys come in any encoding; they are left out anyway.
            yield parse_recipient(line.decode("utf-8", "replace"))
        except UsageError as exc:
            raise UsageError(
                "{value}:{number}: {why}", hint=exc.hint, value=path, number=number, why=exc
            ) from None


def _lines(path: str) -> list[bytes]:
    if not path.strip():
        raise UsageError("no key and no file given", hint=_HINT)
    try:
        with Path(path).open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "not a path"
        raise UsageError("cannot read {path}: {reason}", hint=_HINT, path=path, reason=reason) from None
    if len(octets) > MAX_FILE:
        raise UsageError("{path}: longer than {max_file} octets", hint=_HINT, path=path, max_file=MAX_FILE)
    return [line.strip() for line in octets.removeprefix(b"\xef\xbb\xbf").splitlines()]


def seal(octets: bytes, recipients: Sequence[Recipient]) -> bytes:
    """The octets as an age file that each recipient alone can open; raises ValueError without any."""
    if not recipients:
        raise ValueError("sealing to nobody")
    sealed: bytes = _pyrage().encrypt(octets, [recipient.key for recipient in recipients])
    return sealed


def is_sealed(head: bytes) -> bool:
    """True if a file that begins so is an age file (binary, as `seal` writes it)."""
    return head.startswith(_MAGIC)
