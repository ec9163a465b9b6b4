"""Options that several actions of `kzmitm lab` share, and the laboratory that they name."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from kzmitm.cli import clock
from kzmitm.cli.parser import filled
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.lab.control.client import DEFAULT_NAME, Lab, find_lab
from kzmitm.lab.opening import open_session, why_no_network
from kzmitm.lab.products import Products
from kzmitm.lab.session import Session
from kzmitm.report.language import _
from kzmitm.report.safe import harmless


def add_name(parser: argparse.ArgumentParser) -> None:
    """`--name`, for more than one laboratory at a time."""
    parser.add_argument(
        "--name", type=filled, default=DEFAULT_NAME, help="which laboratory, where several are up"
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """`--set`, the parameters of a profile."""
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="a parameter of the profile (kzmitm lab profiles lists them); may be repeated",
    )


def add_loopback(parser: argparse.ArgumentParser) -> None:
    """`--loopback`, for the smaller laboratory by choice."""
    parser.add_argument(
        "--loopback", action="store_true", help="the smaller laboratory, which needs no namespaces"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`, one document on standard output."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def settings_of(words: Sequence[str]) -> Mapping[str, str]:
    """What `--set` gave; raises UsageError."""
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(
                "--set: not NAME=VALUE: {word}", hint="such as --set rule=2024", word=harmless(word, 60)
            )
        if name in given:
            raise UsageError(
                "--set: {name} is given twice", hint="give a list with commas", name=harmless(name, 40)
            )
        given[name] = value
    return given


@contextmanager
def running(args: argparse.Namespace) -> Iterator[Lab]:
    """The laboratory that is up; raises UsageError if there is none."""
    lab = find_lab(args.name)
    try:
        yield lab
    finally:
        lab.close()


def wants_network(products: Products, *, loopback: bool) -> bool:
    """True if there can be a network; says in one line why there is none where that was not asked for."""
    if loopback:
        return False
    why = why_no_network(products)
    if why is not None:
        say(
            _("no network of namespaces here, so the smaller laboratory on loopback: {why}").format(
                why=_(why)
            )
        )
    return why is None


@contextmanager
def own_session(products: Products, *, is_network: bool) -> Iterator[Session]:
    """A laboratory that ends with this command."""
    with open_session(is_network=is_network, now=clock.now(), products=products) as session:
        yield session
