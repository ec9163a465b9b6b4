"""Trust settings of macOS, as `security trust-settings-export` writes them: what each says of a certificate.

https://developer.apple.com/documentation/security/sectrustsettingscopytrustsettings(_:_:_:) and
SecTrustSettings.h. Pure: the property list in, values out.
"""

import plistlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any
from xml.parsers.expat import ExpatError

from kzmitm.errors import WordedError
from kzmitm.roots.values import Purpose, Trust

MAX_SETTINGS = 1_000
"""Settings of one certificate; the dialogue of Keychain Access makes nine."""


class _Result(IntEnum):
    """SecTrustSettingsResult."""

    TRUST_ROOT = 1
    TRUST_AS_ROOT = 2
    DENY = 3
    UNSPECIFIED = 4


_SERVER = bytes.fromhex("2a864886f763640103")
_POLICIES: Mapping[bytes, Purpose] = {
    _SERVER: Purpose.SERVER,  # 1.2.840.113635.100.1.3, CSSMOID_APPLE_TP_SSL
    bytes.fromhex("2a864886f763640108"): Purpose.EMAIL,
    bytes.fromhex("2a864886f763640110"): Purpose.CODE,
}
"""Object identifiers of policies, content only; those of others are no purposes of ours."""
_HOST = "kSecTrustSettingsPolicyString"
_CLIENT_SIDE = "sslClient"


class TrustSettingsError(WordedError, ValueError):
    """Not the property list of trust settings; the message says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSetting:
    """What the settings of a domain say of one certificate."""

    trust: Trust | None
    """None if they say nothing, so that another domain decides."""
    purposes: frozenset[Purpose] | None = None
    """What it is trusted for; None if for everything, or nothing."""
    changed_at: datetime | None = None


def read_trust_settings(octets: bytes) -> Mapping[str, TrustSetting]:
    """The settings by SHA-1 of the certificate in hex, upper case; raises TrustSettingsError."""
    try:
        document = plistlib.loads(octets)
        listed = document["trustList"]
        return {key.upper(): _setting(value) for key, value in listed.items() if isinstance(value, dict)}
    except (ExpatError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as exc:
        why = " ".join(str(exc).split())[:200]
        raise TrustSettingsError("trust settings that cannot be read: {why}", why=why) from None
    except AttributeError:
        raise TrustSettingsError("trust settings that are no list of certificates") from None


def _setting(entry: dict[str, Any]) -> TrustSetting:
    changed = entry.get("modDate")
    changed_at = changed.replace(tzinfo=UTC) if isinstance(changed, datetime) else None
    rules = entry.get("trustSettings")
    if not isinstance(rules, list) or not rules:
        # “An empty array: always trust this certificate”; without one it is the same.
        return TrustSetting(trust=Trust.TRUSTED, changed_at=changed_at)
    said = [_rule(rule) for rule in rules[:MAX_SETTINGS] if isinstance(rule, dict)]
    denied = {purpose for result, purpose in said if result is _Result.DENY}
    trusted = {purpose for result, purpose in said if result in (_Result.TRUST_ROOT, _Result.TRUST_AS_ROOT)}
    if denied & {None, Purpose.SERVER}:
        return TrustSetting(trust=Trust.DISTRUSTED, changed_at=changed_at)
    if not trusted:
        return TrustSetting(trust=None, changed_at=changed_at)
    purposes = _purposes(trusted, denied)
    is_for_servers = purposes is None or Purpose.SERVER in purposes
    trust = Trust.TRUSTED if is_for_servers else Trust.PRESENT
    return TrustSetting(trust=trust, purposes=purposes, changed_at=changed_at)


def _purposes(
    trusted: set[Purpose | str | None], denied: set[Purpose | str | None]
) -> frozenset[Purpose] | None:
    if None not in trusted:
        return frozenset(each for each in trusted if isinstance(each, Purpose))
    taken = frozenset(each for each in denied if isinstance(each, Purpose))
    return frozenset(Purpose) - taken if taken else None


def _rule(rule: dict[str, Any]) -> tuple[_Result | None, Purpose | str | None]:
    """What a rule says, and of which purpose: None for all, a text for one that is none of ours.

    A rule for one host that trusts is taken for one of all hosts, as somebody's traffic is at stake there;
    one that denies says nothing of the others.
    """
    number = rule.get("kSecTrustSettingsResult", _Result.TRUST_ROOT)
    result = _Result(number) if number in tuple(_Result) else None
    if result is _Result.DENY and _HOST in rule:
        result = None
    policy = rule.get("kSecTrustSettingsPolicy")
    if policy is None:
        return result, None
    if rule.get("kSecTrustSettingsPolicyName") == _CLIENT_SIDE:
        return result, Purpose.CLIENT
    return result, _POLICIES.get(policy, "other") if isinstance(policy, bytes) else "other"
