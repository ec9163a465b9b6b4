"""Lists of reflectors: one server a line, `HOST[:PORT] [ADDRESS] [AS64500]`, in any order after the host."""

import re
from collections.abc import Iterator
from pathlib import Path

from kzmitm.errors import UsageError
from kzmitm.model.reflection import Reflector
from kzmitm.model.target import is_ip, parse_target
from kzmitm.wording import Wording

MAX_REFLECTORS = 10_000
MAX_FILE = 4 << 20
"""Octets; ten thousand lines take a quarter of it."""

_ASN = re.compile(r"AS([1-9][0-9]{0,9})", re.ASCII | re.IGNORECASE)
_HINT = Wording("Write HOST[:PORT] [ADDRESS] [AS64500] per line; # starts a comment.")


def read_reflectors(path: Path) -> tuple[Reflector, ...]:
    """The servers of a list, doubles left out; raises UsageError that names file and line."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as exc:
        raise UsageError(
            "--reflectors: {path}: {strerror}",
            hint="name a file that can be read",
            path=path,
            strerror=exc.strerror,
        ) from exc
    if len(content) > MAX_FILE:
        raise UsageError(
            "--reflectors: {path}: larger than {max_file} MiB", hint=_HINT, path=path, max_file=MAX_FILE >> 20
        )
    found = tuple(dict.fromkeys(_lines(content, str(path))))
    if not found:
        raise UsageError("--reflectors: {path}: it names no server", hint=_HINT, path=path)
    if len(found) > MAX_REFLECTORS:
        raise UsageError(
            "--reflectors: {path}: more than {max_reflectors} servers",
            hint="make several lists of it",
            path=path,
            max_reflectors=MAX_REFLECTORS,
        )
    return found


def _lines(content: bytes, name: str) -> Iterator[Reflector]:
    text = content.decode("utf-8-sig", "replace")
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if words:
            try:
                yield _reflector(words)
            except ValueError as exc:
                raise UsageError(
                    "{name}:{number}: {why}", hint=_HINT, name=name, number=number, why=exc
                ) from exc


def _reflector(words: list[str]) -> Reflector:
    target = parse_target(words[0])
    if is_ip(target.hostname):
        raise ValueError(Wording("a server needs a name, for which its certificate is valid"))
    address: str | None = None
    asn = 0
    for word in words[1:]:
        number = _ASN.fullmatch(word)
        if number is not None and not asn:
            asn = int(number[1])
        elif is_ip(word) and address is None:
            address = word
        else:
            raise ValueError(Wording("neither an address nor a network number: {word}", word=repr(word[:40])))
    return Reflector(hostname=target.hostname, port=target.port, address=address, asn=asn)
