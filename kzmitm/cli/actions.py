"""Verbs that hold several: `kzmitm lab ACTION`, `kzmitm ooni ACTION`, each action a module of a package."""

import argparse
from types import ModuleType

from kzmitm._registry import load, names_in
from kzmitm.cli.parser import CommandParser, in_list
from kzmitm.report.language import _


def add_actions(parser: argparse.ArgumentParser, package: ModuleType, *, epilog: str) -> None:
    """Give the parser an action for each module of `package` (its `configure` and `run`, as a verb has).

    Where the words name one, only that one is loaded: the others have libraries of their own.
    """
    parser.epilog = epilog
    choices = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    names = {name.replace("_", "-"): name for name in names_in(package)}
    asked = parser.next_word if isinstance(parser, CommandParser) else None
    for spelt, name in names.items():
        if asked in names and asked != spelt:
            continue
        module = load(package, name)
        about = _((module.__doc__ or "").partition("\n")[0])
        action = choices.add_parser(
            spelt,
            help=in_list(about),
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.configure(action)
        action.set_defaults(act=module.run)
