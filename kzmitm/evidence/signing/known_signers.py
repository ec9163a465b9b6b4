"""`known_signers`: whose keys are known, in the format of OpenSSH's allowed signers (ssh-keygen(1)).

signer-0123456789abcdef,almaty-7 namespaces="kzmitm-bundle@v1" ssh-ed25519 AAAA…
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence.files import make_folder, read_regular, replace_file
from kzmitm.evidence.signing.sshsig import KEY_TYPE, PublicKey, SignatureError, parse_public_key

MAX_FILE = 1 << 20
"""Octets: some thousand signers."""

_LINE = re.compile(
    r'(?:"(?P<quoted>[^"]*)"|(?P<names>[^\s"]+))[ \t]+'
    r'(?:(?!ssh-|ecdsa-|sk-)(?P<options>(?:[^\s"]|"[^"]*")+)[ \t]+)?'
    r"(?P<kind>(?:ssh|ecdsa|sk)-\S+)[ \t]+(?P<key>\S+)(?:[ \t].*)?",
    re.ASCII,
)
"""Names, options, key, comment: what stands in quotes may hold blanks, and the comment anything."""
_OPTION = re.compile(r'(?P<name>[a-zA-Z-]+)(?:="(?P<value>[^"]*)")?', re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_OPTIONS = {"namespaces": True, "valid-after": True, "valid-before": True, "cert-authority": False}
"""Those of ssh-keygen(1), and whether they have a value."""
_TIME_FORMS = ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S")


@dataclass(frozen=True, slots=True)
class KnownSigner:
    """A key, the names that it is known by, and for what and when."""

    names: tuple[str, ...]
    key: PublicKey
    namespaces: tuple[str, ...] = ()
    """Patterns with `*` and `?`; `!` before one forbids what it matches. None means any."""
    after: datetime | None = None
    before: datetime | None = None

    def signs(self, namespace: str, now: datetime) -> bool:
        """True if the key may sign for a namespace at this time."""
        if self.namespaces and not _matches(namespace, self.namespaces):
            return False
        return (self.after is None or self.after <= now) and (self.before is None or now < self.before)


@dataclass(frozen=True, slots=True)
class KnownSigners:
    """All that are known."""

    signers: tuple[KnownSigner, ...] = ()

    def names_of(self, key: PublicKey, namespace: str, now: datetime) -> tuple[str, ...]:
        """What a key is known as, the first name first; () if it is not known."""
        known = (each for each in self.signers if each.key == key and each.signs(namespace, now))
        return tuple(dict.fromkeys(name for each in known for name in each.names))

    def keys_of(self, name: str, namespace: str, now: datetime) -> tuple[PublicKey, ...]:
        """The keys that are known by a name."""
        known = (each for each in self.signers if name in each.names and each.signs(namespace, now))
        return tuple(each.key for each in known)


def read_known_signers(path: Path) -> KnownSigners:
    """What the file says, nothing if there is none; raises UsageError that names the line."""
    try:
        octets = read_regular(path, max_bytes=MAX_FILE)
    except FileNotFoundError:
        return KnownSigners()
    except BundleError as exc:
        raise UsageError("{why}", hint="name a file of known signers", why=exc) from None
    lines = octets.decode("utf-8", "replace").split("\n")
    found = (_parse(line, f"{path}:{number}") for number, line in enumerate(lines, 1))
    return KnownSigners(tuple(each for each in found if each is not None))


def check_name(name: str) -> None:
    """Raise UsageError for a name that a signer cannot be known by."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "not a name of a signer: {name}", hint="use letters, digits and . _ @ -", name=repr(name[:60])
        )


def remember(path: Path, names: Iterable[str], key: PublicKey, namespace: str) -> None:
    """Add a signer to the file; raises UsageError for a name that cannot stand there, OSError."""
    told = tuple(names)
    for name in told:
        check_name(name)
    before = read_regular(path, max_bytes=MAX_FILE) if path.exists() else b""
    if before and not before.endswith(b"\n"):
        before += b"\n"
    make_folder(path.parent)
    line = f'{",".join(told)} namespaces="{namespace}" {key.line}\n'
    replace_file(path, [before, line.encode("ascii")])


def _parse(line: str, where: str) -> KnownSigner | None:
    """The signer of a line; None for a comment, and for keys that no bundle is signed with."""
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    found = _LINE.fullmatch(text)
    if found is None:
        raise UsageError("{where}: no line of a signer", hint="NAME ssh-ed25519 AAAA…", where=where)
    options = _options(found["options"] or "", where)
    if found["kind"] != KEY_TYPE.decode() or "cert-authority" in options:
        return None
    try:
        key = parse_public_key(base64.b64decode(found["key"], validate=True))
    except (ValueError, SignatureError):
        raise UsageError(
            "{where}: a broken key", hint="copy the line again, as a whole", where=where
        ) from None
    return KnownSigner(
        names=tuple(filter(None, (found["quoted"] or found["names"] or "").split(","))),
        key=key,
        namespaces=tuple(filter(None, options.get("namespaces", "").split(","))),
        after=_time(options.get("valid-after"), where),
        before=_time(options.get("valid-before"), where),
    )


def _options(text: str, where: str) -> dict[str, str]:
    """`name="value"` by name; an unknown one is refused, as what it restricts is not known."""
    found: dict[str, str] = {}
    for part in re.findall(r'(?:[^,"]|"[^"]*")+', text):
        match = _OPTION.fullmatch(part)
        name = match["name"].lower() if match else ""
        needs_value = _OPTIONS.get(name)
        if (
            match is None
            or needs_value is None
            or name in found
            or (match["value"] is not None) != needs_value
        ):
            raise UsageError(
                "{where}: unknown option {part}", hint="see ssh-keygen(1)", where=where, part=repr(part[:40])
            )
        found[name] = match["value"] or ""
    return found


def _matches(text: str, patterns: Iterable[str]) -> bool:
    """Whether a list of patterns lets a text through, as OpenSSH's does (PATTERNS in ssh_config(5))."""
    allowed = False
    for each in patterns:
        if fnmatchcase(text, each.removeprefix("!").replace("[", "[[]")):
            if each.startswith("!"):
                return False
            allowed = True
    return allowed


def _time(text: str | None, where: str) -> datetime | None:
    """`YYYYMMDD[HHMM[SS]][Z]`; without Z it would be local time, which we take for UTC."""
    if text is None:
        return None
    digits = text.removesuffix("UTC").removesuffix("Z")
    if not (digits.isascii() and digits.isdigit()):
        raise UsageError(
            "{where}: not a time: {text}",
            hint="YYYYMMDD or YYYYMMDDHHMMSSZ",
            where=where,
            text=repr(text[:30]),
        )
    for form in _TIME_FORMS:
        if len(digits) == len(datetime(2000, 1, 1, tzinfo=UTC).strftime(form)):
            try:
                return datetime.strptime(digits, form).replace(tzinfo=UTC)
            except ValueError:
                break
    raise UsageError(
        "{where}: not a time: {text}", hint="YYYYMMDD or YYYYMMDDHHMMSSZ", where=where, text=repr(text[:30])
    )
