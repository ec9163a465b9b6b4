"""Run the real scan from the client's place: kzmitm lab scan [TARGET ...] [options of kzmitm scan]."""

import argparse
from collections.abc import Mapping
from typing import Any

from kzmitm.cli.lab.options import add_name, running
from kzmitm.cli.parser import build_parser, pass_on
from kzmitm.cli.verbs import scan
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.network.session import NetworkSession
from kzmitm.lab.profile import profile_named
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import STRUCK, UNWATCHED


def configure(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "words", metavar="TARGET", nargs=argparse.REMAINDER, help="sites, and options of `kzmitm scan`"
    )
    pass_on(parser, ("--name",))
    parser.epilog = (
        "The scan trusts the laboratory's public roots, knows its look-alike, and compares with what a\n"
        "clean place sees. It keeps nothing unless --out DIR is given. Exit codes are those of `kzmitm scan`."
    )


def run(args: argparse.Namespace) -> int:
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    asked = build_parser({"scan": scan}).parse_args(
        ["scan", *words]
    )  # so targets stand before or after options
    with running(args) as lab:
        named = list(asked.targets)
        targets = named or _in_play(lab.status)
        options = NetworkSession(lab).sources(targets).words() if lab.is_network else lab.scan_words(targets)
        if asked.out is None and not asked.no_save:
            options.append("--no-save")
        default = [] if named or asked.lists else targets
        return lab.call("client", module_command("kzmitm", "scan", *default, *options, *words))


def _in_play(status: Mapping[str, Any]) -> list[str]:
    """The sites that the active profile is about, and some that it is not."""
    if status["profile"] is None:
        return [*STRUCK, UNWATCHED[0]]
    return list(profile_named(status["profile"]).scanned(Settings(status["settings"])))
