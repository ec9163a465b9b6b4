"""Write down what was found, for people: a page, a PDF, Markdown or a table."""

import argparse
import sys
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.parser import filled_path
from kzmitm.cli.report.kind import Made, Request, kind_of, kinds
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.evidence.files import replace_file
from kzmitm.evidence.layout import LEVELS, Level
from kzmitm.report.format import format_names, rendered
from kzmitm.report.language import _, language_spoken
from kzmitm.report.locale_forms import written_in
from kzmitm.report.safe import harmless

STDOUT = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", metavar="RESULT", nargs="+", type=filled_path,
        help="what a scan left; or the folder of an analysed archive, a campaign or a registry")  # fmt: skip
    add(
        "--format",
        choices=format_names(),
        help="how it is written (default: as --out is named, else html, one page)",
    )
    add(
        "--level",
        choices=[level.value for level in LEVELS],
        default=Level.PUBLIC.value,
        help="for whom it is: everybody (default), partners whom you trust, or only you",
    )
    add("--out", metavar="FILE", help="the new file (default: beside the result); - for stdout")
    for kind in kinds():
        kind.configure(parser)
    parser.epilog = (
        "Nothing is sent, and the file needs nothing from the network. The exit code is that of the\n"
        "findings: 1 interception, or a result that was altered; 3 inconclusive or incomplete; else 0."
    )


def run(args: argparse.Namespace) -> int:
    request = Request(
        paths=tuple(args.paths),
        level=Level(args.level),
        language=language_spoken(),
        now=clock.now(),
        options=args,
    )
    kind = kind_of(request.paths)
    form = args.format or _form_of(args.out)
    with written_in(request.language):
        made = kind.make(request)
        out = None if args.out == STDOUT else _place(args, made, form)
        content, beside = rendered(form, made.document, stem=out.stem if out is not None else None)
    if out is None:
        sys.stdout.buffer.write(content)
        return made.exit_code
    for name, picture in beside.items():
        replace_file(out.parent / name, [picture])
    replace_file(out, [content])
    say(_("written: {out}").format(out=harmless(str(out), 4096)))
    return made.exit_code


def _form_of(out: str | None) -> str:
    """The form of a file by its name, as far as it tells one."""
    suffix = Path(out or "").suffix.lower().removeprefix(".")
    return suffix if suffix in format_names() else "html"


def _place(args: argparse.Namespace, made: Made, form: str) -> Path:
    """Where the report goes; raises UsageError if that is what it is made of."""
    given = Path(args.out) if args.out else None
    out = given or args.paths[0].absolute().parent / f"{made.stem}.{form}"
    if any(out.absolute() == path.absolute() for path in args.paths) or out.is_dir():
        raise UsageError(_("{out} is no place for the report").format(out=out), hint=_("name another --out"))
    return out
