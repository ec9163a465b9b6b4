"""The demonstration on loopback before an audience: people, or a program (`--json`)."""

import argparse
import io
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.audience import Audience
from kzmitm.cli.loop import STOP_SIGNALS
from kzmitm.cli.parser import CommandParser
from kzmitm.cli.terminal import print_lines, say
from kzmitm.cli.verbs import scan
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.lab.check import Row
from kzmitm.lab.loopback.demo import Stage, run_demo
from kzmitm.lab.products import Products
from kzmitm.report.language import _
from kzmitm.report.line import Line


class LoopbackDemo:
    """One run of it; `out` is where the bundle of the main scan goes."""

    def __init__(self, args: argparse.Namespace, audience: Audience, out: Path) -> None:
        self._json: bool = args.json
        self._audience = audience
        self._out = out
        self._code = 0
        self._document = ""

    def run(self, products: Products) -> int:
        """The exit code: that of the main scan, or 70 if a site was misjudged."""
        stage = Stage(scan=self._scan, tell=self._audience.tell, wait=self._audience.wait)
        wrong = run_demo(now=clock.now(), products=products, stage=stage, out=self._out)
        if self._json:
            sys.stdout.write(self._document)
        for line in wrong:
            say(_("misjudged: {what}").format(what=_(line)))
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
        with read_bundle(out) as bundle:
            if not bundle.complete:
                raise KeyboardInterrupt  # the scan was stopped, so the demo is
            return tuple(bundle.rows())


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
