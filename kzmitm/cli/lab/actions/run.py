"""Run a command in a host of the laboratory: kzmitm lab run HOST -- CMD."""

import argparse

from kzmitm.cli.lab.options import add_name, running
from kzmitm.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument("host", metavar="HOST", help="client, access, operator, transit or server")
    parser.add_argument("command", metavar="CMD", nargs=argparse.REMAINDER, help="the command and its words")
    parser.epilog = "Ends as the command ends."


def run(args: argparse.Namespace) -> int:
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise UsageError(
            "run what? no command was given", hint="kzmitm lab run {host} -- ip address", host=args.host[:20]
        )
    with running(args) as lab:
        return lab.call(args.host, command)
