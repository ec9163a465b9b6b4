r"""Distinguished names: text of every string type, and the comparison of RFC 5280, 7.1.

Reading is lenient, since names are evidence: octets that are no text of their type become `\xNN`.
"""

from kzmitm.model.certificate import Name, NameAttribute
from kzmitm.pki import der
from kzmitm.pki.der import DERError, read_tlv
from kzmitm.pki.memo import memo

UTF8_STRING = 0x0C
BMP_STRING = 0x1E
UNIVERSAL_STRING = 0x1C
PRINTABLE_STRING = 0x13
T61_STRING = 0x14
IA5_STRING = 0x16

MAX_NAME_ATTRIBUTES = 256
"""Real names have fewer than 20 attributes; the rest of a longer one is in the DER alone."""

_ENCODINGS = {
    UTF8_STRING: "utf-8",
    BMP_STRING: "utf-16-be",
    UNIVERSAL_STRING: "utf-32-be",
    T61_STRING: "latin-1",  # as every implementation in use reads it, whatever T.61 says
}


def text_of(tag: int, content: bytes) -> str:
    r"""The text of a string element; what cannot be decoded, and any other type, as `\xNN`."""
    encoding = _ENCODINGS.get(tag, "ascii")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("utf-8" if encoding == "ascii" else "ascii", "backslashreplace")


@memo(1024)
def parse_name(encoded: bytes) -> Name:
    """The name in these octets. Raises DERError if they are not a Name (RFC 5280, 4.1.2.4)."""
    start, stop = der.whole(encoded, der.SEQUENCE)
    if start == stop:
        return Name(encoded, ())
    attributes: list[NameAttribute] = []
    while start < stop:
        tag, pos, end = read_tlv(encoded, start, stop)
        if tag != der.SET or pos == end:
            raise DERError("a relative distinguished name is not a set of attributes")
        start = end
        while pos < end:
            inner, attribute_end = der.expect(encoded, pos, end, der.SEQUENCE)
            oid, value = der.read_oid(encoded, inner, attribute_end)
            kind, first, last = read_tlv(encoded, value, attribute_end)
            if last != attribute_end:
                raise DERError("a name attribute has more than a type and a value")
            attributes.append(NameAttribute(oid, text_of(kind, encoded[first:last])))
            pos = attribute_end
    return Name(encoded, tuple(attributes[:MAX_NAME_ATTRIBUTES]))


@memo(1024)
def canonical_name(encoded: bytes) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The name as RFC 5280, 7.1 compares it: per RDN the attributes, case folded, white space collapsed.

    Raises DERError if these octets are not a Name.
    """
    start, stop = der.whole(encoded, der.SEQUENCE)
    rdns = []
    for _, _, pos, end in der.elements(encoded, start, stop):
        rdn = []
        for _, _, inner, attribute_end in der.elements(encoded, pos, end):
            oid, value = der.read_oid(encoded, inner, attribute_end)
            kind, first, last = read_tlv(encoded, value, attribute_end)
            rdn.append((oid, " ".join(text_of(kind, encoded[first:last]).casefold().split())))
        rdns.append(tuple(sorted(rdn)))
    return tuple(rdns)


def same_name(one: Name, other: Name) -> bool:
    """True if both are the same name: equal octets, or equal by RFC 5280, 7.1."""
    if one.der == other.der:
        return True
    try:
        return canonical_name(one.der) == canonical_name(other.der)
    except DERError:
        return False


def name_key(name: Name) -> object:
    """A hashable key under which equal names fall together."""
    try:
        return canonical_name(name.der)
    except DERError:
        return name.der
