"""macOS: its keychains, and what the user, administrators and Apple have the system trust of them.

A certificate in a keychain is not trusted by lying there: trust settings say so, the user's before those of
administrators. The kinds are `macos_user`, `macos_admin` and `macos_system`. Keychains are asked for through
the system's own `security`, which reads them without locking anybody out.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kzmitm.errors import WordedError
from kzmitm.roots.macos_trust import TrustSetting, TrustSettingsError, read_trust_settings
from kzmitm.roots.pem import read_certificates
from kzmitm.roots.system import MAX_STORE, System
from kzmitm.roots.values import Origin, Platform, Store, StoredRoot, StoreReading, Trust
from kzmitm.wording import Wording, joined, reason_of

PLATFORMS = frozenset({Platform.MACOS})

SECURITY = "/usr/bin/security"
TIMEOUT = 10.0
"""Seconds for one question; the roots of the system take a fraction of one."""
PROFILES = "/private/var/db/ConfigurationProfiles/Settings/.profilesAreInstalled"

BY_PROFILES = Wording(
    "profiles of an organisation are installed, and what they have the system trust is not told to programs; "
    "look in System Settings, General, Device Management"
)
NOT_READ = Wording("a keychain of another system, whose form is not read; run kzmitm there")
NO_SETTINGS = "No Trust Settings were found"
"""How `security` says that a domain has none, with a status that is not 0."""


class _NoAnswerError(WordedError):
    """The message says why, in one line."""


@dataclass(frozen=True, slots=True)
class _Keychain:
    kind: str
    application: str
    path: str
    origin: Origin
    profile: str = ""


@dataclass(frozen=True, slots=True)
class _Settings:
    """The settings of the user and of administrators, in the order in which they count."""

    domains: tuple[Mapping[str, TrustSetting], ...]
    problem: str

    def root(self, der: bytes, keychain: _Keychain) -> StoredRoot:
        # SHA-1 is how macOS names certificates there.
        name = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
        said = (domain[name] for domain in self.domains if name in domain)
        setting = next((each for each in said if each.trust is not None), None)
        if setting is None or setting.trust is None:
            trust = Trust.TRUSTED if keychain.origin is Origin.VENDOR else Trust.PRESENT
            return StoredRoot(der=der, trust=trust, origin=keychain.origin)
        return StoredRoot(
            der=der,
            trust=setting.trust,
            origin=keychain.origin,
            purposes=setting.purposes,
            added_at=setting.changed_at,
        )


def read(system: System) -> Iterator[StoreReading]:
    """Every keychain that is there, with the trust of its certificates if it is this computer's."""
    keychains = [keychain for keychain in _keychains(system) if system.is_file(keychain.path)]
    settings = _settings() if system.is_live and keychains else None
    for keychain in keychains:
        store = Store(
            kind=keychain.kind,
            application=keychain.application,
            path=keychain.path,
            profile=keychain.profile,
        )
        if settings is None:
            yield StoreReading(store=store, problem=NOT_READ)
            continue
        try:
            held = read_certificates(_ask("find-certificate", "-a", "-p", keychain.path))
        except _NoAnswerError as exc:
            yield StoreReading(store=store, problem=str(exc))
            continue
        roots = tuple(settings.root(found.der, keychain) for found in held.certificates)
        problem = held.problem or settings.problem
        if not problem and keychain.origin is Origin.ADMIN and system.is_file(PROFILES):
            problem = BY_PROFILES
        yield StoreReading(store=store, roots=roots, problem=problem)


def _keychains(system: System) -> Iterator[_Keychain]:
    for home in system.homes():
        user = home.rpartition("/")[2]
        for name in ("login.keychain-db", "login.keychain"):
            path = f"{home}/Library/Keychains/{name}"
            yield _Keychain("macos_user", Wording("macOS (this user)"), path, Origin.USER, user)
    path = "/Library/Keychains/System.keychain"
    yield _Keychain("macos_admin", Wording("macOS (all users)"), path, Origin.ADMIN)
    path = "/System/Library/Keychains/SystemRootCertificates.keychain"
    yield _Keychain("macos_system", "macOS", path, Origin.VENDOR)


def _settings() -> _Settings:
    """The settings in force; a domain that gives no answer is a problem, as a root in it may be trusted."""
    domains, problems = [], []
    for options in ((), ("-d",)):
        try:
            domains.append(_exported(*options))
        except (_NoAnswerError, TrustSettingsError) as exc:
            problems.append(str(exc))
    return _Settings(tuple(domains), joined("; ", problems))


def _exported(*options: str) -> Mapping[str, TrustSetting]:
    with tempfile.TemporaryDirectory(prefix="kzmitm-") as folder:
        file = Path(folder) / "settings.plist"
        try:
            _ask("trust-settings-export", *options, str(file))
            octets = file.read_bytes()
        except _NoAnswerError as exc:
            if NO_SETTINGS in str(exc):
                return {}
            raise
        except OSError as exc:
            raise _NoAnswerError("trust settings were not exported: {why}", why=reason_of(exc)) from None
    return read_trust_settings(octets)


def _ask(*words: str) -> bytes:
    """The answer of `security`; raises _NoAnswerError."""
    try:
        done = subprocess.run(  # noqa: S603 (a program of the system, by its path)
            [SECURITY, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise _NoAnswerError(
            "security {words} gave no answer within {timeout} s", words=words[0], timeout=f"{TIMEOUT:.0f}"
        ) from None
    except OSError as exc:
        raise _NoAnswerError(
            "security {words} did not start: {why}", words=words[0], why=reason_of(exc)
        ) from None
    if done.returncode:
        why = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
        raise _NoAnswerError("security {words} failed: {why}", words=words[0], why=why)
    if len(done.stdout) > MAX_STORE:
        raise _NoAnswerError(
            "security {words}: more than {max_store} MiB, so it was not read",
            words=words[0],
            max_store=MAX_STORE >> 20,
        )
    return done.stdout
