"""The ClientHello of a stranger (RFC 8446, 4.1.2): what it asks for, and the random that names its keys."""

from dataclasses import dataclass

from kzmitm.wire.iana.extensions import SERVER_NAME
from kzmitm.wire.limits import MESSAGE_HEADER
from kzmitm.wire.parsing import extensions, uint16, vector, whole_vector
from kzmitm.wire.violation import ViolationError
from kzmitm.wording import Wording

_RANDOM = 32
_HOST_NAME = 0


@dataclass(frozen=True, slots=True)
class ClientHello:
    """`sni` is None without the extension; `size` counts the octets of the message."""

    random: bytes
    sni: str | None
    size: int


def read_hello(message: bytes) -> ClientHello:
    """A ClientHello message with its header; raises ViolationError."""
    start = MESSAGE_HEADER + 2
    random = message[start : start + _RANDOM]
    if len(random) < _RANDOM:
        raise ViolationError(Wording("a ClientHello is cut off"))
    _, at = vector(message, start + _RANDOM, 1)
    _, at = vector(message, at, 2)
    _, at = vector(message, at, 1)
    found = extensions(whole_vector(message, at, 2)) if at < len(message) else {}
    names = found.get(SERVER_NAME)
    return ClientHello(random, None if names is None else _host_name(names), len(message))


def _host_name(body: bytes) -> str | None:
    """The first host name of the list (RFC 6066, 3), whatever characters it has."""
    names = whole_vector(body, 0, 2)
    at = 0
    while at < len(names):
        kind = names[at]
        name, at = vector(names, at + 1, 2)
        if kind == _HOST_NAME:
            return name.decode("ascii", "backslashreplace")
    return None


def selected_version(body: bytes) -> int:
    """The version in a ServerHello's supported_versions (RFC 8446, 4.2.1); raises ViolationError."""
    return uint16(body, 0)
