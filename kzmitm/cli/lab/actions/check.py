"""Switch every profile on in turn, run the real scan, and compare with the verdict expected."""

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import (
    add_json,
    add_loopback,
    add_settings,
    own_session,
    settings_of,
    wants_network,
)
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.lab.check import Checked, Result, check_profiles
from kzmitm.lab.products import find_products
from kzmitm.lab.profile import all_profiles, profile_named
from kzmitm.report.language import _
from kzmitm.report.line import Line, Style

JOBS = 3
"""Laboratories side by side: two cores are kept busy while a third waits for what a filter swallows."""
MAX_JOBS = 16

SCHEMA = "kzmitm.lab_check/1.0"
STYLES = {Result.PASS: Style.GOOD, Result.FAIL: Style.ALARM, Result.SKIP: Style.WARNING}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", metavar="PROFILE", nargs="*", help="these only (default: all)")
    add_settings(parser)
    add_loopback(parser)
    parser.add_argument(
        "--jobs", type=int, default=JOBS, help="laboratories side by side (default: %(default)s)"
    )
    add_json(parser)
    parser.epilog = (
        "Ends with 0 if every profile passes, with 70 if one does not. A profile whose product is not\n"
        "installed is skipped; where the environment says CI=true, that counts as a failure."
    )


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.jobs <= MAX_JOBS:
        raise UsageError(
            "--jobs: {jobs} is not possible",
            hint="give a number from 1 to {max_jobs}",
            jobs=args.jobs,
            max_jobs=MAX_JOBS,
        )
    given = settings_of(args.settings)
    products = find_products()
    is_network = wants_network(products, loopback=args.loopback)
    wanted = _wanted(args.profile, is_network=is_network)
    for name in wanted:  # every mistake is found before anything is started
        profile_named(name).settle(given)
    began = time.monotonic()
    checked = check_profiles(
        wanted,
        given,
        lambda: own_session(products, is_network=is_network),
        jobs=args.jobs,
        on_checked=lambda one: say(f"{one.result:<5} {one.profile.name}"),
    )
    took = time.monotonic() - began
    if args.json:
        print_json(_document(checked, took, kind="network" if is_network else "loopback"))
    else:
        print_lines(_table(checked, took))
    strict = os.environ.get("CI", "").lower() == "true"
    good = {Result.PASS} if strict else {Result.PASS, Result.SKIP}
    return Exit.OK if all(one.result in good for one in checked) else Exit.FAULT


def _wanted(names: Sequence[str], *, is_network: bool) -> list[str]:
    possible = [
        profile.name
        for profile in all_profiles().values()
        if (profile.network if is_network else profile.loopback) is not None
    ]
    for name in names:
        if profile_named(name).name not in possible:
            raise UsageError(
                "the profile {name} cannot exist on loopback",
                hint="there is: {possible}",
                name=name,
                possible=", ".join(possible),
            )
    return list(dict.fromkeys(names)) or possible


def _document(checked: Sequence[Checked], took: float, *, kind: str) -> dict[str, object]:
    counts = Counter(one.result for one in checked)
    return {
        "schema": SCHEMA,
        "version": "1.0",
        "kind": kind,
        "seconds": round(took, 1),
        "summary": {result: counts[result] for result in Result},
        "profiles": [_profile(one) for one in checked],
    }


def _profile(one: Checked) -> dict[str, object]:
    return {
        "profile": one.profile.name,
        "expected": one.expected,
        "got": one.got,
        "result": one.result,
        "reasons": list(one.reasons),
        "intercepts": one.profile.intercepts,
        "place": one.profile.place,
        "seconds": round(one.seconds, 1),
        "sites": [
            {
                "hostname": finding.hostname,
                "expected": str(finding.expected),
                "got": finding.row["outcome"],
                "confidence": finding.row["confidence"],
                "scope": finding.row["scope"],
                "authority": (finding.row["authority"] or {}).get("id"),
                "forgers": [forger["id"] for forger in finding.row["forgers"]],
            }
            for finding in one.findings
        ],
    }


def _table(checked: Sequence[Checked], took: float) -> Iterator[Line]:
    name = max(len(one.profile.name) for one in checked)
    wide = max(len(one.expected) for one in checked)
    yield Line(f"{'':5} {_('profile'):<{name}}  {_('expected'):<{wide}}  {_('got')}", style=Style.HEADING)
    for one in checked:
        row = f" {one.profile.name:<{name}}  {one.expected:<{wide}}  {one.got or '-'}"
        yield Line(row, lead=f"{one.result:<5}", style=STYLES[one.result], indent=6)
        for reason in one.reasons:
            yield Line(f"      {_(reason)}", indent=8)
    counts = Counter(one.result for one in checked)
    told = ", ".join(f"{counts[result]} {result}" for result in Result if counts[result])
    yield Line()
    yield Line(_("{told}, in {seconds:.0f} seconds").format(told=told, seconds=took))
