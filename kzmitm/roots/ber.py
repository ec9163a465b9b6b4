"""BER (X.690) as encoders of messages and keystores write it: indefinite lengths, strings in parts.

`kzmitm.pki.der` reads what is signed, and DER only. This reads what is around it, within a budget of elements
so that the time stays linear in the octets whatever they are. Errors are DERError there and here.
"""

from dataclasses import dataclass

from kzmitm.pki.der import DERError

MAX_DEPTH = 12
"""Elements of indefinite length, or parts of a string, within one another; encoders make five."""
MAX_ELEMENTS = 100_000
"""Elements that are looked at: 0.1 s. A list of all roots ever has a thousand."""

INTEGER, OCTETS, OID, SEQUENCE = 0x02, 0x04, 0x06, 0x30
CONSTRUCTED, EXPLICIT = 0x20, 0xA0

_INDEFINITE = 0x80
_MAX_LENGTH_OCTETS = 8
_END = b"\0\0"


@dataclass(frozen=True, slots=True)
class Element:
    """An element: it begins at `begin`, its content is `start:stop`, the next one begins at `after`."""

    tag: int
    begin: int
    start: int
    stop: int
    after: int


class Reader:
    """Reads elements of some octets, all in all at most MAX_ELEMENTS."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._left = MAX_ELEMENTS

    def content(self, element: Element) -> bytes:
        return self._octets[element.start : element.stop]

    def first(self) -> Element:
        """The element that the octets begin with."""
        return self._element(0, len(self._octets), 0)

    def parts(self, container: Element, tag: int, count: int) -> list[Element]:
        """The elements of a container of this tag; raises DERError if there are fewer than `count`."""
        if container.tag != tag:
            raise DERError(
                "tag {tag} in the place of {tag_2}", tag=f"{container.tag:#04x}", tag_2=f"{tag:#04x}"
            )
        found, pos = [], container.start
        while pos < container.stop:
            found.append(self._element(pos, container.stop, 0))
            pos = found[-1].after
        if len(found) < count:
            raise DERError("parts are missing")
        return found

    def string(self, element: Element, depth: int = 0) -> bytes:
        """An octet string, in one piece or in parts (X.690, 8.7)."""
        if element.tag == OCTETS:
            return self.content(element)
        if depth >= MAX_DEPTH:
            raise DERError("strings within strings")
        parts = self.parts(element, OCTETS | CONSTRUCTED, 0)
        return b"".join([self.string(one, depth + 1) for one in parts])

    def _element(self, pos: int, end: int, depth: int) -> Element:
        """The element at `pos`, whose end may have to be looked for."""
        self._left -= 1
        if self._left < 0:
            raise DERError("more than {max_elements} elements", max_elements=MAX_ELEMENTS)
        if pos + 2 > end:
            raise DERError("cut short")
        tag, length, start = self._octets[pos], self._octets[pos + 1], pos + 2
        if tag & 0x1F == 0x1F:
            raise DERError("a tag of several octets")
        if length == _INDEFINITE:
            stop = self._end_of(start, end, depth)
            return Element(tag, pos, start, stop, stop + len(_END))
        if length > _INDEFINITE:
            count = length & 0x7F
            if count > _MAX_LENGTH_OCTETS:
                raise DERError("a length of too many octets")
            length, start = int.from_bytes(self._octets[start : start + count]), start + count
        if start + length > end:
            raise DERError("reaches past its container")
        return Element(tag, pos, start, start + length, start + length)

    def _end_of(self, pos: int, end: int, depth: int) -> int:
        """Where the content of an element of indefinite length ends (X.690, 8.1.3.6)."""
        if depth >= MAX_DEPTH:
            raise DERError("elements within elements")
        while self._octets[pos : min(pos + len(_END), end)] != _END:
            pos = self._element(pos, end, depth + 1).after
        return pos
