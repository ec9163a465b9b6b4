"""Find out from the client's place who acts where: kzmitm lab trace [TARGET] [options of kzmitm trace]."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from kzmitm.cli.lab.options import add_name, running
from kzmitm.cli.parser import build_parser, pass_on
from kzmitm.cli.verbs import trace
from kzmitm.errors import UsageError
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.network.session import NetworkSession
from kzmitm.lab.profile import profile_named
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import STRUCK

NOBODY = "."


def configure(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "words", metavar="TARGET", nargs=argparse.REMAINDER, help="a site, and options of `kzmitm trace`"
    )
    pass_on(parser, ("--name",))
    parser.epilog = (
        "Without TARGET, it is a site that the active profile strikes. The trace trusts the laboratory's\n"
        "public roots and knows its look-alike. Exit codes are those of `kzmitm trace`."
    )


def run(args: argparse.Namespace) -> int:
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    with running(args) as lab:
        if not lab.is_network:
            raise UsageError(
                "the smaller laboratory has no routers, so there is no way to trace",
                hint="kzmitm lab up, where a system allows namespaces",
            )
        options = NetworkSession(lab).trusted.trace_words()
        return lab.call(
            "client", module_command("kzmitm", "trace", *_aimed(words, _struck(lab.status)), *options)
        )


def _aimed(words: Sequence[str], default: str) -> list[str]:
    """The words, with a target."""
    # What stands behind a target is one too many; no site has this name.
    given = build_parser({"trace": trace}).parse_known_args(["trace", *words, NOBODY])[0]
    return [*words, default] if given.target == NOBODY else list(words)


def _struck(status: Mapping[str, Any]) -> str:
    """A site that the active profile is about."""
    if status["profile"] is None:
        return STRUCK[0]
    struck = profile_named(status["profile"]).struck(Settings(status["settings"]))
    return next(iter(struck), STRUCK[0])
