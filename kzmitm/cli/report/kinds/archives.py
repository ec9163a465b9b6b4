"""The report of an analysed archive: what `kzmitm ooni analyze --out` left."""

import argparse
from pathlib import Path

from kzmitm.cli.parser import filled_path
from kzmitm.cli.report.kind import Made, Request
from kzmitm.errors import UsageError
from kzmitm.report.language import _


def recognises(path: Path) -> bool:
    """The folder has the tables of an analysis."""
    from kzmitm.cli.report.archive_overview import is_analysis  # noqa: PLC0415

    return is_analysis(path)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this kind, which campaigns have as well."""
    parser.add_argument(
        "--impact",
        action="store_true",
        help="of an archive or a campaign: the Internet Impact Assessment, filled with what the data show",
    )
    parser.add_argument(
        "--fingerprints",
        metavar="DIR",
        type=filled_path,
        action="append",
        default=[],
        help="of an archive, a campaign or a registry: lay the files of DIR over our registry",
    )


def make(request: Request) -> Made:
    """The report; raises UsageError."""
    from kzmitm.cli.ooni.extras import demand_archive  # noqa: PLC0415
    from kzmitm.cli.report.archive_overview import read_overview  # noqa: PLC0415
    from kzmitm.cli.report.overviews import made  # noqa: PLC0415
    from kzmitm.cli.sources import registry_of  # noqa: PLC0415

    demand_archive()
    registry = registry_of(request.options.fingerprints)
    return made(
        read_overview(only(request.paths), registry), registry, request, stem=request.paths[0].absolute().name
    )


def only(paths: tuple[Path, ...]) -> Path:
    """The one path; raises UsageError for more."""
    if len(paths) != 1:
        raise UsageError(_("one folder at a time"), hint=_("kzmitm ooni merge makes one archive of several"))
    return paths[0]
