"""Find out whether this computer trusts an interceptor's root."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.local_roots import MAX_KNOWN, this_system
from kzmitm.cli.parser import filled_path
from kzmitm.cli.root_views import document
from kzmitm.cli.sources import baseline_of, registry_of
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.errors import UsageError
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.root_class import classify
from kzmitm.report.root_lines import lines
from kzmitm.roots.collect import collect
from kzmitm.roots.examination import Classify, Examination, examine
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
    found = look(_system(args), args)
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
    return examine(collect(system), classify=classifier(args.fingerprints, cache), cache=cache)


def classifier(overlays: Sequence[Path], cache: CertificateCache) -> Classify:
    """What tells the class of a root, by our registry with overlays, our baseline, and now."""
    return partial(
        classify, registry=registry_of(overlays), baseline=baseline_of(), cache=cache, now=clock.now()
    )


def _system(args: argparse.Namespace) -> System:
    if args.root is None:
        if args.platform is not None:
            raise UsageError("--platform is for another system", hint="give --root PATH too")
        return this_system(deep=args.deep)
    if not args.root.is_dir():
        raise UsageError(f"--root: {args.root}: no folder", hint="name the folder of a system")
    platform = Platform(args.platform) if args.platform else _platform_of(args.root)
    return System(args.root.resolve(), platform=platform, deep=args.deep)


def _platform_of(root: Path) -> Platform:
    """What a system is by the folders at its top."""
    for mark, platform in (
        ("Windows/System32", Platform.WINDOWS),
        ("System/Library", Platform.MACOS),
        ("system/etc/security", Platform.ANDROID),
    ):
        if (root / mark).exists():
            return platform
    return Platform.LINUX
