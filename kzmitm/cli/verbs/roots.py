"""Find out whether this computer trusts an interceptor's root."""

import argparse

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled_path
from kzmitm.cli.root_views import document
from kzmitm.cli.sources import root_classifier
from kzmitm.cli.systems import system_of
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.pki.cache import CertificateCache
from kzmitm.report.root_lines import lines
from kzmitm.roots.collect import collect
from kzmitm.roots.examination import MAX_KNOWN, Examination, examine
from kzmitm.roots.system import System
from kzmitm.roots.values import Platform


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--root", metavar="PATH", type=filled_path, help="another system: a mounted disk, an image, a backup")
    add(
        "--platform",
        choices=[each.value for each in Platform],
        help="what system that is (default: told by it)",
    )
    add("--deep", action="store_true", help="look into the folders of programs too, which takes longer")
    add("--all", action="store_true", help="list the public roots too")
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--json", action="store_true", help="one document (kzmitm.roots/1.0) on stdout")
    parser.epilog = (
        "Nothing is sent, and nothing is changed. Exit code 1: a trusted root of an interceptor, or one\n"
        "whose key anybody has; 3: none was found, but not every store could be read."
    )


def run(args: argparse.Namespace) -> int:
    found = look(system_of(args), args)
    if args.json:
        print_json(document(found))
    else:
        print_lines(lines(found, everything=args.all))
    if found.alarms:
        return Exit.FOUND
    return Exit.UNDECIDED if found.problems or not found.readings else Exit.OK


def look(system: System, args: argparse.Namespace) -> Examination:
    """Every root of a system, and what it is."""
    cache = CertificateCache(MAX_KNOWN)
    classify = root_classifier(args.fingerprints, clock.now(), cache)
    return examine(collect(system), classify=classify, cache=cache)
