"""List, show, match and check the fingerprints of those who can intercept."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kzmitm.cli import fingerprint_views as views
from kzmitm.cli.certificates import certificates_of
from kzmitm.cli.exits import Exit
from kzmitm.cli.sources import read_file, registry_of
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.errors import UsageError
from kzmitm.pki.attribution import attribute
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.entries import KnownAuthority
from kzmitm.pki.kinds import INTERCEPTION_KINDS
from kzmitm.pki.registry import Registry
from kzmitm.report.language import _
from kzmitm.report.text import Line

MAX_CERTIFICATES_OCTETS = 64 << 20
"""Some ten thousand certificates in one file."""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    _action(actions, "list", _list, _("every authority: id, kind, country, name"))
    show = _action(actions, "show", _show, _("everything about an authority, by its id or a hash"))
    show.add_argument("id", metavar="ID|HASH", help="an id of `list`, or eight or more digits of a hash")
    match = _action(actions, "match", _match, _("whose these certificates are"))
    match.add_argument("files", metavar="FILE", nargs="+", help="PEM or DER; - for stdin")
    _action(actions, "check", _check, _("read every file strictly and say what is in them"))
    parser.epilog = (
        "`match` exits with 1 if a certificate is of somebody who intercepts, else with 0. The state's\n"
        "e-signature authorities are told apart: they are named, and are no finding."
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
        raise UsageError(f"{word}: {reason}", hint=_("`kzmitm fingerprints list` shows the ids"))
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
