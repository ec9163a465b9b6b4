"""Publish measurements through OONI: for everybody, and for ever."""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.ooni.options import size_text
from kzmitm.cli.ooni.outgoing import Outgoing, outgoing
from kzmitm.cli.ooni.services import open_api
from kzmitm.cli.ooni.upload_journal import UploadJournal, journal_path
from kzmitm.cli.ooni.uploading import Upload
from kzmitm.cli.parser import filled_path
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import UsageError
from kzmitm.netio.ooni_api import DEFAULT_API
from kzmitm.netio.web import parse_service
from kzmitm.ooni.publication import is_thrown_away
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.safe import harmless

FLAG = "--i-understand-it-is-public"
INTERVAL_S = 0.2
"""Between measurements; OONI's own probe waits for nothing."""

CONSENT = (
    N_("Uploading publishes, and cannot be undone. Read this first:"),
    N_(
        "1 The measurements become part of OONI's public data: anybody can read, copy and\n"
        "  analyse them, for ever. Neither you nor OONI can take them back."
    ),
    N_(
        "2 Each tells a site, the second it was measured, the country and the network\n"
        "  (provider) you were in, and every certificate and answer that came. Those that\n"
        "  an antivirus program or a company's box made can tell whose computer it was."
    ),
    N_(
        "3 Your IP address is not in them. Your provider, employer or government can still\n"
        "  tell from the times and the sites that it was you, and that you used kzmitm."
    ),
    N_(
        "4 While uploading, the collector sees this computer's address, and whoever watches\n"
        "  the network sees that you talk to OONI. The proxy in HTTPS_PROXY is used."
    ),
    N_(
        "5 In some places publishing this may be unlawful, or put you at risk. Ask someone\n"
        "  you trust; a partner abroad can upload for you what `kzmitm ooni emit` writes."
    ),
    N_("To see what would be published: --dry-run. To publish: {flag}"),
)

EPILOG = N_("""examples:
  kzmitm ooni upload scan.jsonl --dry-run
  kzmitm ooni upload scan.jsonl {flag}

Nothing is ever uploaded by another command. FILE.uploads, beside the file, remembers what was accepted: the
same command goes on where it was cut off, and sends nothing twice.
Exit code 0: all accepted, or shown; 2: it cannot be uploaded, and nothing was; 3: some was not accepted;
4: {flag} is missing.""")


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=filled_path,
        help="what `kzmitm ooni emit` wrote, or the result of a scan")  # fmt: skip
    add(FLAG, dest="understood", action="store_true", help="publish, for ever; without it, why not to")
    add("--resend-doubtful", action="store_true",
        help="also send what an upload that was killed may have sent already")  # fmt: skip
    add("--endpoint", metavar="URL", default=DEFAULT_API, help="the collector (default: %(default)s)")
    add("--dry-run", action="store_true", help="check, show what would be published, and send nothing")
    parser.epilog = _(EPILOG).format(flag=FLAG)


def run(args: argparse.Namespace) -> int:
    if not args.understood and not args.dry_run:
        for item in CONSENT:
            for line in _(item).format(flag=FLAG).splitlines():
                say(line)
        return Exit.NO_CONSENT
    endpoint = parse_service(args.endpoint, option="--endpoint")
    checked = _check(args.file)
    if args.dry_run:
        print_lines(checked.lines())
        say(_("nothing was sent"))
        return Exit.OK
    with UploadJournal(journal_path(args.file), endpoint) as journal:
        return _send(args, endpoint, checked, journal)


def _send(args: argparse.Namespace, endpoint: str, checked: "_Checked", journal: UploadJournal) -> int:
    stop = asyncio.Event()
    counts: Counter[str] = Counter()

    async def work() -> None:
        async with open_api(endpoint, interval_s=INTERVAL_S) as api:
            upload = Upload(api, journal, resend=args.resend_doubtful)
            upload.counts = counts
            await upload.send(outgoing(args.file), checked.hashes, stop)

    is_whole = run_until_stopped(work(), stop)
    settled = counts["accepted"] + counts["before"]
    say(
        ngettext(
            "{count} of {total} measurement is accepted",
            "{count} of {total} measurements are accepted",
            len(checked.hashes),
        ).format(count=settled, total=len(checked.hashes))
        + (_(", {count} of them before").format(count=counts["before"]) if counts["before"] else "")
    )
    if is_whole and settled == len(checked.hashes) and not counts["nameless"]:
        return Exit.OK
    if settled + counts["doubtful"] + counts["left"] < len(checked.hashes):
        say(_("the same command goes on with the rest"))
    return Exit.UNDECIDED


@dataclass(slots=True)
class _Checked:
    """What would be published."""

    hashes: list[str] = field(default_factory=list)
    size: int = 0
    places: Counter[str] = field(default_factory=Counter)
    targets: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    """The first and the last."""

    def add(self, each: Outgoing) -> None:
        document = each.document
        self.hashes.append(each.sha256)
        self.size += len(each.octets)
        self.places[f"{document['probe_asn']}, {document['probe_cc']}"] += 1
        at = str(document["measurement_start_time"])
        self.times = [min([at, *self.times]), max([at, *self.times])]
        left_out = f"  ({_('too long, left out')})" if each.is_too_long else ""
        self.targets.append(f"{at}  {harmless(each.target)}{left_out}")

    def lines(self) -> Iterator[Line]:
        yield from map(Line, self.targets)
        yield Line(
            ngettext(
                "{count} measurement ({size}), from {first} to {last} (UTC)",
                "{count} measurements ({size}), from {first} to {last} (UTC)",
                len(self.hashes),
            ).format(
                count=len(self.hashes), size=size_text(self.size), first=self.times[0], last=self.times[1]
            )
        )
        for place, count in sorted(self.places.items()):
            yield Line(_("  {count} from the network {place}").format(count=count, place=place))


def _check(path: Path) -> _Checked:
    """All that is to be sent; raises UsageError, BundleError for a file of which anything cannot be."""
    checked = _Checked()
    for each in outgoing(path):
        if is_thrown_away(each.document):
            raise UsageError(
                _("{path}:{number}: the network or country is unknown ({asn}, {cc}): {why}").format(
                    path=path,
                    number=each.number,
                    asn=each.document["probe_asn"],
                    cc=each.document["probe_cc"],
                    why=_("OONI's collector throws such measurements away without a word"),
                ),
                hint=_("scan again with --probe-asn AS9198 --probe-cc KZ (those of your network)"),
            )
        checked.add(each)
    if not checked.hashes:
        raise UsageError(
            _("{path}: no measurement is in it").format(path=path), hint=_("give the result of a scan")
        )
    return checked
