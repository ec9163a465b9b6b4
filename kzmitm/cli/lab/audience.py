"""Who watches a demonstration: titles and paragraphs for them, and a key before each step goes on."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kzmitm.cli.terminal import print_lines, say
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.lab.check import Row
from kzmitm.lab.control.client import Lab
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.scanning import demand_end, rows_of
from kzmitm.report.language import _
from kzmitm.report.line import Line, Style


class Audience:
    """People at a terminal, or a program that wants one document (`--json`)."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.wants_document: bool = args.json
        self._waits = not args.auto and not args.json and sys.stdin.isatty() and sys.stdout.isatty()

    def tell(self, title: str, text: str) -> None:
        """Say a title, unless it is empty, and a paragraph."""
        stream = sys.stderr if self.wants_document else sys.stdout
        head = [Line(), Line(lead=title, style=Style.HEADING)] if title else []
        print_lines([*head, *(Line(line) for line in text.splitlines())], stream)
        stream.flush()  # also through a pipe, a step is seen before it is taken

    def wait(self) -> None:
        """Wait for Enter, if somebody is there to press it."""
        if self._waits:
            say(_("Enter goes on."))
            sys.stdin.readline()


class NetworkAudience(Audience):
    """The same, before a network of namespaces."""

    def __init__(self, args: argparse.Namespace, lab: Lab) -> None:
        super().__init__(args)
        self._lab = lab
        self.document = ""
        """What the main scan wrote for programs."""

    def scan(self, words: Sequence[str], out: Path) -> Sequence[Row]:
        """Let them see the scan from the client's place, with its bundle in `out`; its rows.

        Raises LaboratoryError if it did not end well.
        """
        command = module_command("kzmitm", "scan", *words, "--out", str(out))
        if self.wants_document:
            done = self._lab.run("client", [*command, "--json"])
            self.document = done.stdout
            return rows_of(done)
        print_lines([Line()])
        sys.stdout.flush()
        demand_end(self._lab.call("client", command))
        with read_bundle(out) as bundle:
            return tuple(bundle.rows())
