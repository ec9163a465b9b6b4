"""Delete the results that kzmitm keeps for you, and the consent."""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from kzmitm.cli import consent
from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import consent_file, home, results_folder
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.layout import is_bundle_name
from kzmitm.report.language import _
from kzmitm.report.safe import harmless
from kzmitm.report.text import Line

CAUTION = _(
    "Deleted is not gone: SSDs, flash cards and phones keep old copies for a while; snapshots, backups and "
    "cloud folders keep them longer. Only encryption of the whole disk, set up before, protects against that."
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    parser.add_argument(
        "--dry-run", action="store_true", help="list what would be deleted, and delete nothing"
    )
    parser.epilog = f"{CAUTION}\nResults saved elsewhere with --out are yours to delete."


def run(args: argparse.Namespace) -> int:
    found = list(_kept())
    if not found:
        say(_("nothing is kept in {folder}").format(folder=home()))
        return Exit.OK
    print_lines(Line(harmless(str(path), 4096)) for path in found)
    if args.dry_run:
        return Exit.OK
    if not args.yes and not _agreed(len(found)):
        say(_("nothing was deleted"))
        return Exit.OK
    for path in found:
        _delete(path)
    _remove_empty(results_folder())
    _remove_empty(home())
    say(_("{count} deleted. ").format(count=len(found)) + CAUTION)
    return Exit.OK


def _kept() -> Iterator[Path]:
    """What we made ourselves; a file that somebody else put there is left alone."""
    results = results_folder()
    if results.is_dir() and not results.is_symlink():
        yield from sorted(path for path in results.iterdir() if is_bundle_name(path.name))
    record = consent_file()
    yield from (path for path in (record, record.with_suffix(".new")) if path.exists())


def _agreed(count: int) -> bool:
    if not consent.at_terminal():
        raise UsageError(
            _("purge asks before it deletes, and nobody is at the terminal"), hint=_("give --yes")
        )
    return consent.ask(_("Delete these {count} for good? Type YES:").format(count=count)) == consent.AGREEMENT


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
