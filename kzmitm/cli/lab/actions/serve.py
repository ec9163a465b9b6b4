"""The laboratory in a browser, for a class: a page on this computer only."""

import argparse
import secrets
import webbrowser

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import add_loopback, own_session, wants_network
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import UsageError
from kzmitm.lab.console import serve
from kzmitm.lab.products import find_products
from kzmitm.report.language import _
from kzmitm.report.line import Line

TOKEN_OCTETS = 24


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--open", action="store_true", help="open the page in this computer's browser")
    add_loopback(parser)
    parser.epilog = "The address holds a random word: whoever has it can switch profiles. Ctrl-C ends it."


def run(args: argparse.Namespace) -> int:
    if not 0 <= args.port <= 65_535:
        raise UsageError("--port: {port} is not possible", hint="0 to 65535", port=args.port)
    products = find_products()
    is_network = wants_network(products, loopback=args.loopback)

    def announce(url: str) -> None:
        print_lines([Line(url)])
        say(_("Open this address in a browser on this computer. Ctrl-C ends it."))
        if args.open:
            webbrowser.open(url)

    with own_session(products, is_network=is_network) as session:
        token = secrets.token_urlsafe(TOKEN_OCTETS)
        serve(session, port=args.port, token=token, announce=announce)
    return Exit.OK
