"""The same list from many places, again and again: nothing lost, nothing counted twice."""

import argparse

from kzmitm.cli.actions import add_actions
from kzmitm.cli.campaign import actions

EPILOG = """first steps:
  kzmitm campaign check FILE.toml      what it would do, how long, how much traffic; mistakes by line
  kzmitm campaign run FILE.toml        run it, or go on with it
  kzmitm campaign status FOLDER        how far it is, and what was found
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, actions, epilog=EPILOG)


def run(args: argparse.Namespace) -> int:
    return int(args.act(args))
