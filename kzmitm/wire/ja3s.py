"""JA3S: the MD5 of version, suite and extensions of a ServerHello.

The method is Salesforce's (BSD licence, https://github.com/salesforce/ja3). It depends on the hello that
was answered, so values can be compared for one hello profile only. JA4S and its kin are left out: their
licence is not an open one.
"""

from hashlib import md5

from kzmitm.model.observation import TLSObservation
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana.suites import NAMES
from kzmitm.wire.iana.versions import VERSIONS

_NUMBERS = {name: number for number, name in NAMES.items()}
_UNKNOWN = "TLS_CIPHER_SUITE_UNKNOWN_"
_LEGACY_VERSION = 0x0303
"""What a ServerHello of TLS 1.3 says (RFC 8446, 4.1.3)."""
_OF_HELLO = frozenset({ext.SUPPORTED_VERSIONS, ext.KEY_SHARE, ext.COOKIE})
"""The extensions of TLS 1.3 that stand in the ServerHello itself and not in EncryptedExtensions."""


def ja3s_text(observation: TLSObservation) -> str | None:
    """`version,suite,type-type-…` in decimal; None if no ServerHello was read, or not by our own engine."""
    number = _NUMBERS.get(observation.cipher_suite)
    if observation.cipher_suite.startswith(_UNKNOWN):
        number = int(observation.cipher_suite.removeprefix(_UNKNOWN))
    versions = [number for number, name in VERSIONS.items() if name == observation.version]
    if number is None or not versions or observation.hello.engine != "kzmitm":
        return None
    version = min(versions[0], _LEGACY_VERSION)
    types = observation.server_extensions
    if versions[0] > _LEGACY_VERSION:
        inside = next((i for i, kind in enumerate(types) if kind not in _OF_HELLO), len(types))
        types = types[:inside]
    return f"{version},{number},{'-'.join(map(str, types))}"


def ja3s(observation: TLSObservation) -> str | None:
    """The 32 digits, None where `ja3s_text` is."""
    text = ja3s_text(observation)
    return None if text is None else md5(text.encode(), usedforsecurity=False).hexdigest()
