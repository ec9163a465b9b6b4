"""The history of a country's interception from a registry alone: its folder is the path."""

import argparse
from pathlib import Path

from kzmitm.cli.report.kind import Made, Request
from kzmitm.errors import UsageError
from kzmitm.report.language import _


def recognises(path: Path) -> bool:
    """A folder laid out like the registry, with incidents in it."""
    return (path / "incidents").is_dir() and (path / "authorities").is_dir()


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this kind."""
    parser.add_argument(
        "--country", metavar="CC", default="KZ", help="of a registry: whose history is told (default: KZ)"
    )


def make(request: Request) -> Made:
    """The history; raises UsageError, FingerprintError."""
    from kzmitm.cli.sources import registry_of  # noqa: PLC0415
    from kzmitm.report.overviews import history  # noqa: PLC0415

    registry = registry_of([*request.paths, *request.options.fingerprints])
    country = request.options.country.upper()
    document = history.document(registry, country, now=request.now)
    if document is None:
        known = ", ".join(sorted({each.country for each in registry.incidents.values()}))
        raise UsageError(
            _("--country: the registry knows of nothing in {country}").format(country=country[:40]),
            hint=_("it knows: {countries}").format(countries=known),
        )
    return Made(document=document, stem=f"interception-{country.lower()}")
