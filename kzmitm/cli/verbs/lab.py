"""See a real interceptor on this computer being caught; needs no Internet and no privileges."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import results_folder
from kzmitm.cli.loop import STOP_SIGNALS
from kzmitm.cli.parser import CommandParser
from kzmitm.cli.terminal import print_lines, say
from kzmitm.cli.verbs import scan
from kzmitm.errors import UsageError
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.layout import bundle_name
from kzmitm.lab.check import Row
from kzmitm.lab.demo import Stage, run_demo
from kzmitm.lab.products import find_products
from kzmitm.report.language import _
from kzmitm.report.text import Line, Style


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    about = _("sites, an interceptor and a scan on this computer, step by step")
    demo = actions.add_parser("demo", help=about, description=about, allow_abbrev=False)
    demo.add_argument("--auto", action="store_true", help="do not wait for Enter between the steps")
    demo.add_argument(
        "--json", action="store_true", help="the document of the scan (kzmitm.scan/1.0) on stdout"
    )
    demo.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="a new folder for the result (default: in the data of this user)",
    )
    demo.epilog = "Ends with 1, since interception is found; with 70 if a site was misjudged."


def run(args: argparse.Namespace) -> int:
    return _Show(args).run()


class _Show:
    """The demonstration before an audience: people, or a program (`--json`)."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._json: bool = args.json
        self._waits = not args.auto and not args.json and sys.stdin.isatty() and sys.stdout.isatty()
        self._out: Path = args.out or results_folder() / bundle_name(os.urandom)
        self._begun = False
        self._code = 0
        self._document = ""

    def run(self) -> int:
        if self._out.exists():
            raise UsageError(f"--out: {self._out} exists already", hint=_("name a new folder"))
        stage = Stage(scan=self._scan, tell=self._tell, wait=self._wait)
        wrong = run_demo(now=clock.now(), products=find_products(), stage=stage, out=self._out)
        if self._json:
            sys.stdout.write(self._document)
        for line in wrong:
            say(f"misjudged: {line}")
        return Exit.FAULT if wrong else self._code

    def _scan(self, words: Sequence[str], *, out: Path, shown: bool) -> Sequence[Row]:
        """`kzmitm scan` in this process, by the very function of that verb."""
        words = [*words, "--out", str(out)]
        hidden = io.StringIO()
        with ExitStack() as stack:
            if out != self._out:  # where a bundle that will not stay is kept is of no use to anyone
                stack.enter_context(redirect_stderr(io.StringIO()))
            if self._json or not shown:
                stack.enter_context(redirect_stdout(hidden))
                words.append("--json")
            else:
                print_lines([Line()])
            code = _run_scan(words)
        if out == self._out:
            self._code, self._document = code, hidden.getvalue()
        bundle = read_bundle(out)
        if not bundle.complete:
            raise KeyboardInterrupt  # the scan was stopped, so the demo is
        return tuple(bundle.rows())

    def _tell(self, title: str, text: str) -> None:
        stream = sys.stderr if self._json else sys.stdout
        lines = [Line(line) for line in text.splitlines()]
        print_lines([Line(), Line(lead=title, style=Style.HEADING), *lines], stream)
        stream.flush()  # also through a pipe, a step is seen before it is taken

    def _wait(self) -> None:
        """Wait for Enter between two steps, if somebody is there to press it."""
        if self._waits and self._begun:
            say(_("Enter goes on."))
            sys.stdin.readline()
        self._begun = True


def _run_scan(words: Sequence[str]) -> int:
    """The exit code of `kzmitm scan`; signals mean afterwards what they meant before.

    uvloop leaves its handlers behind when a loop is closed, and between two scans they would swallow Ctrl-C.
    """
    parser = CommandParser(prog="kzmitm scan")
    scan.configure(parser)
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        return int(scan.run(parser.parse_args([*words])))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
