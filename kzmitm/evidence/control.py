"""Control files (`kzmitm.control/1.0`): what names look like at a clean place.

Per name and port the set of chains, as a name has several at once, with the time each was last seen; the
addresses; and network failures. A chain that no store trusts is kept too: where a site is broken for
everybody, the same chain here and there says so. Whether a chain is trusted is judged again by whoever
reads it, at the time it was seen; the file claims nothing.
"""

import base64
import hashlib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence.files import read_regular, replace_file
from kzmitm.evidence.json_reader import UnreadableJSONError, parse_json
from kzmitm.evidence.json_writer import canonical
from kzmitm.model.codec import CodecError, format_time, from_json
from kzmitm.model.measurement import ControlChain, ControlEntry, Measurement
from kzmitm.model.observation import Role
from kzmitm.model.target import is_ip, to_ascii_hostname
from kzmitm.model.verdict import Outcome

SCHEMA = "kzmitm.control/1.0"
VERSION = "1.0"
_SCHEMA_FAMILY = "kzmitm.control/1."

MAX_PORT = 65535
MAX_CHAINS = 16
"""Chains kept of a name, the newest: RSA and ECDSA twins at a handful of locations."""
MAX_IPS = 64
"""Addresses kept of a name; content networks rotate through more, and one in common is enough."""
MAX_FAILURES = 8
"""Failure strings kept of a name; there are some thirty."""
MAX_FILE = 1 << 28
"""Octets of a control file: 80,000 names."""

Control = dict[tuple[str, int], ControlEntry]
"""Entries by host name and port."""

_SAME_NAME = frozenset({Role.FIRST, Role.REPEAT, Role.OTHER_ADDRESS, Role.OTHER_HELLO, Role.CONTROL})
"""Roles that ask for the name itself; the rest ask for other names at its address."""

_NOT_GENUINE = frozenset(
    {
        Outcome.INTERCEPTION,
        Outcome.TRUSTED_UNEXPECTED,
        Outcome.CAPTIVE_PORTAL,
        Outcome.DNS_HIJACK,
        Outcome.BLOCKED,
    }
)


def is_worth_recording(outcome: Outcome) -> bool:
    """False for what shows that the place is not clean for this name: it would excuse the next forgery."""
    return outcome not in _NOT_GENUINE


def entry_of(measurement: Measurement) -> ControlEntry:
    """What one measurement adds to the control of its target."""
    target = measurement.target
    asked = [o for o in measurement.tls if o.role in _SAME_NAME and o.sni == target.sni]
    shown = [o for o in asked if o.presented_chain and not o.chain_truncated]
    steps = (asked, measurement.tcp, measurement.dns)
    failures = next((found for step in steps if (found := [o.failure for o in step if o.failure])), [])
    return _bounded(
        ControlEntry(
            hostname=target.hostname,
            port=target.port,
            chains=tuple(
                ControlChain(chain=o.presented_chain, seen_at=measurement.started_at, ip=o.endpoint.ip)
                for o in shown
            ),
            ips=(*(o.endpoint.ip for o in shown), *(ip for o in measurement.dns for ip in o.ips)),
            failures=() if shown else tuple(failures),
        )
    )


def merge(older: ControlEntry, newer: ControlEntry) -> ControlEntry:
    """The union of two entries of one name; of each kind the newest that fit."""
    return _bounded(
        ControlEntry(
            hostname=newer.hostname,
            port=newer.port,
            chains=newer.chains + older.chains,
            ips=newer.ips + older.ips,
            failures=newer.failures + older.failures,
        )
    )


def add(control: Control, entry: ControlEntry) -> None:
    """Put an entry into `control`, merged with the one that is there."""
    key = entry.hostname, entry.port
    known = control.get(key)
    control[key] = entry if known is None else merge(known, entry)


def _bounded(entry: ControlEntry) -> ControlEntry:
    """Each chain once, with the time it was last seen, newest first."""
    distinct: dict[tuple[bytes, ...], ControlChain] = {}
    for chain in sorted(entry.chains, key=lambda chain: chain.seen_at, reverse=True):
        distinct.setdefault(chain.chain, chain)
    return ControlEntry(
        hostname=entry.hostname,
        port=entry.port,
        chains=tuple(distinct.values())[:MAX_CHAINS],
        ips=tuple(dict.fromkeys(entry.ips))[:MAX_IPS],
        failures=tuple(dict.fromkeys(entry.failures))[:MAX_FAILURES],
    )


def write_control(path: Path, control: Mapping[tuple[str, int], ControlEntry]) -> None:
    """Write a control file, whole or not at all; each certificate stands in it once. Raises OSError."""
    certificates = {
        hashlib.sha256(der).hexdigest(): der
        for entry in control.values()
        for chain in entry.chains
        for der in chain.chain
    }
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "names": [_entry_to_json(control[key]) for key in sorted(control)],
        "certificates": {name: base64.b64encode(der).decode() for name, der in certificates.items()},
    }
    replace_file(path, [canonical(document), b"\n"])


def _entry_to_json(entry: ControlEntry) -> dict[str, Any]:
    return {
        "hostname": entry.hostname,
        "port": entry.port,
        "chains": [
            {
                "certificates": [hashlib.sha256(der).hexdigest() for der in chain.chain],
                "seen_at": format_time(chain.seen_at),
                "ip": chain.ip,
            }
            for chain in entry.chains
        ],
        "ips": list(entry.ips),
        "failures": list(entry.failures),
    }


def read_control(path: Path) -> Control:
    """The entries of a control file; raises UsageError that says what is wrong with it, and where."""
    try:
        return parse_control(read_regular(path, max_bytes=MAX_FILE))
    except FileNotFoundError:
        raise UsageError(
            "{path}: no such control file",
            hint="make one at a clean place: kzmitm scan --record-control FILE",
            path=path,
        ) from None
    except (BundleError, UnreadableJSONError) as exc:
        raise UsageError(
            "{path}: {why}", hint="record it again with --record-control", path=path, why=exc
        ) from None


def parse_control(data: bytes) -> Control:
    """The entries of a control document; raises UnreadableJSONError or CodecError that names the field."""
    document = parse_json(data, max_bytes=MAX_FILE)
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or not schema.startswith(_SCHEMA_FAMILY):
        raise CodecError("$.schema: not a control file ({schema})", schema=SCHEMA)
    certificates = _certificates(document.get("certificates"))
    names = document.get("names")
    if not isinstance(names, list):
        raise CodecError("$.names: a list expected")
    control: Control = {}
    for i, name in enumerate(names):
        add(control, _entry(name, f"$.names[{i}]", certificates))
    return control


def _certificates(members: Any) -> dict[str, bytes]:
    if not isinstance(members, dict):
        raise CodecError("$.certificates: an object expected")
    certificates = {}
    for name, data in members.items():
        path = f"$.certificates.{name[:70]}"
        der = from_json(bytes, data, path)
        if hashlib.sha256(der).hexdigest() != name:
            raise CodecError("{path}: the content has another SHA-256", path=path)
        certificates[name] = der
    return certificates


def _entry(data: Any, path: str, certificates: Mapping[str, bytes]) -> ControlEntry:
    """An entry as ControlEntry is written, but for the hashes in the place of certificates."""
    if not isinstance(data, dict):
        raise CodecError("{path}: an object expected", path=path)
    chains = data.get("chains", [])
    if not isinstance(chains, list):
        raise CodecError("{path}.chains: a list expected", path=path)
    plain = {key: data[key] for key in ("hostname", "port", "ips", "failures") if key in data}
    entry = from_json(ControlEntry, plain, path)
    if not 0 < entry.port <= MAX_PORT:
        raise CodecError("{path}.port: not a port: {port}", path=path, port=entry.port)
    return _bounded(
        ControlEntry(
            hostname=_hostname(entry.hostname, f"{path}.hostname"),
            port=entry.port,
            chains=tuple(_chain(each, f"{path}.chains[{i}]", certificates) for i, each in enumerate(chains)),
            ips=entry.ips,
            failures=entry.failures,
        )
    )


def _hostname(text: str, path: str) -> str:
    """As targets are named: an entry that no target can ever match would fail in silence."""
    try:
        return str(ip_address(text)) if is_ip(text) else to_ascii_hostname(text)
    except ValueError as exc:
        raise CodecError("{path}: {why}", path=path, why=exc) from None


def _chain(data: Any, path: str, certificates: Mapping[str, bytes]) -> ControlChain:
    if not isinstance(data, dict):
        raise CodecError("{path}: an object expected", path=path)
    hashes = from_json(tuple[str, ...], data.get("certificates"), f"{path}.certificates")
    for i, sha256 in enumerate(hashes):
        if sha256 not in certificates:
            raise CodecError(
                "{path}.certificates[{i}]: no such certificate in the file: {sha256}",
                path=path,
                i=i,
                sha256=repr(sha256[:70]),
            )
    plain = {key: data[key] for key in ("seen_at", "ip") if key in data}
    chain = from_json(ControlChain, {**plain, "chain": []}, path)
    return ControlChain(
        chain=tuple(certificates[sha256] for sha256 in hashes), seen_at=chain.seen_at, ip=chain.ip
    )
