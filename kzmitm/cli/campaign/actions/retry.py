"""Try once more what a vantage failed, in all rounds."""

import argparse

from kzmitm.cli.campaign.actions import run as running


def configure(parser: argparse.ArgumentParser) -> None:
    running.configure(parser)
    parser.add_argument(
        "--failed", action="store_true", help="what failed (there is nothing else to try again)"
    )
    parser.set_defaults(retry_failed=True)


def run(args: argparse.Namespace) -> int:
    return running.run(args)
