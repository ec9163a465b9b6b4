"""A guided walk: a real interceptor on this computer, the browser, and what the scanner says."""

import argparse
import os
import sys
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import DEMO_PREFIX, results_folder
from kzmitm.cli.lab.audience import Audience, NetworkAudience
from kzmitm.cli.lab.loopback_demo import LoopbackDemo
from kzmitm.cli.lab.options import add_loopback, own_session, wants_network
from kzmitm.cli.parser import filled_path
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.lab.demo_browser import DemoBrowser
from kzmitm.lab.network.session import NetworkSession
from kzmitm.lab.products import Products, find_products, how_to_get
from kzmitm.lab.profile import profile_named
from kzmitm.lab.walk import INTERCEPTOR, Walk
from kzmitm.report.language import _

BROWSER = ("chromium", "libnss3-tools")
"""What the pictures need."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--auto", action="store_true", help="do not wait for Enter between the steps")
    add("--headed", action="store_true", help="open a real window of the browser as well")
    add("--no-browser", action="store_true", help="no browser and no pictures")
    add("--json", action="store_true", help="the document of the scan (kzmitm.scan/1.0) on stdout")
    add(
        "--out",
        metavar="DIR",
        type=filled_path,
        help="a new folder for the result and the pictures (default: in the data of this user)",
    )
    add_loopback(parser)
    parser.epilog = "Ends with 1, since interception is found; with 70 if a site was misjudged."


def run(args: argparse.Namespace) -> int:
    out: Path = args.out or results_folder() / f"{DEMO_PREFIX}{os.urandom(8).hex()}"
    if out.exists():
        raise UsageError("--out: {out} exists already", hint=_("name a new folder"), out=out)
    if args.headed and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UsageError("--headed: there is no display", hint=_("leave it out for pictures"))
    products = find_products()
    is_network = wants_network(products, loopback=args.loopback)
    missing = products.lacks(profile_named(INTERCEPTOR).needs)
    if is_network and missing:
        say(_("the smaller laboratory, as this one needs {packages}").format(packages=_(how_to_get(missing))))
    if not is_network or missing:
        return LoopbackDemo(args, Audience(args), out / "scan.zip").run(products)
    return _walk(args, out, products)


def _walk(args: argparse.Namespace, out: Path, products: Products) -> int:
    lacks = products.lacks(BROWSER)
    if lacks and not args.no_browser:
        say(_("no pictures: that needs {packages}").format(packages=_(how_to_get(lacks))))
    with own_session(products, is_network=True) as session:
        assert isinstance(session, NetworkSession)  # noqa: S101 - as it was asked for
        audience = NetworkAudience(args, session.lab)
        browser = None
        if not lacks and not args.no_browser:
            program = products.programs["chromium"]
            browser = DemoBrowser(session.lab, program, out / "pictures", headed=args.headed)
        try:
            told = Walk(session, audience, browser).run(out / "scan.zip")
        finally:
            if browser is not None:
                browser.close()
    if args.json:
        sys.stdout.write(audience.document)
    for line in told.wrong:
        say(_("misjudged: {what}").format(what=_(line)))
    return Exit.FAULT if told.wrong else Exit.FOUND
