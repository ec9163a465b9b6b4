"""List the profiles: what can stand in the way, its parameters, and what the scanner must say of it."""

import argparse
import shlex
from collections.abc import Iterator

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import add_json
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.lab.products import find_products, how_to_get
from kzmitm.lab.profile import Profile, all_profiles, profile_named
from kzmitm.report.language import _
from kzmitm.report.line import Line, Style


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", metavar="PROFILE", nargs="*", help="these only, with their parameters")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    found = [profile_named(name) for name in args.profile] or list(all_profiles().values())
    if args.json:
        print_json(
            {
                "schema": "kzmitm.lab_profiles/1.0",
                "version": "1.0",
                "profiles": [_document(profile) for profile in found],
            }
        )
    else:
        print_lines(_lines(found, with_parameters=bool(args.profile)))
    return Exit.OK


def _document(profile: Profile) -> dict[str, object]:
    return {
        "profile": profile.name,
        "title": profile.title,
        "lesson": profile.lesson,
        "intercepts": profile.intercepts,
        "place": profile.place,
        "expected": str(profile.expected(profile.settle({}))),
        "network": profile.network is not None,
        "loopback": profile.loopback is not None,
        "needs": list(profile.needs),
        "missing": list(find_products().lacks(profile.needs)),
        "parameters": [
            {"name": p.name, "default": p.default, "about": p.about, "choices": list(p.choices)}
            for p in profile.parameters
        ],
    }


def _lines(found: list[Profile], *, with_parameters: bool) -> Iterator[Line]:
    products = find_products()
    groups = ((_("interception"), True), (_("not interception"), False))
    for title, intercepts in groups:
        members = [profile for profile in found if profile.intercepts is intercepts]
        if members:
            yield Line(lead=title, style=Style.HEADING)
        for profile in members:
            missing = products.lacks(profile.needs)
            note = _(" (needs {packages})").format(packages=_(how_to_get(missing))) if missing else ""
            yield Line(f"{_(profile.title)}{note}", lead=f"  {profile.name:<22}", indent=24)
            if with_parameters:
                yield Line(f"    {_(profile.lesson)}", indent=4)
                for p in profile.parameters:
                    values = _(" (one of: {all})").format(all=", ".join(p.choices)) if p.choices else ""
                    yield Line(
                        f"    --set {shlex.quote(f'{p.name}={p.default}')}   {_(p.about)}{values}", indent=8
                    )
