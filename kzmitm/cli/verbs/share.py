"""Make a result for others: the same evidence without what is only yours."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled_path
from kzmitm.cli.signing import recover_and_say
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.container import Container, open_container
from kzmitm.evidence.layout import Level
from kzmitm.evidence.sharing import SharedFile, shared_files, write_shared
from kzmitm.evidence.verification.bag_check import check_bag
from kzmitm.report.language import N_, Words, _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

SCHEMA = "kzmitm.sharing/1.0"

TOLD = Words(
    {
        Level.PUBLIC: N_(
            "For everyone: sites and verdicts, the week, and the network and country if you gave them. No "
            "address, time, certificate made for you, or anything of this computer."
        ),
        Level.PARTNER: N_(
            "For partners you trust: also exact times, addresses and forged certificates. Whoever runs the "
            "interceptor could find your connection by them."
        ),
    }
)


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("bundle", metavar="RESULT", type=filled_path, help="the file or folder that a scan left")
    add("--level", choices=[Level.PUBLIC.value, Level.PARTNER.value], required=True, help="for whom it is")
    add("--out", metavar="FILE", type=filled_path, help="the new file (default: beside the result)")
    add(
        "--keep-timestamps",
        action="store_true",
        help="at public level too, though a timestamp tells the hour",
    )
    add("--dry-run", action="store_true", help="show what it would contain, and write nothing")
    add("--json", action="store_true", help=_("one document ({schema}) on stdout").format(schema=SCHEMA))
    parser.epilog = "Nothing is sent. The signature stays valid: files are left out, none is changed."


def run(args: argparse.Namespace) -> int:
    level = Level(args.level)
    with open_container(args.bundle) as container:
        bag = check_bag(container)
        files = shared_files(container, level, timestamps=args.keep_timestamps)
        _demand_level(container, level, args.bundle)
        out: Path = args.out or args.bundle.absolute().parent / f"{container.root}-{level}.zip"
        if not args.dry_run:
            recover_and_say(out.parent)
        if out.exists():
            raise UsageError(
                _("{out} exists already").format(out=out), hint=_("name another file with --out")
            )
        if not args.json:
            print_lines(_listing(files, level))
        if not args.dry_run:
            write_shared(container, files, out)
    if args.json:
        print_json(_document(bag.bundle_id, level, None if args.dry_run else out, files))
    if args.dry_run:
        say(_("nothing was written"))
    else:
        say(_("written: {out}").format(out=harmless(str(out), 4096)))
    return Exit.OK


def _demand_level(container: Container, level: Level, path: Path) -> None:
    """A reduced bundle cannot grow again."""
    if level is Level.PARTNER and not any(name.startswith("data/partner/") for name in container.names):
        raise UsageError(
            _("{path}: what partners get was left out of it already").format(path=path),
            hint=_("share the result that the scan wrote"),
        )


def _listing(files: Sequence[SharedFile], level: Level) -> Iterator[Line]:
    yield Line(TOLD[level])
    for title, kept in ((_("It contains:"), True), (_("It leaves out:"), False)):
        chosen = [file for file in files if file.is_kept is kept]
        yield Line()
        yield Line(lead=title, style=Style.HEADING)
        for file in chosen:
            yield Line(f"  {file.size:>9}  {harmless(file.path)}  {file.meaning}", indent=13)
        if not chosen:
            yield Line(f"  {_('nothing')}")
    yield Line()


def _document(
    bundle_id: str, level: Level, out: Path | None, files: Sequence[SharedFile]
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "version": "1.0",
        "bundle_id": bundle_id,
        "level": level.value,
        "out": None if out is None else str(out),
        "files": [
            {
                "path": file.path,
                "size": file.size,
                "level": file.level,
                "kept": file.is_kept,
                "meaning": file.meaning,
            }
            for file in files
        ],
    }
