"""What to scan: words of the command line, a watch list of the registry, or a file with one target a line."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kzmitm.cli.sources import STDIN, read_file
from kzmitm.errors import UsageError
from kzmitm.model.target import Target, parse_target
from kzmitm.pki.registry import Registry

DEFAULT = "default"
CONTROLS = "controls"
"""Watch lists of the registry: the one scanned unless something is named, and names nobody would touch."""

MAX_LIST_OCTETS = 256 << 20
"""Ten million names; what is larger is no list of names."""

MAX_LINE = 2000
"""Octets of one line; a host name has 253."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetList:
    """Targets in order, each once.

    Lines are kept as octets and parsed as they are asked for: a long list costs little more memory than
    its file.
    """

    origin: str
    """What it is called in messages: a file, or the name of a watch list."""
    lines: tuple[bytes, ...] | bytes
    count: int
    sensitive: bool = False
    gentle: bool = False
    """Scanned one at a time with pauses, unless the user says otherwise."""

    def __iter__(self) -> Iterator[Target]:
        seen: set[int] = set()
        for _number, line in _lines(self.lines):
            target = parse_target(line.decode())
            if hash(target) not in seen:
                seen.add(hash(target))
                yield target


def targets_of(words: Sequence[str], names: Sequence[str], registry: Registry) -> TargetList:
    """The targets that the command line means; without any, the default list and its controls."""
    if words and names:
        raise UsageError(
            "give either targets or --list, not both", hint="put the targets into the file of the list"
        )
    if words:
        return _of_words(words)
    lists = [_named(name, registry) for name in names] or [
        _watchlist(DEFAULT, registry),
        _watchlist(CONTROLS, registry),
    ]
    return lists[0] if len(lists) == 1 else _joined(lists)


def _of_words(words: Sequence[str]) -> TargetList:
    lines = []
    for word in words:
        try:
            lines.append(str(parse_target(word)).encode())
        except ValueError as exc:
            raise UsageError(f"{word}: {exc}", hint="write HOST, HOST:PORT or https://HOST/") from exc
    return _counted("the command line", tuple(lines))


def _named(name: str, registry: Registry) -> TargetList:
    if name in registry.watchlists:
        return _watchlist(name, registry)
    if name != STDIN and not Path(name).exists():
        near = difflib.get_close_matches(name, registry.watchlists, n=1)
        known = (
            f"did you mean {near[0]}?" if near else f"lists: {', '.join(registry.watchlists)}; or name a file"
        )
        raise UsageError(f"--list: no list and no file is called {name}", hint=known)
    content = read_file(name, option="--list", max_octets=MAX_LIST_OCTETS).removeprefix(b"\xef\xbb\xbf")
    for number, line in _lines(content):
        try:
            parse_target(line[: MAX_LINE + 1].decode())
            if len(line) > MAX_LINE:
                raise ValueError(f"longer than {MAX_LINE} octets")  # noqa: TRY301 (one message for all)
        except ValueError as exc:
            reason = "not UTF-8" if isinstance(exc, UnicodeDecodeError) else str(exc)
            raise UsageError(
                f"{name}:{number}: {reason}", hint="one target a line; # begins a comment"
            ) from exc
    return _counted(name, content)


def _watchlist(name: str, registry: Registry) -> TargetList:
    if name not in registry.watchlists:
        raise UsageError(f"the registry holds no list {name}", hint="name targets, or --list FILE")
    entry = registry.watchlists[name]
    lines = tuple(host.encode() for host in entry.names)
    found = _counted(name, lines, sensitive=entry.sensitive)
    return TargetList(
        origin=found.origin,
        lines=found.lines,
        count=found.count,
        sensitive=entry.sensitive,
        gentle=name in {DEFAULT, CONTROLS},
    )


def _joined(lists: Iterable[TargetList]) -> TargetList:
    parts = tuple(lists)
    lines = tuple(line for part in parts for _number, line in _lines(part.lines))
    return TargetList(
        origin=", ".join(part.origin for part in parts),
        lines=lines,
        count=_counted("", lines).count,
        sensitive=any(part.sensitive for part in parts),
        gentle=any(part.gentle for part in parts),
    )


def _counted(origin: str, lines: tuple[bytes, ...] | bytes, *, sensitive: bool = False) -> TargetList:
    unread = TargetList(origin=origin, lines=lines, count=0)
    count = sum(1 for _target in unread)
    if not count:
        raise UsageError(f"{origin}: no target is in it", hint="one target a line; # begins a comment")
    return TargetList(origin=origin, lines=lines, count=count, sensitive=sensitive)


def _lines(content: tuple[bytes, ...] | bytes) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of what is no comment and not empty."""
    for number, line in enumerate(content if isinstance(content, tuple) else _split(content), 1):
        body = line.split(b"#", 1)[0].strip()
        if body:
            yield number, body


def _split(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        yield content[start:end]
        start = end + 1
