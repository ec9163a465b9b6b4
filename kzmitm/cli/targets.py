"""What to scan: words of the command line, watch lists of the registry, files with one target a line."""

import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from kzmitm.cli.sources import STDIN
from kzmitm.errors import UsageError
from kzmitm.model.target import SAME_AS_HOSTNAME, Target
from kzmitm.pki.registry import Registry
from kzmitm.report.language import _
from kzmitm.targets import TargetList, parse_targets, read_targets, spooled_targets

DEFAULT = "default"
CONTROLS = "controls"
"""Watch lists of the registry: the one scanned unless something is named, and names nobody would touch."""

DEFAULT_CONTROLS = 3
"""Controls that go with the default list: enough to be outvoted by no accident, few enough to be quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The targets of a scan in order; iterate it as often as needed."""

    parts: tuple[Iterable[Target], ...]
    count: int
    names: tuple[str, ...] = ()
    """The lists they come from; empty for those of the command line."""
    sensitive: tuple[str, ...] = ()
    """Those of the lists that expose who scans them."""
    gentle: bool = False
    """Scanned one at a time with pauses, unless the user says otherwise."""
    sni: str | None = SAME_AS_HOSTNAME
    """Asked for instead of the host name."""

    def __iter__(self) -> Iterator[Target]:
        targets = chain.from_iterable(self.parts)
        if self.sni == SAME_AS_HOSTNAME:
            return targets
        return (replace(target, sni=self.sni) for target in targets)


def select(words: Sequence[str], lists: Sequence[str], registry: Registry, stack: ExitStack) -> Selection:
    """The targets that the command line means: without any, the default list and its controls.

    A list that can be read only once (stdin, a pipe) is kept in a temporary file until `stack` is closed.
    """
    if words and lists:
        raise UsageError(
            _("give either targets or --list, not both"), hint=_("put the targets into the file of the list")
        )
    if words:
        targets = parse_targets(words)
        return Selection(parts=(targets,), count=len(targets))
    wanted = [(name, _find(name, registry, stack)) for name in lists]
    if not lists:
        for name, most in ((DEFAULT, None), (CONTROLS, DEFAULT_CONTROLS)):
            wanted.append((name, _watchlist(name, registry)[:most]))
    watched = [name for name, found in wanted if not isinstance(found, TargetList)]
    return Selection(
        parts=tuple(found for _name, found in wanted),
        count=sum(len(found) for _name, found in wanted),
        names=tuple(name for name, _found in wanted),
        sensitive=tuple(name for name in watched if registry.watchlists[name].sensitive),
        gentle=DEFAULT in watched,
    )


def default_count(registry: Registry) -> int:
    """How many targets the default scan has."""
    with ExitStack() as stack:
        return select((), (), registry, stack).count


def _watchlist(name: str, registry: Registry) -> tuple[Target, ...]:
    if name not in registry.watchlists:
        raise UsageError(
            "the registry holds no list {name}", hint=_("name targets, or --list FILE"), name=name
        )
    return parse_targets(registry.watchlists[name].names)


def _find(name: str, registry: Registry, stack: ExitStack) -> TargetList | tuple[Target, ...]:
    if name in registry.watchlists:
        return _watchlist(name, registry)
    path = Path(name)
    if name == STDIN:
        return stack.enter_context(spooled_targets(sys.stdin.buffer))
    if path.is_file():
        return read_targets(path)
    if path.is_dir():
        raise UsageError(
            "--list: {name} is a directory", hint=_("name a file with one target a line"), name=name
        )
    if path.exists():
        return stack.enter_context(spooled_targets(stack.enter_context(path.open("rb")), name=name))
    near = difflib.get_close_matches(name, registry.watchlists, n=1)
    known = (
        _("did you mean {near}?").format(near=near[0])
        if near
        else _("lists: {watchlists}; or name a file").format(watchlists=", ".join(registry.watchlists))
    )
    raise UsageError("--list: no list and no file is called {name}", hint=known, name=name)
