"""Delete the results and keys that kzmitm keeps for you, and the consent."""

import argparse
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from kzmitm.cli import consent
from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import (
    CAMPAIGN_LOCK,
    DEMO_PREFIX,
    campaigns_folder,
    consent_file,
    home,
    keys_folder,
    known_signers_file,
    results_folder,
)
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.files import PART_PREFIX
from kzmitm.evidence.journal import BEGIN, PREFIX
from kzmitm.evidence.locking import is_locked
from kzmitm.evidence.signing.keys import SUFFIX
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.safe import harmless

CAUTION = N_(
    "Deleted is not gone: SSDs, flash cards and phones keep old copies for a while; snapshots, backups and "
    "cloud folders keep them longer. Only encryption of the whole disk, set up before, protects against that."
)
ELSEWHERE = N_(
    "What was saved elsewhere with --out, shared or sent on is not among it, and is yours to delete."
)
RUNNING = N_("{folder} is of a scan or campaign that is running; stop it first")

_RESULT = re.compile(r"bundle-[0-9a-f]{16}(?:-public|-partner)?(?:\.zip|\.age)?", re.ASCII)
_CAMPAIGN = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_DEMO = re.compile(rf"{DEMO_PREFIX}[0-9a-f]{{16}}", re.ASCII)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    parser.add_argument(
        "--dry-run", action="store_true", help="list what would be deleted, and delete nothing"
    )
    parser.epilog = f"{_(CAUTION)}\n{_(ELSEWHERE)}"


def run(args: argparse.Namespace) -> int:
    found = list(_kept())
    if not found:
        say(_("nothing is kept in {folder}").format(folder=home()))
        return Exit.OK
    print_lines(Line(harmless(str(path), 4096)) for path in found)
    if args.dry_run:
        return Exit.OK
    _refuse_running(found)
    if not args.yes and not _agreed(len(found)):
        say(_("nothing was deleted"))
        return Exit.OK
    for path in found:
        _delete(path)
    for folder in (results_folder(), campaigns_folder(), keys_folder(), home()):
        _remove_empty(folder)
    say(ngettext("{count} deleted. ", "{count} deleted. ", len(found)).format(count=len(found)) + _(CAUTION))
    say(_(ELSEWHERE))
    return Exit.OK


def _kept() -> Iterator[Path]:
    """What we made ourselves; a file that somebody else put there is left alone."""
    yield from _inside(results_folder(), _is_result)
    yield from _inside(campaigns_folder(), _is_campaign)
    yield from _inside(keys_folder(), _is_key)
    yield from _inside(home(), _is_own)


def _inside(folder: Path, is_ours: Callable[[str], bool]) -> Iterator[Path]:
    if folder.is_dir() and not folder.is_symlink():
        yield from sorted(path for path in folder.iterdir() if is_ours(path.name))


def _is_result(name: str) -> bool:
    ours = _RESULT.fullmatch(name) or _DEMO.fullmatch(name)
    return ours is not None or name.startswith((PREFIX, PART_PREFIX))


def _is_campaign(name: str) -> bool:
    return _CAMPAIGN.fullmatch(name) is not None and (campaigns_folder() / name / CAMPAIGN_LOCK).exists()


def _is_key(name: str) -> bool:
    return name.endswith(SUFFIX) or name.startswith(PART_PREFIX)


def _is_own(name: str) -> bool:
    record = consent_file()
    known = (record.name, record.with_suffix(".new").name, known_signers_file().name)
    return name in known or name.startswith(PART_PREFIX)


def _refuse_running(found: list[Path]) -> None:
    """A scan that runs would write on into nothing."""
    for path in found:
        lock = path / (CAMPAIGN_LOCK if path.parent == campaigns_folder() else BEGIN)
        is_written = path.name.startswith(PREFIX) or path.parent == campaigns_folder()
        if is_written and is_locked(lock):
            raise UsageError(_(RUNNING).format(folder=path), hint=_("Ctrl-C ends it, and keeps what it has"))


def _agreed(count: int) -> bool:
    if not consent.at_terminal():
        raise UsageError(
            _("purge asks before it deletes, and nobody is at the terminal"), hint=_("give --yes")
        )
    return (
        consent.ask(
            ngettext(
                "Delete this {count} for good? Type YES:", "Delete these {count} for good? Type YES:", count
            ).format(count=count)
        )
        == consent.AGREEMENT
    )


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
