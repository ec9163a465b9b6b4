"""Verbs that hold several: `kzmitm lab ACTION`, `kzmitm ooni ACTION`, each action a module of a package."""

import argparse
from types import ModuleType

from kzmitm._registry import discover
from kzmitm.cli.parser import in_list
from kzmitm.report.language import _


def add_actions(parser: argparse.ArgumentParser, package: ModuleType, *, epilog: str) -> None:
    """Give the parser an action for each module of `package` (its `configure` and `run`, as a verb has)."""
    parser.epilog = epilog
    choices = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for module in discover(package):
        about = _((module.__doc__ or "").partition("\n")[0])
        action = choices.add_parser(
            module.__name__.rpartition(".")[2].replace("_", "-"),
            help=in_list(about),
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.configure(action)
        action.set_defaults(act=module.run)
