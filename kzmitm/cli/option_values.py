"""Values of options that several verbs share: read and checked."""

import re
from urllib.parse import urlsplit

from kzmitm.errors import UsageError
from kzmitm.model.target import to_ascii_hostname
from kzmitm.report.language import _

MAX_SNI_OCTETS = 4096
"""Far above any name, so that odd ones can be tried, and small enough for one TLS record."""
MAX_TIMEOUT_S = 600.0
MAX_RATE = 100_000.0

_ASN = re.compile(r"(?:AS)?([1-9][0-9]{0,9})", re.ASCII | re.IGNORECASE)
_COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII)


def within(option: str, value: float | None, least: float, most: float) -> None:
    """Raise UsageError for a number out of its range."""
    # not (a <= x <= b) refuses NaN too.
    if value is not None and not least <= value <= most:
        raise UsageError(
            "{option}: {value} is not possible",
            hint="give a number from {least} to {most}",
            option=option,
            value=f"{value:{'d' if isinstance(value, int) else 'g'}}",
            least=f"{least:g}",
            most=f"{most:g}",
        )


def resolver_url(text: str | None) -> str | None:
    """The URL of --doh, "" for none, None for our own choice; raises UsageError."""
    if text is None or text == "none":
        return "" if text else None
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and text.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            "--doh: not the address of a resolver: {text}",
            hint="write https://ADDRESS/dns-query, or none",
            text=text[:100],
        )
    return text


def network_number(text: str | None) -> str:
    """The number of --probe-asn, AS0 without one; raises UsageError."""
    if text is None:
        return "AS0"
    found = _ASN.fullmatch(text)
    if found is None:
        raise UsageError("--probe-asn: not a network number: {text}", hint="write it like AS9198", text=text)
    return f"AS{found[1]}"


def country_code(text: str | None) -> str:
    """The country of --probe-cc, ZZ without one; raises UsageError."""
    if text is None:
        return "ZZ"
    if not _COUNTRY.fullmatch(text):
        raise UsageError("--probe-cc: not a country code: {text}", hint=_("two letters, like KZ"), text=text)
    return text.upper()


def server_name(text: str, longest: int = MAX_SNI_OCTETS) -> str | None:
    """What --sni asks for: no name for `none`, the A-labels of a name in other letters (RFC 6066, section 3).

    What is no host name is asked for as it is, as servers may differ about it. Raises UsageError.
    """
    if not 0 < len(text.encode(errors="replace")) <= longest:
        raise UsageError(
            "--sni: not 1 to {max_sni_octets} octets",
            hint="give a shorter name, or `none`",
            max_sni_octets=longest,
        )
    if text == "none":
        return None
    if text.isascii():
        return text
    try:
        return to_ascii_hostname(text)
    except ValueError:
        return text
