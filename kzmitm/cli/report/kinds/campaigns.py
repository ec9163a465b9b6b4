"""The report of a campaign, by the log in its folder."""

import argparse
from pathlib import Path

from kzmitm.cli.report.kind import Made, Request
from kzmitm.evidence.layout import Level


def recognises(path: Path) -> bool:
    """The folder has the copy of a campaign file and the campaign's log."""
    from kzmitm.campaign.state import CAMPAIGN_LOG, FILE_COPY  # noqa: PLC0415

    return (path / FILE_COPY).is_file() and (path / CAMPAIGN_LOG).is_file()


def configure(parser: argparse.ArgumentParser) -> None:
    """Its options are those of archives."""


def make(request: Request) -> Made:
    """The report. The campaign's name is its owner's word, and no word for everybody; raises UsageError."""
    from kzmitm.cli.report.campaign_overview import read_overview  # noqa: PLC0415
    from kzmitm.cli.report.kinds.archives import only  # noqa: PLC0415
    from kzmitm.cli.report.overviews import made  # noqa: PLC0415
    from kzmitm.cli.sources import registry_of  # noqa: PLC0415

    registry = registry_of(request.options.fingerprints)
    folder = only(request.paths)
    overview = read_overview(folder, registry, with_name=request.level is not Level.PUBLIC)
    return made(overview, registry, request, stem=folder.absolute().name)
