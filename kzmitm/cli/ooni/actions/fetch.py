"""Fetch measurements from OONI's public archive, or single ones through its API."""

import argparse
import asyncio
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni import options
from kzmitm.cli.ooni.fetching import ArchiveFetch, Window
from kzmitm.cli.ooni.listings import Listings
from kzmitm.cli.ooni.lookups import Lookups
from kzmitm.cli.ooni.services import open_api, open_archive, run_to_end
from kzmitm.cli.ooni.telling import SCHEMA, Report, candidate_octets
from kzmitm.cli.parser import filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.files import replace_file
from kzmitm.netio.ooni_api import DEFAULT_API, INTERVAL_S
from kzmitm.netio.s3_archive import DEFAULT_ENDPOINT
from kzmitm.netio.web import parse_service
from kzmitm.ooni.archive_listing import prefixes
from kzmitm.ooni.candidates import is_uid
from kzmitm.report.language import _, ngettext
from kzmitm.report.safe import harmless

FOLDER = Path("archive")
PARALLEL = 4
FIRST_DAY = date(2012, 12, 5)
"""Of OONI's data (`oonidata`)."""
MAX_CANDIDATES = 1000
"""Measurements that are fetched one a second: more are sooner had from the archive."""

EPILOG = """examples:
  kzmitm ooni fetch --cc KZ --since 2024-03-01 --until 2024-03-08     (seven days)
  kzmitm ooni fetch --uid 20240901151413.637888_KZ_webconnectivity_c351db70f739197a
  kzmitm ooni fetch --cc KZ --since 2024-09-01 --until 2024-09-02 --candidates --fetch-candidates

The days are those of the upload, a few of them later than the measurements; for candidates those of
the measurements. What was fetched is not fetched again, and a run that was cut or stopped goes on where
it ended when the same command is given again. Nothing of yours is sent; but Amazon, or OONI, sees this
computer's address and what is fetched. The proxy that the environment names (HTTPS_PROXY) is used.

Exit code 0: all of it is here; 3: not all, or stopped; 2: it cannot be done so. Candidates are no
verdicts, and do not change it."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cc", metavar="CC", type=options.country, help="the country, in two letters: KZ")
    add("--since", metavar="DAY", type=options.day, help="the first day: 2024-03-01")
    add("--until", metavar="DAY", type=options.day, help="the day after the last one: it is not fetched")
    add("--test", metavar="NAME", type=options.test_name, action="append",
        help="the test; may be given again (default: web_connectivity)")  # fmt: skip
    add("--uid", metavar="UID", nargs="+", action="extend", help="these measurements, through the API")
    add("--candidates", action="store_true",
        help="look among OONI's observations for certificates of the registry, or refused ones")  # fmt: skip
    add("--fetch-candidates", action="store_true", help="the same, and fetch the measurements they are of")
    add("--out", metavar="FILE", type=filled_path, help="also write the candidates to FILE, one JSON a line")
    add("--dest", metavar="DIR", type=filled_path, default=FOLDER, help="where to (default: %(default)s)")
    add("--parallel", metavar="N", type=options.parallel, default=PARALLEL,
        help="connections to the archive (default: %(default)s)")  # fmt: skip
    add("--limit-rate", metavar="N", type=options.rate,
        help="octets per second from the archive: 500k, 2M (default: no limit)")  # fmt: skip
    add("--endpoint", metavar="URL", default=DEFAULT_ENDPOINT, help="the archive (default: OONI's)")
    add("--api", metavar="URL", default=DEFAULT_API, help="the API (default: %(default)s)")
    add("--dry-run", action="store_true", help="show what there is, and fetch nothing")
    add("--json", action="store_true", help=_("one document ({schema}) on stdout").format(schema=SCHEMA))
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    archive = parse_service(args.endpoint, option="--endpoint")
    api = parse_service(args.api, option="--api")
    window = _window(args)
    report = Report(folder=args.dest, window=window, dry_run=args.dry_run)
    if args.uid or args.candidates or args.fetch_candidates:
        _look_up(args, api, window, report)
    else:
        _fetch_archive(args, archive, report)
    if args.json:
        print_json(report.document())
    else:
        print_lines(report.lines())
    _say_what_next(report)
    return Exit.OK if report.is_whole else Exit.UNDECIDED


def _window(args: argparse.Namespace) -> Window | None:
    """What the options say of country and days; None with --uid, which needs none. Raises UsageError."""
    for uid in args.uid or ():
        if not is_uid(uid):
            raise UsageError(
                "--uid: not the id of a measurement: {uid}",
                hint=_("it is like 20240901151413.637888_KZ_webconnectivity_c351db70f739197a"),
                uid=repr(uid[:100]),
            )
    given = (args.cc, args.since, args.until)
    if args.uid:
        if any(given) or args.candidates or args.fetch_candidates:
            raise UsageError("--uid: either measurements or days", hint=_("leave the others out"))
        return None
    if not all(given):
        raise UsageError(
            "--cc, --since and --until are needed, or --uid", hint="kzmitm ooni fetch --help has examples"
        )
    if args.out and not (args.candidates or args.fetch_candidates):
        raise UsageError("--out: it is for candidates", hint=_("name a folder for files with --dest"))
    if not FIRST_DAY <= args.since < args.until:
        raise UsageError(
            "--since {since} --until {until}: no days",
            hint=_("--until is the day after the last one; the first day is {day}").format(day=FIRST_DAY),
            since=args.since,
            until=args.until,
        )
    # Files of today are still coming, and none is there of tomorrow.
    until = min(args.until, clock.now().date() + timedelta(days=1))
    return Window(
        cc=args.cc, tests=tuple(args.test or ["web_connectivity"]), since=min(args.since, until), until=until
    )


def _fetch_archive(args: argparse.Namespace, endpoint: str, report: Report) -> None:
    window = report.window
    assert window is not None  # noqa: S101 - checked with the options
    wanted = list(dict.fromkeys(prefixes(window.cc, window.since, window.until, window.tests)))
    listings = Listings(args.dest, endpoint)
    fetches: list[ArchiveFetch] = []

    async def work() -> None:
        parallel, most = args.parallel, args.limit_rate
        async with open_archive(endpoint, parallel=parallel, octets_per_s=most) as archive:
            fetch = ArchiveFetch(archive, listings, args.dest, parallel=parallel)
            fetches.append(fetch)
            await fetch.list(wanted, remember=not args.dry_run)
            if not args.dry_run:
                await fetch.fetch()

    try:
        report.complete = run_to_end(work(), asyncio.Event())
    finally:
        listings.close()
    for fetch in fetches:
        report.files = list(fetch.files.values())
        report.unknown, report.passed_over = fetch.unlisted, fetch.passed_over


def _look_up(args: argparse.Namespace, base: str, window: Window | None, report: Report) -> None:
    registry = registry_of(()) if window else None
    lookups: list[Lookups] = []

    async def work() -> None:
        async with open_api(base, interval_s=INTERVAL_S) as api:
            looking = Lookups(api, args.dest)
            lookups.append(looking)
            looking.plan(args.uid or ())
            if window and registry:
                await looking.look(window, registry)
            if args.fetch_candidates:
                looking.plan(_few(each.uid for each in looking.candidates))
            if not args.dry_run:
                await looking.fetch()

    report.complete = run_to_end(work(), asyncio.Event())
    for looking in lookups:
        report.measurements, report.unknown = list(looking.singles.values()), looking.unknown
        report.candidates = looking.candidates if window else None
    if args.out and not args.dry_run:
        replace_file(args.out, candidate_octets(report.candidates or ()))


def _few(uids: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(uids))
    if len(found) > MAX_CANDIDATES:
        say(
            ngettext(
                "only the first {most} of {count} measurement is fetched; the archive has all of them",
                ("only the first {most} of {count} measurements are fetched; the archive has all of them"),
                len(found),
            ).format(most=MAX_CANDIDATES, count=len(found))
        )
    return found[:MAX_CANDIDATES]


def _say_what_next(report: Report) -> None:
    if report.dry_run:
        say(_("nothing was fetched"))
    elif not report.complete:
        say(_("stopped; what came is kept, and the same command goes on with the rest"))
    elif not report.is_whole:
        say(_("not all of it is here; the same command tries the rest again"))
    elif report.candidates and not report.measurements:
        say(_("to fetch these measurements, give --fetch-candidates too"))
    elif report.files or report.measurements:
        say(_("to look for interception in them:"))
        say(f"  kzmitm ooni analyze {harmless(str(report.folder), 4096)}")
    elif report.candidates is None:
        say(_("the archive holds nothing for these days"))
