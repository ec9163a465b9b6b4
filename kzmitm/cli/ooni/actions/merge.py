"""Join what several people read into one extract; nothing of it is believed that can be checked."""

import argparse
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni.extras import demand_archive
from kzmitm.cli.parser import filled_path
from kzmitm.cli.terminal import print_json, say
from kzmitm.errors import UsageError
from kzmitm.report.language import _, ngettext
from kzmitm.report.safe import harmless

MAX_NAME = 600
"""Characters of a line on a part that was left out: strangers chose its name."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folders", metavar="DIR", nargs="+", type=filled_path, help="what `ooni analyze --out` left, of each")
    add("--out", metavar="DIR", type=filled_path, required=True, help="where the joined extract goes")
    add("--json", action="store_true", help="one document (kzmitm.merge/1.0) on stdout")
    parser.epilog = "Exit code 3: a part was left out, because it is not what it says."


def run(args: argparse.Namespace) -> int:
    demand_archive()
    # The libraries are an extra.
    from kzmitm.ooni.archive.complaints import told_plainly  # noqa: PLC0415
    from kzmitm.ooni.archive.merging import merge  # noqa: PLC0415

    for folder in args.folders:
        if not folder.is_dir():
            raise UsageError("{folder}: no such folder", folder=folder)
        if args.out.resolve() in (folder.resolve(), folder.resolve().parent):
            raise UsageError(
                "{folder}: it is where the others go", hint="leave it out: what is in it stays", folder=folder
            )
    taken, refused = [], []
    with told_plainly():
        for each in merge(args.folders, args.out):
            if each.name is None:
                refused.append(each)
                told = _("left out: {part}: {why}").format(part=each.source, why=_(each.why))
                say(harmless(told, MAX_NAME))
            else:
                taken.append(each)
    if not taken and not refused:
        raise UsageError(_("there is no extract in {folders}").format(folders=_names(args.folders)))
    if args.json:
        print_json(
            {
                "schema": "kzmitm.merge/1.0",
                "version": "1.0",
                "parts": sorted({each.name for each in taken if each.name}),
                "refused": [{"part": each.source, "why": each.why} for each in refused],
            }
        )
    else:
        joined = len({each.name for each in taken})
        told = ngettext(
            "{n} part joined; judge it with: kzmitm ooni analyze --out {out}",
            "{n} parts joined; judge them with: kzmitm ooni analyze --out {out}",
            joined,
        )
        say(told.format(n=joined, out=args.out))
    return Exit.UNDECIDED if refused else Exit.OK


def _names(folders: list[Path]) -> str:
    return ", ".join(map(str, folders))
