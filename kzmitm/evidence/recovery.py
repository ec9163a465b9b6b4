"""What killed writers left, put in order at the next start: bundles of what was measured, and no rubbish."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from kzmitm.errors import KzmitmError
from kzmitm.evidence.assembly import Assembled, assemble, whole_lines
from kzmitm.evidence.container import open_container
from kzmitm.evidence.files import remove_parts
from kzmitm.evidence.journal import BEGIN, END, PREFIX, Journal, Signing, read_journal
from kzmitm.evidence.locking import abandoned, alone_in
from kzmitm.evidence.medium import Folder
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.evidence.verification.bag_check import check_bag
from kzmitm.wording import Wording, reason_of

KeyOf = Callable[[Signing], SigningKey]
"""The key that a journal is to be signed with."""

_JOURNAL = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}", re.ASCII)
_TOLD = (OSError, ValueError, KzmitmError)
_DAMAGE = (LookupError, TypeError, AttributeError, RecursionError)
"""What our own code meets in documents that are none of ours, or were damaged."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A journal that was left: the bundle made of it, or why that could not be."""

    journal: Path
    bundle: Path | None
    why: str = ""


def recover(folder: Path, key_of: KeyOf) -> tuple[Recovered, ...]:
    """Make bundles of the journals in `folder`, and delete half-written files. What runs is left alone.

    Raises OSError if the folder cannot be read.
    """
    if not folder.is_dir():
        return ()
    with ExitStack() as claims:
        with alone_in(folder):
            remove_parts(folder)
            journals = [path for path in _journals(folder) if _is_claimed(path, claims)]
        if os.name == "nt":
            claims.close()  # a folder with an open file cannot be deleted there
        return tuple(found for path in journals if (found := _recover(path, key_of)) is not None)


def _journals(folder: Path) -> Iterator[Path]:
    """What we left ourselves: in a folder for all, another user's journal would be signed with our key."""
    for path in sorted(folder.glob(f"{PREFIX}*")):
        if not _JOURNAL.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue  # other programs may call theirs in a similar way
        if sys.platform == "win32" or path.stat().st_uid == os.geteuid():
            yield path


def _is_claimed(path: Path, claims: ExitStack) -> bool:
    """True if nobody is at a journal, and nobody will be until the end of `claims`."""
    if not os.path.lexists(path / BEGIN):
        with suppress(OSError):
            Folder(path).remove()  # killed before it began, or when all was done
        return False
    return claims.enter_context(abandoned(path / BEGIN))


def _recover(path: Path, key_of: KeyOf) -> Recovered | None:
    medium = Folder(path)
    try:
        medium.remove_parts()
        journal = read_journal(medium)
        if _is_empty(medium):
            medium.remove(BEGIN)
            return None
        return Recovered(path, write_bundle(journal, path, key_of(journal.signing)))
    except _TOLD as exc:
        return Recovered(path, None, reason_of(exc))
    except _DAMAGE as exc:
        return Recovered(path, None, Wording("not as kzmitm wrote it: {why}", why=repr(exc)))


def _is_empty(medium: Folder) -> bool:
    """Nothing was measured, and no end says that this is all."""
    return not medium.has(END) and next(whole_lines(medium), None) is None


def write_bundle(journal: Journal, path: Path, key: SigningKey) -> Path:
    """Write the bundle of the journal in the folder `path` beside it, and delete the journal.

    It gets the name that the user chose unless something else has it by now. Raises OSError; the journal is
    then as it was.
    """
    assembled = assemble(journal, key)
    bundle = _put(assembled, path.parent, str(journal.begin["target"] or ""))
    if isinstance(journal.medium, Folder):
        journal.medium.remove(BEGIN)
    return bundle


def _put(assembled: Assembled, folder: Path, chosen: str) -> Path:
    """Write a bundle, unless it is there since a writer was killed between this and the end."""
    place = folder / chosen
    if not chosen or place.name != chosen or (place.exists() and not _is_at(place, assembled)):
        place = folder / assembled.file_name
    if not _is_at(place, assembled):
        assembled.write(place)
    return place


def _is_at(place: Path, assembled: Assembled) -> bool:
    """True for the whole bundle, though it may have been stamped meanwhile."""
    try:
        with open_container(place) as container:
            found = check_bag(container)
    except (OSError, KzmitmError):
        return False
    return found.bundle_id == assembled.bundle_id and not found.withheld
