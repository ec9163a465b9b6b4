"""A small Internet on this computer, with real interceptors and all that only looks like one."""

import argparse

from kzmitm.cli.actions import add_actions
from kzmitm.cli.lab import actions

EPILOG = """first steps:
  kzmitm lab demo              a guided walk (no Internet, no privileges)
  kzmitm lab quiz              who stands in the way? you tell
  kzmitm lab serve             the same in a browser, for a class
  kzmitm lab check             every profile, and what the scanner says of it

a laboratory to work in:
  kzmitm lab up
  kzmitm lab on kz-inline      switch a profile on; kzmitm lab profiles lists them
  kzmitm lab scan              the scan, from the client's place
  kzmitm lab trace             where on the way it is done
  kzmitm lab run client -- curl -v https://social.lab.test/
  kzmitm lab down
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, actions, epilog=EPILOG)


def run(args: argparse.Namespace) -> int:
    return int(args.act(args))
