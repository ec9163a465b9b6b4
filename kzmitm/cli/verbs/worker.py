"""Measure for somebody's campaign from here: take its targets from a server, give back signed results."""

import argparse
import asyncio
import contextlib
from pathlib import Path

from kzmitm.campaign.subjects import Subjects
from kzmitm.campaign.work_manner import Ceiling
from kzmitm.campaign.worker import Worker
from kzmitm.cli import clock, consent, serving
from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import keys_folder
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.signing import say_fingerprint
from kzmitm.cli.sources import pinned_pem, registry_of, store_of
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.evidence.signing.keys import SigningKey, campaign_key, check_campaign, load_key
from kzmitm.netio.descriptors import make_room
from kzmitm.netio.doh import DEFAULT_SERVERS
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.places import read_table
from kzmitm.netio.queue_access import Credentials, ServerAddress
from kzmitm.netio.resolve import open_resolver
from kzmitm.netio.vantage import open_vantage
from kzmitm.report.language import N_, Words, _, ngettext
from kzmitm.report.safe import harmless
from kzmitm.scan import Network
from kzmitm.verdict.judge import Judge

MAX_CONCURRENCY, MAX_RATE = 1000, 1000.0
NOTES = Words(
    {
        "refused": N_("a job was refused"),
        "too_long": N_("a result is too long to be sent"),
        "full": N_("the server takes no more results for now; waiting"),
        "lost": N_("the server does not answer; trying again"),
    }
)
EVERY = 25
"""Results after which their number is told."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    serving.add_options(parser, required=True)
    add("--vantage", metavar="NAME", type=filled,
        help="the place that you measure for (default: as in --creds)")  # fmt: skip
    add("--campaign", metavar="NAME", type=filled, help="the campaign (default: as in --creds)")
    add("--via", metavar="URI", type=filled, default="direct:",
        help="direct: (default), socks5://, socks5h:// or http://HOST:PORT")  # fmt: skip
    add("--key", metavar="FILE", type=filled_path,
        help="the key that signs the results (OpenSSH, Ed25519; default: one of this campaign)")  # fmt: skip
    add("--concurrency", metavar="N", type=int, default=10,
        help="targets at once, at most (default: %(default)s)")  # fmt: skip
    add("--rate", metavar="N", type=float, default=10.0,
        help="connections begun per second, at most (default: %(default)s)")  # fmt: skip
    add("--store", metavar="FILE", type=filled,
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--connect-to", metavar="HOST:PORT:ADDR:PORT", action="append", default=[], help="as for scan")
    add("--resolve", metavar="HOST:PORT:ADDR", action="append", default=[], help="as for scan")
    add("--networks", metavar="FILE", type=filled_path,
        help="lines PREFIX ASN: which network an address is of, for the limits of each")  # fmt: skip
    add("--local-targets", action="store_true",
        help="take addresses of this network as targets, too (for laboratories)")  # fmt: skip
    add("--i-understand", action="store_true", help="I know what `kzmitm consent` says; run without asking")
    parser.epilog = (
        "Works until Ctrl-C. Whoever has the campaign chooses the targets; this computer chooses how fast,\n"
        "and opens no connection that a scan would not. Results go to the server, with the key."
    )


def run(args: argparse.Namespace) -> int:
    server, credentials = serving.server_of(args)
    names = _names(args, credentials)
    ceiling = _ceiling(args)
    link, overrides = open_vantage(args.via), parse_overrides(args.connect_to, args.resolve)
    registry, store = registry_of(args.fingerprints), store_of(args.store)
    table = read_table(args.networks) if args.networks else None
    consent.demand(understood=args.i_understand)
    make_room(ceiling.concurrency)
    key = _key(args.key, names.campaign)
    resolver = None
    if link.resolves_names:
        resolver = open_resolver(root_pem=pinned_pem(), doh_servers=DEFAULT_SERVERS)
    network = Network(link=link, resolver=resolver, overrides=overrides)
    told = _Telling()

    async def work() -> None:
        async with serving.linked(server, credentials, names.inbox) as queue:
            worker = Worker(
                queue=queue,
                names=names,
                network=network,
                judge=lambda: Judge(registry=registry, store=store),
                key=key,
                ceiling=ceiling,
                now=clock.now,
                told=told.hear,
                network_of=table.asn_of if table is not None else None,
            )
            try:
                await worker.run(stop)
            finally:
                with contextlib.suppress(asyncio.CancelledError):
                    if resolver is not None:
                        await resolver.aclose()

    _say_what(server, names, ceiling, key)
    stop = asyncio.Event()
    run_until_stopped(work(), stop)
    say(
        ngettext(
            "stopped; {count} result was given", "stopped; {count} results were given", told.given
        ).format(count=told.given)
    )
    return Exit.OK


def _names(args: argparse.Namespace, credentials: Credentials) -> Subjects:
    campaign = args.campaign or credentials.campaign
    vantage = args.vantage or credentials.vantage
    if not campaign or not vantage:
        raise UsageError(
            "neither the options nor --creds tell the campaign and the vantage",
            hint="give --campaign and --vantage",
        )
    for option, name, own in (
        ("--campaign", campaign, credentials.campaign),
        ("--vantage", vantage, credentials.vantage),
    ):
        if own and own != name:
            raise UsageError(
                "{option}: these credentials are for {own}",
                hint="use those of your own place",
                option=option,
                own=own,
            )
        if not _is_name(name):
            raise UsageError("{option}: not a name: {name}", option=option, name=repr(name[:60]))
    return Subjects(campaign, vantage)


def _is_name(text: str) -> bool:
    from kzmitm.campaign.forms import FormError, name  # noqa: PLC0415 (only here)

    try:
        name(text)
    except FormError:
        return False
    return True


def _ceiling(args: argparse.Namespace) -> Ceiling:
    if not 1 <= args.concurrency <= MAX_CONCURRENCY:
        raise UsageError(
            "--concurrency: must be from 1 to {max_concurrency}", max_concurrency=MAX_CONCURRENCY
        )
    if not 0.001 <= args.rate <= MAX_RATE:
        raise UsageError("--rate: must be from 0.001 to {max_rate}", max_rate=f"{MAX_RATE:g}")
    return Ceiling(concurrency=args.concurrency, rate=args.rate, local_targets=args.local_targets)


def _key(path: Path | None, campaign: str) -> SigningKey:
    if path is not None:
        try:
            return load_key(path)
        except FileNotFoundError:
            raise UsageError("--key: {path}: no such file", hint="ssh-keygen -t ed25519", path=path) from None
    name = check_campaign(f"worker-{campaign}"[:40].rstrip("-_").replace("_", "-"))
    key, is_new = campaign_key(keys_folder(), name)
    if is_new:
        say_fingerprint(key, name)
    return key


def _say_what(server: ServerAddress, names: Subjects, ceiling: Ceiling, key: SigningKey) -> None:
    say(
        _("This computer measures for the campaign {campaign}, as {vantage}:").format(
            campaign=names.campaign, vantage=names.vantage
        )
    )
    say(_("  it asks {server} for names, and opens TLS connections to them;").format(server=server.url))
    say(
        _("  at most {concurrency} at once, and {rate} new ones per second;").format(
            concurrency=ceiling.concurrency, rate=f"{ceiling.rate:g}"
        )
    )
    say(_("  what it sees goes back to that server, signed by {key};").format(key=key.public.line))
    say(_("  Ctrl-C ends it; whatever is not done then, somebody else or you later will do."))


class _Telling:
    """Says what is worth a line, and not the same twice in a row."""

    def __init__(self) -> None:
        self.given = 0
        self._last = ""

    def hear(self, code: str, detail: str) -> None:
        if code == "given":
            self.given += 1
            self._last = ""
            if self.given == 1 or self.given % EVERY == 0:
                say(
                    ngettext("{count} result given", "{count} results given", self.given).format(
                        count=self.given
                    )
                )
            return
        words = f"{_(NOTES.get(code, code))}: {harmless(detail)}"
        if words != self._last:
            say(words)
        self._last = words
