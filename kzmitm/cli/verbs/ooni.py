"""OONI's data, and everybody else's: find the interception in it, get it, give it."""

import argparse

from kzmitm.cli.actions import add_actions
from kzmitm.cli.ooni import actions

EPILOG = """first steps:
  kzmitm ooni fetch --cc KZ --since 2024-03-01 --until 2024-03-08 --dest archive
  kzmitm ooni analyze archive --out findings
  kzmitm ooni convert atlas-results.json capture.pcapng
  kzmitm ooni query --from findings 'SELECT * FROM authorities'
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, actions, epilog=EPILOG)


def run(args: argparse.Namespace) -> int:
    return int(args.act(args))
