"""Read what a scan means for you, and agree to it."""

import argparse

from kzmitm.cli import clock, consent
from kzmitm.cli.exits import Exit
from kzmitm.cli.sources import registry_of
from kzmitm.cli.targets import default_count
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import ConsentError
from kzmitm.report.language import _
from kzmitm.report.line import Line


def configure(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--show", action="store_true", help="show the text and ask nothing")
    choice.add_argument("--revoke", action="store_true", help="take the consent back: scan refuses again")
    parser.epilog = "What is stored is the version of the text and the day. Only scanning needs consent."


def run(args: argparse.Namespace) -> int:
    if args.revoke:
        say(_("consent taken back") if consent.revoke() else _("there was no consent"))
        return Exit.OK
    lines = [Line(line) for line in consent.text(default_count(registry_of(())))]
    if args.show:
        print_lines(lines)
        return Exit.OK
    if not consent.at_terminal():
        raise ConsentError(
            _("consent is asked of a person at a terminal"),
            hint=_("`kzmitm consent --show` prints the text; scan takes --i-understand"),
        )
    if consent.is_recorded():
        say(_("You have agreed to this before; `kzmitm consent --revoke` takes it back."))
        return Exit.OK
    for line in lines:
        say(str(line))
    return _ask()


def _ask() -> int:
    for question, right in consent.QUESTIONS:
        if consent.ask(_(question)).lower() != right:
            say(
                _("The answer is {right}. Please read the text again; nothing was agreed.").format(
                    right=right
                )
            )
            return Exit.NO_CONSENT
    if consent.ask(_("Type {word} to agree:").format(word=consent.AGREEMENT)) != consent.AGREEMENT:
        say(_("Nothing was agreed."))
        return Exit.NO_CONSENT
    path = consent.record(clock.now().date())
    say(
        _("Thank you. The version of the text and today's date are in {path}; now `kzmitm scan`.").format(
            path=path
        )
    )
    return Exit.OK
