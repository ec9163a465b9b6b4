"""JARM: ten hellos, and a hash over what a server chooses of each; which TLS library it is, and how set up.

The method and its constants are Salesforce's (BSD licence, https://github.com/salesforce/jarm, jarm.py);
values are the same as everybody's, so that they can be looked up. Two servers with one hash are configured
alike, which is not to say that they are the same product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from kzmitm.wire.hello import encode_sni
from kzmitm.wire.iana.messages import ALERT, CLIENT_HELLO, HANDSHAKE, SERVER_HELLO
from kzmitm.wire.keyshare import Random
from kzmitm.wire.layout import prefixed, u16
from kzmitm.wire.limits import RECORD_HEADER

MAX_ANSWER = 1484
"""Octets of an answer that are looked at, as in the original."""

NOTHING = "0" * 62
"""The hash of a server that refuses all ten."""

_REFUSED = "|||"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number, 16) for number in text.split())


_SUITES = _numbers(
    "0016 0033 0067 c09e c0a2 009e 0039 006b c09f c0a3 009f 0045 00be 0088 00c4 009a c008 c009 c023 c0ac"
    " c0ae c02b c00a c024 c0ad c0af c02c c072 c073 cca9 1302 1301 cc14 c007 c012 c013 c027 c02f c014 c028"
    " c030 c060 c061 c076 c077 cca8 1305 1304 1303 cc13 c011 000a 002f 003c c09c c0a0 009c 0035 003d c09d"
    " c0a1 009d 0041 00ba 0084 00c0 0007 0004 0005"
)
_BEFORE_13 = tuple(suite for suite in _SUITES if suite >> 8 != 0x13)
_RANKS = {
    suite: rank
    for rank, suite in enumerate(
        _numbers(
            "0004 0005 0007 000a 0016 002f 0033 0035 0039 003c 003d 0041 0045 0067 006b 0084 0088 009a 009c"
            " 009d 009e 009f 00ba 00be 00c0 00c4 c007 c008 c009 c00a c011 c012 c013 c014 c023 c024 c027 c028"
            " c02b c02c c02f c030 c060 c061 c072 c073 c076 c077 c09c c09d c09e c09f c0a0 c0a1 c0a2 c0a3 c0ac"
            " c0ad c0ae c0af cc13 cc14 cca8 cca9 1301 1302 1303 1304 1305"
        ),
        start=1,
    )
}
"""What stands for a suite in the hash."""
_UNKNOWN_RANK = len(_RANKS) + 1

_PROTOCOLS = (
    (b"http/0.9",), (b"http/1.0",), (b"http/1.1",), (b"spdy/1",), (b"spdy/2",), (b"spdy/3", b"h2"), (b"h2c",),
    (b"hq",),
)  # fmt: skip
"""A comma is missing in the original, so that two of them keep their order when the rest is reversed."""
_RARE_PROTOCOLS = (
    (b"http/0.9",), (b"http/1.0",), (b"spdy/1",), (b"spdy/2",), (b"spdy/3",), (b"h2c",), (b"hq",),
)  # fmt: skip

_AFTER_NAME = bytes.fromhex("001700000001000101ff01000100000a000a0008001d001700180019000b0002010000230000")
"""extended_master_secret, max_fragment_length, renegotiation_info, groups, point formats, session_ticket."""
_SIGNATURE_ALGORITHMS = bytes.fromhex("000d00140012040308040401050308050501080606010201")
_PSK_MODES = bytes.fromhex("002d00020101")


def _same(values: Sequence[int]) -> Sequence[int]:
    return values


def _reverse(values: Sequence[int]) -> Sequence[int]:
    return values[::-1]


def _bottom_half(values: Sequence[int]) -> Sequence[int]:
    return values[(len(values) + 1) // 2 :]


def _top_half(values: Sequence[int]) -> Sequence[int]:
    """The middle one of an odd number, then the first half from its end."""
    return values[: (len(values) + 1) // 2][::-1]


def _middle_out(values: Sequence[int]) -> Sequence[int]:
    """From the middle of an odd number to both ends by turns, the later one first."""
    middle = len(values) // 2
    rest = [each for i in range(1, middle + 1) for each in (values[middle + i], values[middle - i])]
    return [values[middle], *rest]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One of the ten hellos, in the terms of the original."""

    version: int
    suites: Sequence[int]
    has_grease: bool = False
    has_rare_protocols: bool = False
    versions: tuple[int, ...] = ()
    """Of supported_versions; none for a hello without it."""
    is_reversed: bool = False
    """Protocols and versions from the strongest to the weakest."""


_TO_12 = (0x0301, 0x0302, 0x0303)
_TO_13 = (*_TO_12, 0x0304)

_QUESTIONS = (
    _Question(version=0x0303, suites=_same(_SUITES), versions=_TO_12, is_reversed=True),
    _Question(version=0x0303, suites=_reverse(_SUITES), versions=_TO_12),
    _Question(version=0x0303, suites=_top_half(_SUITES)),
    _Question(version=0x0303, suites=_bottom_half(_SUITES), has_rare_protocols=True),
    _Question(
        version=0x0303,
        suites=_middle_out(_SUITES),
        has_grease=True,
        has_rare_protocols=True,
        is_reversed=True,
    ),
    _Question(version=0x0302, suites=_same(_SUITES)),
    _Question(version=0x0304, suites=_same(_SUITES), versions=_TO_13, is_reversed=True),
    _Question(version=0x0304, suites=_reverse(_SUITES), versions=_TO_13),
    _Question(version=0x0304, suites=_same(_BEFORE_13), versions=_TO_13),
    _Question(
        version=0x0304, suites=_middle_out(_SUITES), versions=_TO_13, has_grease=True, is_reversed=True
    ),
)

HELLOS = len(_QUESTIONS)
"""Connections that a JARM costs."""


def jarm_hellos(sni: str, rng: Random) -> tuple[bytes, ...]:
    """The ten hellos, each a TLS record, in the order of the hash; raises UsageError for a name too long."""
    name = encode_sni(sni)
    return tuple(_hello(question, name, rng) for question in _QUESTIONS)


def _hello(question: _Question, name: bytes, rng: Random) -> bytes:
    in_13 = question.version == 0x0304
    suites = [u16(suite) for suite in question.suites]
    if question.has_grease:
        suites.insert(0, _grease(rng))
    body = u16(0x0303 if in_13 else question.version) + rng(32) + prefixed(rng(32), 1)
    body += prefixed(b"".join(suites), 2) + b"\x01\x00" + prefixed(_extensions(question, name, rng), 2)
    message = bytes((CLIENT_HELLO,)) + prefixed(body, 3)
    return bytes((HANDSHAKE,)) + u16(0x0301 if in_13 else question.version) + prefixed(message, 2)


def _grease(rng: Random) -> bytes:
    octet = rng(1)[0] & 0xF0 | 0x0A
    return bytes((octet, octet))


def _extensions(question: _Question, name: bytes, rng: Random) -> bytes:
    step = -1 if question.is_reversed else 1
    protocols = (_RARE_PROTOCOLS if question.has_rare_protocols else _PROTOCOLS)[::step]
    names = b"".join(prefixed(each, 1) for together in protocols for each in together)
    share = (_grease(rng) + b"\x00\x01\x00" if question.has_grease else b"") + b"\x00\x1d\x00\x20" + rng(32)
    parts = [
        _grease(rng) + b"\x00\x00" if question.has_grease else b"",
        b"\x00\x00" + prefixed(prefixed(b"\x00" + prefixed(name, 2), 2), 2),
        _AFTER_NAME,
        b"\x00\x10" + prefixed(prefixed(names, 2), 2),
        _SIGNATURE_ALGORITHMS,
        b"\x00\x33" + prefixed(prefixed(share, 2), 2),
        _PSK_MODES,
    ]
    if question.versions:
        versions = b"".join(u16(version) for version in question.versions[::step])
        if question.has_grease:
            versions = _grease(rng) + versions
        parts.append(b"\x00\x2b" + prefixed(prefixed(versions, 1), 2))
    return b"".join(parts)


# --- answers


def is_complete(answer: bytes) -> bool:
    """Whether enough came for `read_answer`: a whole record, or as much as is looked at."""
    if len(answer) >= MAX_ANSWER:
        return True
    return len(answer) >= RECORD_HEADER and len(answer) >= RECORD_HEADER + int.from_bytes(answer[3:5], "big")


class JARMQuestion:
    """One hello on its way: a Conversation that ends with the first record of the answer."""

    __slots__ = ("_hello", "answer", "done", "failure")

    def __init__(self, hello: bytes) -> None:
        self._hello = hello
        self.answer = b""
        self.failure: str | None = None
        self.done = False

    def start(self) -> tuple[bytes, ...]:
        return (self._hello,)

    def receive(self, data: bytes, t: float) -> bytes:
        del t
        self.answer += data[: MAX_ANSWER - len(self.answer)]
        self.done = self.done or is_complete(self.answer)
        return b""

    def receive_eof(self, t: float) -> None:
        del t
        self.done = True

    def fail(self, failure: str, t: float, detail: str = "") -> None:
        del t, detail
        if not self.done:
            self.failure = failure
            self.done = True


def read_answer(answer: bytes) -> str:
    """`suite|version|protocol|extensions` of a ServerHello; `|||` for an alert and all else."""
    record = RECORD_HEADER + int.from_bytes(answer[3:RECORD_HEADER], "big")
    answer = answer[: min(record, MAX_ANSWER)]
    if len(answer) < 44 or answer[0] == ALERT or answer[0] != HANDSHAKE or answer[5] != SERVER_HELLO:
        return _REFUSED
    offset = 44 + answer[43]  # behind the session id
    return f"{answer[offset : offset + 2].hex()}|{answer[9:11].hex()}|{_read_extensions(answer, offset + 3)}"


_ODDITIES = (b"\x0e\xac\x0b", b"\x0f\xf0\x0b")
"""What the original takes for the beginning of a certificate message."""


def _read_extensions(answer: bytes, offset: int) -> str:
    """Protocol and types from the extensions' length at `offset` on; `|` where there are none."""
    if len(answer) <= offset or answer[offset] == 11:  # a certificate message follows at once
        return "|"
    if answer[offset + 3 : offset + 6] == _ODDITIES[0] or answer[82:85] == _ODDITIES[1]:
        return "|"
    start = offset + 2
    end = start + int.from_bytes(answer[offset:start], "big") - 1
    types: list[str] = []
    protocol = ""
    while start < min(end, len(answer)):
        kind = answer[start : start + 2].hex()
        size = int.from_bytes(answer[start + 2 : start + 4], "big")
        if kind == "0010" and not protocol:
            protocol = answer[start + 7 : start + 4 + size].decode("latin-1")
        types.append(kind)
        start += 4 + size
    return f"{protocol}|{'-'.join(types)}"


def jarm_hash(answers: Sequence[bytes]) -> str:
    """The 62 digits of a JARM: suite and version of each of ten answers, and a hash of all else."""
    return hash_of(tuple(map(read_answer, answers)))


def hash_of(answers: Sequence[str]) -> str:
    """The same from what `read_answer` made of each."""
    if all(answer == _REFUSED for answer in answers):
        return NOTHING
    head, rest = "", ""
    for answer in answers:
        suite, version, protocol, types = answer.split("|", 3)
        head += _suite_digits(suite) + _version_digit(version)
        rest += protocol + types
    return head + sha256(rest.encode()).hexdigest()[:32]


def _suite_digits(suite: str) -> str:
    return f"{_RANKS.get(int(suite, 16), _UNKNOWN_RANK):02x}" if suite else "00"


def _version_digit(version: str) -> str:
    """`d` for 0303, by the last digit as in the original; those that no TLS has count as none."""
    return "abcdef"[int(version[3])] if version[3:4] in set("012345") else "0"
