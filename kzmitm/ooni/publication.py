"""A measurement of ours as it may be published: what the bundle keeps for its owner is taken out.

And what OONI's collector demands of it, so that a line that it would refuse, or throw away without a word,
is found before it is sent (ooni/backend, `submit_measurement`).
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from kzmitm.model.failure import SCRUBBED
from kzmitm.ooni.decode import DecodeError, decode, is_own
from kzmitm.ooni.emit import DATA_FORMAT_VERSION, NO_ADDRESS, NO_RESOLVER, SOFTWARE_NAME
from kzmitm.ooni.fields import Fields
from kzmitm.wording import Wording

MAX_LINE = 800_000
"""Octets of a line that `oonireport upload` reads."""
NO_NETWORK = "AS0"
NO_COUNTRY = "ZZ"
OTHER_VANTAGE = "other"

_NETWORK = re.compile(r"AS(?:0|[1-9]\d{0,9})", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_TEST_NAME = re.compile(r"[a-z][a-z0-9_]{1,29}", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z_.+-]+", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)

_FORMS = {
    "probe_cc": _COUNTRY,
    "probe_asn": _NETWORK,
    "test_name": _TEST_NAME,
    "test_version": _VERSION,
    "software_version": _VERSION,
    "measurement_start_time": _TIME,
    "test_start_time": _TIME,
}
_VALUES = {
    "data_format_version": DATA_FORMAT_VERSION,
    "probe_ip": NO_ADDRESS,
    "resolver_ip": NO_RESOLVER,
    "report_id": "",
}
"""What we write; whoever changed it may have put an address there."""


def publishable(document: Mapping[str, Any], *, anonymous_network: bool = False) -> dict[str, Any]:
    """The document without what is only its owner's.

    Left out: the salt of the bundle (with it, the published lines would prove whose bundle they are from),
    what this computer's trust stores hold, the routers near it, names that the user gave to vantages, and
    addresses of resolvers that stand at home. With `anonymous_network` also the network, its name, and every
    address of a resolver.
    """
    keys = _object(document.get("test_keys"))
    told = {
        **document,
        "report_id": "",
        "annotations": _without(_object(document.get("annotations")), "salt"),
        "test_keys": keys
        | {
            "queries": [_query(row, anonymous=anonymous_network) for row in _rows(keys, "queries")],
            "tls_handshakes": [_handshake(row) for row in _rows(keys, "tls_handshakes")],
            "x_kzmitm": _own(_object(keys.get("x_kzmitm")), anonymous=anonymous_network),
        },
    }
    nobody = {"probe_asn": NO_NETWORK, "probe_network_name": ""}
    return told | nobody if anonymous_network else told


def complaint(document: Mapping[str, Any]) -> str:
    """Why a document is none of ours, or one that the collector refuses; "" if nothing is wrong."""
    try:
        own = Fields(document, "$").object("test_keys").object("x_kzmitm")
        if document.get("software_name") != SOFTWARE_NAME or not is_own(own):
            return Wording("not a measurement of kzmitm")
        decode(document)
    except DecodeError as exc:
        return str(exc)
    for name, form in _FORMS.items():
        value = document.get(name)
        if not isinstance(value, str) or not form.fullmatch(value):
            return Wording("{name} is not of the form that the collector takes", name=name)
    for name, value in _VALUES.items():
        if document.get(name) != value:
            return Wording("{name} is not {value}", name=name, value=repr(value))
    return ""


def is_thrown_away(document: Mapping[str, Any]) -> bool:
    """True if network or country is unknown: the collector accepts such measurements, and keeps none."""
    return document.get("probe_asn") == NO_NETWORK or document.get("probe_cc") == NO_COUNTRY


def _own(own: Mapping[str, Any], *, anonymous: bool) -> dict[str, Any]:
    vantage = _object(own.get("vantage"))
    named = vantage | {"id": vantage.get("kind", "")} if vantage else vantage
    if anonymous and named:
        named |= {"asn": NO_NETWORK, "network_name": ""}
    return _without(_without(own, "local_trust"), "trace") | {"vantage": named}


def _query(row: Mapping[str, Any], *, anonymous: bool) -> dict[str, Any]:
    address = row.get("resolver_address")
    is_told = not address or _is_known_to_all(str(address), networks=not anonymous)
    return dict(row) if is_told else {**row, "resolver_address": SCRUBBED}


def _is_known_to_all(address: str, *, networks: bool) -> bool:
    """True for encrypted DNS, and with `networks` for a provider's resolver.

    An IPv6 resolver may be the router at home, whose address begins as those of all computers there.
    """
    if address.startswith("https://"):
        return True
    try:
        return networks and ipaddress.IPv4Address(address.partition(":")[0]).is_global
    except ValueError:
        return False


def _handshake(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "x_vantage_id": OTHER_VANTAGE} if row.get("x_vantage_id") else dict(row)


def _object(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _rows(keys: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = keys.get(name)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _without(members: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}
