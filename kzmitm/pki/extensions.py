"""The extensions of RFC 5280, 4.2 that judging needs, each read from its value's octets.

Every function raises `DERError` and nothing else on any octets.
"""

from dataclasses import dataclass, field
from ipaddress import IPv6Address

from kzmitm.pki import der
from kzmitm.pki.der import DERError, read_tlv
from kzmitm.pki.memo import memo
from kzmitm.pki.names import parse_name

SUBJECT_KEY_ID = "2.5.29.14"
KEY_USAGE = "2.5.29.15"
SUBJECT_ALT_NAME = "2.5.29.17"
BASIC_CONSTRAINTS = "2.5.29.19"
NAME_CONSTRAINTS = "2.5.29.30"
CERTIFICATE_POLICIES = "2.5.29.32"
POLICY_MAPPINGS = "2.5.29.33"
AUTHORITY_KEY_ID = "2.5.29.35"
POLICY_CONSTRAINTS = "2.5.29.36"
EXT_KEY_USAGE = "2.5.29.37"
INHIBIT_ANY_POLICY = "2.5.29.54"
AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1"
SIGNED_CERTIFICATE_TIMESTAMPS = "1.3.6.1.4.1.11129.2.4.2"
"""Inside the certificate itself (RFC 6962, 3.3)."""

KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
"""RFC 5280, 4.2.1.3, by bit number (nonRepudiation under its newer name)."""

# The context tags of GeneralName (RFC 5280, 4.2.1.6).
OTHER_NAME = 0xA0
RFC822_NAME = 0x81
DNS_NAME = 0x82
X400_ADDRESS = 0xA3
DIRECTORY_NAME = 0xA4
EDI_PARTY_NAME = 0xA5
URI_NAME = 0x86
IP_ADDRESS = 0x87
REGISTERED_ID = 0x88
GENERAL_NAMES = frozenset(
    (
        OTHER_NAME,
        RFC822_NAME,
        DNS_NAME,
        X400_ADDRESS,
        DIRECTORY_NAME,
        EDI_PARTY_NAME,
        URI_NAME,
        IP_ADDRESS,
        REGISTERED_ID,
    )
)

MAX_GENERAL_NAMES = 4096
"""The largest certificates in use name about 2,000 hosts; more is an attack on us."""

_CA_ISSUERS = bytes.fromhex("2b06010505073002")


@dataclass(slots=True)
class AltNames:
    """A subjectAltName: hosts and addresses as text, and every name as (tag, content)."""

    dns: list[str] = field(default_factory=list)
    ip: list[str] = field(default_factory=list)
    every: list[tuple[int, bytes]] = field(default_factory=list)


def read_alt_names(value: bytes) -> AltNames:
    """The names of a subjectAltName value. Raises DERError on none, too many, or a malformed one."""
    start, stop = der.whole(value, der.SEQUENCE)
    names = AltNames()
    while start < stop:
        tag, first, last = read_tlv(value, start, stop)
        content, start = value[first:last], last
        if tag == DNS_NAME:
            names.dns.append(host_text(content))
        elif tag == IP_ADDRESS:
            names.ip.append(address_text(content))
        elif tag == DIRECTORY_NAME:
            parse_name(content)
        elif tag == OTHER_NAME:
            _, pos = der.read_oid(content, 0, len(content))
            der.expect(content, pos, len(content), 0xA0)
        elif tag not in GENERAL_NAMES:
            raise DERError("tag {tag} is no name", tag=f"{tag:#04x}")
        names.every.append((tag, content))
        if len(names.every) > MAX_GENERAL_NAMES:
            raise DERError("more than {max_general_names} names", max_general_names=MAX_GENERAL_NAMES)
    if not names.every:
        raise DERError("no name")
    return names


def host_text(content: bytes) -> str:
    r"""A dNSName as text; octets outside ASCII, which no valid one has, as `\xNN`."""
    return content.decode("ascii", "backslashreplace")


def address_text(content: bytes) -> str:
    """An iPAddress as text. Raises DERError unless it has 4 or 16 octets."""
    if len(content) == 4:
        return ".".join(map(str, content))
    if len(content) == 16:
        return str(IPv6Address(content))
    raise DERError("an address of {count} octets", count=len(content))


@memo(256)
def read_basic_constraints(value: bytes) -> tuple[bool, int | None]:
    """The cA flag and pathLenConstraint (None: no limit)."""
    start, stop = der.whole(value, der.SEQUENCE)
    is_ca, path_length = False, None
    if start < stop and value[start] == der.BOOLEAN:
        first, last = der.expect(value, start, stop, der.BOOLEAN)
        is_ca, start = der.read_boolean(value, first, last), last
    if start < stop:
        first, last = der.expect(value, start, stop, der.INTEGER)
        path_length, start = der.read_integer(value, first, last), last
        if path_length < 0:
            raise DERError("a negative path length")
    if start != stop:
        raise DERError("more than cA and pathLenConstraint")
    return is_ca, path_length


@memo(256)
def read_key_usage(value: bytes) -> frozenset[str]:
    """The names of the bits that are set."""
    _, octets = der.read_bits(value, *der.whole(value, der.BIT_STRING))
    bits = int.from_bytes(octets, "big")
    width = len(octets) * 8
    return frozenset(
        name for number, name in enumerate(KEY_USAGES) if number < width and bits >> (width - 1 - number) & 1
    )


@memo(256)
def read_ext_key_usage(value: bytes) -> frozenset[str]:
    """The purposes as dotted OIDs, at least one."""
    start, stop = der.whole(value, der.SEQUENCE)
    if start == stop:
        raise DERError("no purpose")
    purposes = []
    while start < stop:
        purpose, start = der.read_oid(value, start, stop)
        purposes.append(purpose)
    return frozenset(purposes)


def read_subject_key_id(value: bytes) -> bytes:
    """The key identifier."""
    start, stop = der.whole(value, der.OCTET_STRING)
    return value[start:stop]


@memo(256)
def read_authority_key_id(value: bytes) -> tuple[bytes | None, bool]:
    """The key identifier if there is one, and whether issuer or serial are named as well."""
    start, stop = der.whole(value, der.SEQUENCE)
    key_id, others = None, False
    for tag, _, first, last in der.elements(value, start, stop):
        if tag == 0x80:
            key_id = value[first:last]
        elif tag in (0xA1, 0x82):
            others = True
        else:
            raise DERError("tag {tag} in an authority key identifier", tag=f"{tag:#04x}")
    return key_id, others


@memo(256)
def read_ca_issuers(value: bytes) -> bool:
    """True if an authorityInfoAccess says where the issuer's certificate can be had."""
    start, stop = der.whole(value, der.SEQUENCE)
    descriptions = der.elements(value, start, stop)
    if not descriptions:
        raise DERError("no access description")
    found = False
    for tag, _, first, last in descriptions:
        if tag != der.SEQUENCE:
            raise DERError("an access description is no sequence")
        inner, end = der.expect(value, first, last, der.OID)
        location, _, stop_location = read_tlv(value, end, last)
        if location not in GENERAL_NAMES or stop_location != last:
            raise DERError("an access location is no name")
        found = found or value[inner:end] == _CA_ISSUERS
    return found
