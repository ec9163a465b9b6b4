"""The options of a scan: read once, checked whole, before anything is sent or written."""

import argparse
from dataclasses import dataclass
from datetime import datetime

from kzmitm.cli import clock
from kzmitm.cli.option_values import (
    MAX_RATE,
    MAX_SNI_OCTETS,
    MAX_TIMEOUT_S,
    country_code,
    network_number,
    resolver_url,
    server_name,
    within,
)
from kzmitm.cli.parser import filled, filled_path
from kzmitm.errors import UsageError
from kzmitm.evidence.sealing import Recipient, read_recipients
from kzmitm.evidence.signing.keys import DEFAULT_CAMPAIGN, check_campaign
from kzmitm.model.observation import Split
from kzmitm.model.target import SAME_AS_HOSTNAME
from kzmitm.netio.vantage import is_vantage
from kzmitm.wire.limits import MAX_OPENSSL_SNI
from kzmitm.wire.profiles import PROFILES

MAX_CONCURRENCY = 10_000
"""Sockets that one process may have open on common systems once its limit was raised."""

ENGINES = ("kzmitm", "openssl")
CONTRADICTIONS = (
    ("--no-save", "--out"),
    ("--no-save", "--pcap"),
    ("--no-save", "--seal-to"),
    ("--record-control", "--control"),
)


EXAMPLES = """examples:
  kzmitm scan                                     the default list, one site at a time, gently
  kzmitm scan example.org mail.example.org:8443   these sites
  kzmitm scan --list names.txt --concurrency 50   a list of your own
  kzmitm scan --dry-run                           what would be scanned; nothing is sent
  kzmitm scan --record-control clean.json         at a clean place: what these sites look like
  kzmitm scan --control clean.json                elsewhere: compare with it
  kzmitm scan --json example.org > result.json    one document, for programs
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add every option of a scan."""
    parser.epilog = EXAMPLES
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="HOST, HOST:PORT or https://HOST/")
    _configure_what(parser.add_argument_group("what is scanned"))
    _configure_judging(parser.add_argument_group("what it is judged by"))
    _configure_way(parser.add_argument_group("how it is reached"))
    _configure_pace(parser.add_argument_group("how fast"))
    _configure_result(parser.add_argument_group("what becomes of it"))


def _configure_what(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--list", type=filled, metavar="NAME|FILE", action="append", default=[], dest="lists",
        help="list of the registry, or file, one target a line (- for stdin); may be repeated")  # fmt: skip
    add("--include-sensitive", action="store_true", help="use a sensitive list without being asked")
    add(
        "--sni",
        type=filled,
        metavar="NAME",
        help="ask every target for this name instead of its own; `none` for no name",
    )
    add("--dry-run", action="store_true", help="print the targets; send and write nothing")
    add(
        "--thorough", action="store_true", help="go on after two interceptions (the default list stops there)"
    )


def _configure_judging(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--store",
        type=filled,
        metavar="FILE",
        help="trust the roots in this PEM file instead of the pinned ones",
    )
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--control", type=filled, metavar="FILE|URI",
        help="what a clean place sees: a file of --record-control, or a vantage at such a place")  # fmt: skip
    add(
        "--record-control",
        type=filled,
        metavar="FILE",
        help="write what is seen here as a control for others",
    )
    add(
        "--no-local-roots",
        action="store_true",
        help="do not look whether programs on this computer would have accepted a forged certificate",
    )
    add("--now", type=filled, metavar="TIME", help="judge as if it were this time (ISO 8601), for replays")


def _configure_way(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--via",
        type=filled,
        metavar="URI",
        default="direct:",
        help="the way out: direct: (default), interface:NAME, netns:NAME, socks5://, socks5h:// or "
        "http://[USER:PASSWORD@]HOST:PORT, ssh://[USER@]HOST, tor:",
    )
    add("--connect-to", metavar="HOST:PORT:ADDR:PORT", action="append", default=[],
        help="connect to ADDR:PORT for HOST:PORT (empty: any), as curl does; may be repeated")  # fmt: skip
    add("--resolve", metavar="HOST:PORT:ADDR", action="append", default=[],
        help="the addresses of HOST:PORT, as curl does; may be repeated")  # fmt: skip
    add("--doh", type=filled, metavar="URL|none", help="the resolver for DNS over HTTPS, or none")
    family = group.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4, help="IPv4 only")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="IPv6 only")
    add("--profile", choices=sorted(PROFILES), default="small", help="what the hello offers (default: small)")
    add(
        "--split",
        choices=[split.value for split in Split],
        default=Split.NONE.value,
        help="how the hello is cut",
    )
    add("--engine", choices=ENGINES, default=ENGINES[0], help="who speaks TLS (default: kzmitm)")
    add("--locate", action="store_true",
        help="trace the ways to the first intercepted targets, as `kzmitm trace` does")  # fmt: skip
    add("--no-follow-up", action="store_true", help="one handshake per target, however suspicious")
    add(
        "--probe-asn",
        type=filled,
        metavar="ASN",
        help="the number of your network, for the result; it is never looked up",
    )
    add("--probe-cc", type=filled, metavar="CC", help="your country, for the result")


def _configure_pace(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--concurrency", metavar="N", type=int, help="targets at once (default: 20; the default list: 1)")
    add(
        "--timeout",
        metavar="S",
        type=float,
        help="seconds for a connect, and again for a handshake (default: 10 and 15)",
    )
    add("--rate", metavar="N", type=float, help="targets begun per second, at most")


def _configure_result(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--out",
        metavar="DIR|FILE",
        type=filled_path,
        help="a folder for the result, or its own name, NAME.zip (default: in the data of this user)",
    )
    add("--no-save", action="store_true", help="write nothing")
    key = group.add_mutually_exclusive_group()
    key.add_argument("--campaign", metavar="NAME", default=DEFAULT_CAMPAIGN,
        help="sign with the key of this campaign (default: %(default)s)")  # fmt: skip
    key.add_argument("--one-time-key", action="store_true", help="sign with a key that is then forgotten")
    add("--seal-to", type=filled, metavar="KEY|FILE", action="append", default=[],
        help="encrypt the result to this age or ssh key; until then it is in memory only")  # fmt: skip
    add("--pcap", action="store_true", help="keep our own packets, too, with your address (Linux, as root)")
    add("--json", action="store_true", help="one JSON document (kzmitm.scan/1.0) on stdout")
    add("--i-understand", action="store_true", help="I know what `kzmitm consent` says; scan without asking")


@dataclass(frozen=True, slots=True)
class Checked:
    """Options that needed reading."""

    control_file: str | None
    control_uri: str | None
    now: datetime | None
    sni: str | None
    """What is asked for; SAME_AS_HOSTNAME if nothing else is."""
    doh: str | None
    """The URL of a resolver, "" for none, None for our own choice."""
    asn: str
    cc: str
    recipients: tuple[Recipient, ...]
    """Who alone will be able to open the result; none for a result that is not sealed."""


def check(args: argparse.Namespace) -> Checked:
    """The options that need reading; raises UsageError for what cannot be or contradicts itself."""
    within("--concurrency", args.concurrency, 1, MAX_CONCURRENCY)
    within("--timeout", args.timeout, 0.01, MAX_TIMEOUT_S)
    within("--rate", args.rate, 0.001, MAX_RATE)
    for one, other in CONTRADICTIONS:
        if _is_given(args, one) and _is_given(args, other):
            raise UsageError(
                "{one} and {other} contradict each other", hint="leave one of them out", one=one, other=other
            )
    if args.pcap and not (_has_own_packets(args.via) and _has_own_packets(args.control or "")):
        # Between here and a proxy, its password would be in the packets; those of a namespace are not seen.
        raise UsageError(
            "--pcap keeps packets of this computer's own connections only",
            hint="leave it out, or scan without --via",
        )
    check_campaign(args.campaign)
    if args.engine == "openssl" and args.split != Split.NONE.value:
        raise UsageError("--split works with our own engine only", hint="leave out --engine openssl")
    longest = MAX_OPENSSL_SNI if args.engine == "openssl" else MAX_SNI_OCTETS
    is_uri = args.control is not None and is_vantage(args.control)
    return Checked(
        control_file=None if is_uri else args.control,
        control_uri=args.control if is_uri else None,
        now=clock.parse_time(args.now) if args.now else None,
        sni=SAME_AS_HOSTNAME if args.sni is None else server_name(args.sni, longest),
        doh=resolver_url(args.doh),
        asn=network_number(args.probe_asn),
        cc=country_code(args.probe_cc),
        recipients=tuple(one for value in args.seal_to for one in read_recipients(value)),
    )


def _is_given(args: argparse.Namespace, option: str) -> bool:
    return bool(getattr(args, option.removeprefix("--").replace("-", "_")))


def _has_own_packets(uri: str) -> bool:
    """True for a way without a proxy, and for a file."""
    return uri.partition(":")[0].lower() in ("direct", "interface") or not is_vantage(uri)
