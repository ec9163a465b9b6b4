"""List, show, match and check the fingerprints of those who can intercept."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kzmitm.cli import clock
from kzmitm.cli import fingerprint_views as views
from kzmitm.cli.certificates import certificates_of
from kzmitm.cli.exits import Exit
from kzmitm.cli.sources import baseline_of, read_file, registry_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.pki.attribution import attribute
from kzmitm.pki.baseline import compare, read_baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.entries import KnownAuthority
from kzmitm.pki.kinds import INTERCEPTION_KINDS
from kzmitm.pki.registry import Registry
from kzmitm.report.language import N_, _
from kzmitm.report.line import Line

MAX_CERTIFICATES_OCTETS = 64 << 20
"""Some ten thousand certificates in one file."""
MAX_BASELINE_OCTETS = 16 << 20
"""A list of public roots has a quarter of a megabyte."""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    _action(actions, "list", _list, N_("every authority: id, kind, country, name"))
    show = _action(actions, "show", _show, N_("everything about an authority, by its id or a hash"))
    show.add_argument("id", metavar="ID|HASH", help="an id of `list`, or eight or more digits of a hash")
    match = _action(actions, "match", _match, N_("whose these certificates are"))
    match.add_argument("files", metavar="FILE", nargs="+", help="PEM or DER; - for stdin")
    _action(actions, "check", _check, N_("read every file strictly and say what is in them"))
    baseline = _action(actions, "baseline", _baseline, N_("the list of all roots that were ever public"))
    baseline.add_argument("--check", action="store_true", help="exit with 3 if it is older than nine months")
    baseline.add_argument(
        "--from", dest="other", metavar="FILE", help="what a newer public-roots.json says beyond ours"
    )
    parser.epilog = (
        "`match` exits with 1 if a certificate is of somebody who intercepts, else with 0. Told apart are\n"
        "the state's e-signature authorities, and those for origin servers, for tests and of earlier times,\n"
        "with which nobody intercepts: they are named, and are no finding."
    )


def _action(
    actions: Any, name: str, do: Callable[[argparse.Namespace, Registry], int], about: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=about, description=about, allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument(
        "--fingerprints",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="lay the files of DIR over ours; may be repeated",
    )
    parser.set_defaults(do=do)
    return parser


def run(args: argparse.Namespace) -> int:
    return int(args.do(args, registry_of(args.fingerprints)))


def _list(args: argparse.Namespace, registry: Registry) -> int:
    known = sorted(registry.authorities.values(), key=lambda entry: (entry.kind, entry.id))
    if args.json:
        rows = [views.authority_row(entry) for entry in known]
        print_json(views.document(registry, {"authorities": rows}))
    else:
        print_lines(views.authority_line(entry) for entry in known)
    return Exit.OK


def _show(args: argparse.Namespace, registry: Registry) -> int:
    entry = _wanted(args.id, registry)
    if args.json:
        print_json(views.document(registry, {"authority": views.plain(entry.document)}))
    else:
        print_lines(views.authority_lines(entry))
    return Exit.OK


def _wanted(word: str, registry: Registry) -> KnownAuthority:
    if word in registry.authorities:
        return registry.authorities[word]
    found = {match.authority.id: match.authority for match in registry.lookup(word)}
    if len(found) != 1:
        reason = (
            _("several have it: {}").format(", ".join(found))
            if found
            else _("no authority has this id or hash")
        )
        raise UsageError(
            "{word}: {reason}", hint=_("`kzmitm fingerprints list` shows the ids"), word=word, reason=reason
        )
    return next(iter(found.values()))


def _match(args: argparse.Namespace, registry: Registry) -> int:
    cache = CertificateCache()
    rows: list[views.Match] = []
    for name in args.files:
        content = read_file(name, option="match", max_octets=MAX_CERTIFICATES_OCTETS)
        for der in certificates_of(content, origin=name):
            certificate = cache.parse(der)
            rows.append(
                views.Match(name, certificate, attribute((certificate,), registry=registry, cache=cache))
            )
    if args.json:
        print_json(views.document(registry, {"certificates": [views.match_row(row) for row in rows]}))
    else:
        print_lines(line for row in rows for line in views.match_lines(row))
    found = any(a.authority.kind in INTERCEPTION_KINDS for row in rows for a in row.attributions)
    return Exit.FOUND if found else Exit.OK


def _check(args: argparse.Namespace, registry: Registry) -> int:
    counts = {
        "authorities": len(registry.authorities),
        "certificates": sum(len(entry.certificates) for entry in registry.authorities.values()),
        "keys_in_full": len(registry.signers),
        "forgers": len(registry.forgers),
        "incidents": len(registry.incidents),
        "networks": len(registry.networks),
        "watchlists": len(registry.watchlists),
    }
    if args.json:
        print_json(views.document(registry, {"counts": counts}))
        return Exit.OK
    print_lines(
        [
            Line(
                _("registry {version} is sound: ").format(version=registry.version)
                + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
            )
        ]
    )
    return Exit.OK


def _baseline(args: argparse.Namespace, registry: Registry) -> int:
    ours, today = baseline_of(), clock.now().date()
    changes = None
    if args.other is not None:
        content = read_file(args.other, option="--from", max_octets=MAX_BASELINE_OCTETS)
        changes = compare(ours, read_baseline(content, name=args.other))
    if args.json:
        print_json(views.document(registry, {"baseline": views.baseline_row(ours, today, changes)}))
    else:
        print_lines(views.baseline_lines(ours, today))
        print_lines(views.change_lines(changes) if changes else ())
    if not ours.is_old(today):
        return Exit.OK
    say(_("The list of public roots is older than nine months: new public roots may show as unknown."))
    return Exit.UNDECIDED if args.check else Exit.OK
