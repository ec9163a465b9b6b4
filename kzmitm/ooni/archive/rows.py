"""The rows that one reading of an archive leaves: what was measured, every handshake, every certificate once.

Rows say what a measurement holds and judge nothing; verdicts are made of them again and again. The columns
are described in docs/archive.md; `EXTRACT_FORMAT` is raised when one changes.
"""

from typing import Final

import msgspec

EXTRACT_FORMAT: Final = "kzmitm.extract/1.0"

MAX_TEXT: Final = 300
"""Characters kept of a failure, a name or an input: OONI's longest failures quote whole error messages."""


class MeasurementRow(msgspec.Struct, kw_only=True, gc=False):
    """One measurement. `doc` numbers the documents of a part; `uid` is OONI's, or made of the content.

    What it says of lookups, connects and the control (from `dns_failure` on) is empty where the probe
    verified all its handshakes: they settle everything, and most measurements are such.
    """

    doc: int
    uid: str
    digest: int = 0
    """CRC-32 of the document: whether two of one uid are the same."""
    source: str = ""
    line: int = 0
    time: str = ""
    """UTC, `YYYY-MM-DD HH:MM:SS`: when it was measured."""
    cc: str = ""
    asn: int = 0
    network: str = ""
    test: str = ""
    test_version: str = ""
    software: str = ""
    software_version: str = ""
    input: str = ""
    host: str = ""
    handshakes: int = 0
    dns_failure: str = ""
    """Of the system's resolver: "" if it answered or was not asked."""
    addresses: int = 0
    """How many addresses the system's resolver gave."""
    tcp_failure: str = ""
    """Why connects failed, if all did."""
    control: str = ""
    """`ok`, the failure of the control, or "" if there is none."""
    control_dns: str = ""
    """`ok`, the failure of the control's lookup, or ""."""
    control_tcp: str = ""
    """`ok` if the control reached any address, else a failure, or ""."""
    in_control: bool | None = None
    """An address of the system's resolver is the control's; None if one of them looked nothing up."""
    private: bool = False
    """The system's resolver gave private addresses only."""
    own: bool = False
    """It is ours and lies whole in the extract, to be judged as a scan is."""


class HandshakeRow(msgspec.Struct, kw_only=True, gc=False):
    """One TLS handshake; what is constant in a measurement stands here again, as columns cost nothing.

    `control` and `in_control` are empty where the probe verified all handshakes of the measurement.
    """

    doc: int
    n: int
    time: str = ""
    asn: int = 0
    test: str = ""
    software: str = ""
    host: str = ""
    """Of the input."""
    role: str = ""
    """"" for the site itself; `trace`, `other_name` or a role of ours for what was asked beside it."""
    depth: int = 0
    """How many redirects led here."""
    ip: str = ""
    port: int = 0
    private: bool = False
    """The address is one that no public server can have."""
    name: str = ""
    """The server_name sent, which is the name verified."""
    failure: str = ""
    verified: bool = True
    """The probe checked the chain: without a failure, its word is that the chain is good."""
    version: str = ""
    chain: str = ""
    """Of what the probe kept: after a failure, one certificate, and not always the leaf."""
    control: str = ""
    """Of the same endpoint and name: `ok`, its failure, or "" where the control did not try.

    `page` where an old control tells of no handshakes, and fetched the page over TLS with this address.
    """
    in_control: bool | None = None
    """The address is the control's, or in a network of its; None if the control looked nothing up."""


class ChainRow(msgspec.Struct, kw_only=True, gc=False):
    """A chain as kept: SHA-256 of its certificates in order."""

    chain: str
    certificates: list[str]


class CertificateRow(msgspec.Struct, kw_only=True, gc=False):
    """A certificate: SHA-256 and DER."""

    sha256: str
    der: bytes


COLUMNS: Final = {
    "measurements": {
        "doc": "UINTEGER", "uid": "VARCHAR", "digest": "UINTEGER", "source": "VARCHAR", "line": "UINTEGER",
        "time": "TIMESTAMP", "cc": "VARCHAR", "asn": "UINTEGER", "network": "VARCHAR", "test": "VARCHAR",
        "test_version": "VARCHAR", "software": "VARCHAR", "software_version": "VARCHAR", "input": "VARCHAR",
        "host": "VARCHAR", "handshakes": "USMALLINT", "dns_failure": "VARCHAR", "addresses": "USMALLINT",
        "tcp_failure": "VARCHAR", "control": "VARCHAR", "control_dns": "VARCHAR", "control_tcp": "VARCHAR",
        "in_control": "BOOLEAN", "private": "BOOLEAN", "own": "BOOLEAN",
    },
    "handshakes": {
        "doc": "UINTEGER", "n": "USMALLINT", "time": "TIMESTAMP", "asn": "UINTEGER", "test": "VARCHAR",
        "software": "VARCHAR", "host": "VARCHAR", "role": "VARCHAR", "depth": "UTINYINT", "ip": "VARCHAR",
        "port": "USMALLINT", "private": "BOOLEAN", "name": "VARCHAR", "failure": "VARCHAR",
        "verified": "BOOLEAN", "version": "VARCHAR", "chain": "VARCHAR", "control": "VARCHAR",
        "in_control": "BOOLEAN",
    },
    "chains": {"chain": "VARCHAR", "certificates": "VARCHAR[]"},
    "certificates": {"sha256": "VARCHAR", "der": "BLOB"},
}  # fmt: skip
"""Tables of a part and the types of their columns in SQL, in order."""
