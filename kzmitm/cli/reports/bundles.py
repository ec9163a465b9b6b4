"""The report of one scan's result, or of several."""

import argparse
from pathlib import Path

from kzmitm.cli.report_kinds import Made, Request


def recognises(path: Path) -> bool:
    """True for whatever there is: what is wrong with it is said when it is read."""
    return path.exists()


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this kind."""


def make(request: Request) -> Made:
    """The report; raises BundleError, UsageError."""
    raise NotImplementedError
