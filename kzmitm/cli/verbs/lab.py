"""See a real interceptor on this computer being caught; needs no Internet and no privileges."""

import argparse
import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import results_folder
from kzmitm.cli.parser import CommandParser
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.cli.verbs import scan
from kzmitm.errors import UsageError
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
    demo.add_argument("--json", action="store_true", help="the document of the scan (kzmitm.scan/1.0) on stdout")
    demo.add_argument(
        "--out", metavar="DIR", type=Path, help="a new folder for the result (default: in the data of this user)"
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
        self._document: Row = {}

    def run(self) -> int:
        if self._out.exists():
            raise UsageError(f"--out: {self._out} exists already", hint=_("name a new folder"))
        stage = Stage(scan=self._scan, tell=self._tell, wait=self._wait)
        wrong = run_demo(now=clock.now(), products=find_products(), stage=stage, out=self._out)
        if self._json:
            print_json(self._document)
        else:
            print_lines([Line(), Line(_("The result is kept: kzmitm show {folder}").format(folder=self._out))])
        for line in wrong:
            say(f"misjudged: {line}")
        return Exit.FAULT if wrong else self._code

    def _scan(self, words: Sequence[str], shown: bool) -> Sequence[Row]:  # noqa: FBT001 (the type of Stage.scan)
        """`kzmitm scan` in this process. A scan that people see runs as it would for them."""
