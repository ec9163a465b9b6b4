"""Write the measurements of a saved scan as OONI's tools take them."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni.outgoing import Outgoing, outgoing, too_long
from kzmitm.cli.parser import filled_path
from kzmitm.cli.sources import STDIN
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.evidence.files import create_file
from kzmitm.ooni.publication import is_thrown_away
from kzmitm.report.language import _, ngettext
from kzmitm.report.safe import harmless

EPILOG = """examples:
  kzmitm ooni emit RESULT --out scan.jsonl      then: kzmitm ooni upload scan.jsonl, or oonireport
  kzmitm ooni emit RESULT | head -1

Nothing is sent. Left out is what is only yours: what the trust stores of this computer hold, names that you
gave to vantages, resolvers at home, and what ties the lines to the bundle. The network and the exact times
are in it. Exit code 0: all written; 2: RESULT cannot be used; 3: some measurements were too long."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("bundle", metavar="RESULT", type=filled_path, help="the file or folder that a scan left")
    add("--out", metavar="FILE", type=filled_path, default=Path(STDIN),
        help="the new file (default: -, the standard output)")  # fmt: skip
    add("--anonymous-network", action="store_true",
        help="leave out your network too: OONI's collector takes no such measurements")  # fmt: skip
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    tally = _Tally()
    lines = tally.lines(outgoing(args.bundle, anonymous_network=args.anonymous_network))
    if str(args.out) == STDIN:
        for line in lines:
            sys.stdout.write(line.decode())
    elif args.out.exists() or not create_file(args.out, lines):
        raise UsageError(
            _("{out} exists already").format(out=args.out), hint=_("name another file with --out")
        )
    else:
        say(
            ngettext(
                "written: {out}, {count} measurement", "written: {out}, {count} measurements", tally.written
            ).format(out=harmless(str(args.out), 4096), count=tally.written)
        )
    if tally.nowhere and not args.anonymous_network:
        say(
            ngettext(
                (
                    "the network or country of {count} measurement is unknown, and OONI's collector "
                    "would throw it away; scan with --probe-asn and --probe-cc"
                ),
                (
                    "the network or country of {count} measurements is unknown, and OONI's collector "
                    "would throw them away; scan with --probe-asn and --probe-cc"
                ),
                tally.nowhere,
            ).format(count=tally.nowhere)
        )
    return Exit.UNDECIDED if tally.left_out else Exit.OK


class _Tally:
    """Counts what goes by."""

    def __init__(self) -> None:
        self.written = self.left_out = self.nowhere = 0

    def lines(self, measurements: Iterator[Outgoing]) -> Iterator[bytes]:
        for each in measurements:
            if each.is_too_long:
                self.left_out += 1
                say(too_long(each))
                continue
            self.written += 1
            self.nowhere += is_thrown_away(each.document)
            yield each.octets + b"\n"
