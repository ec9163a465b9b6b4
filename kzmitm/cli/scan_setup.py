"""From checked options to what a scan needs: network, judge, manner, header of its result."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kzmitm import __version__
from kzmitm.cli.results import InMemory, Results
from kzmitm.cli.saving import open_saved
from kzmitm.cli.scan_options import Checked
from kzmitm.cli.sources import baseline_of, pinned_pem, store_of
from kzmitm.cli.systems import this_system
from kzmitm.cli.targets import CONTROLS, Selection
from kzmitm.evidence.control import Control, read_control
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Split
from kzmitm.model.target import SAME_AS_HOSTNAME
from kzmitm.model.verdict import Verdict
from kzmitm.netio.doh import DEFAULT_SERVERS
from kzmitm.netio.overrides import Overrides, parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import open_resolver
from kzmitm.netio.vantage import VantageLink, open_vantage
from kzmitm.pki.registry import Registry
from kzmitm.roots.local import LocalRoots
from kzmitm.scan import Network, ScanOptions, gentle
from kzmitm.scan.locating import TraceManner
from kzmitm.verdict.engine import RULES_VERSION
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.followup import FollowUp
from kzmitm.verdict.judge import Judge

DEFAULT_CONCURRENCY = 20
"""Targets at once where the user chose them: quick for a list of a hundred, and no burst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that can be made before anything is sent or written."""

    judge: Judge
    judging_time: datetime | None
    options: ScanOptions
    link: VantageLink
    control_link: VantageLink | None
    overrides: Overrides
    doh_servers: tuple[str, ...]
    control_path: Path | None
    """Where the control is recorded."""
    control: Control
    """What that file holds already."""
    witness: LocalRoots | None = None
    """What the trust stores of this computer hold; None if they are left alone."""

    def network(self) -> Network:
        """The ways out; nothing is sent yet. Close its resolver at the end."""
        resolver = None
        if self.link.resolves_names:
            resolver = open_resolver(root_pem=pinned_pem(), doh_servers=self.doh_servers, link=self.link)
        return Network(
            link=self.link, resolver=resolver, overrides=self.overrides, control_link=self.control_link
        )


class JudgeAt:
    """A judge that holds every certificate against one time, whenever it was seen (`--now`)."""

    def __init__(self, judge: Judge, now: datetime) -> None:
        self._judge = judge
        self._now = now

    def facts(self, measurement: Measurement, now: datetime) -> Facts:
        del now
        return self._judge.facts(measurement, self._now)

    def follow_ups(
        self, facts: Facts, *, benign_sni: Sequence[str], nonsense_sni: str
    ) -> tuple[FollowUp, ...]:
        return self._judge.follow_ups(facts, benign_sni=benign_sni, nonsense_sni=nonsense_sni)

    def verdict_of(self, facts: Facts) -> Verdict:
        return self._judge.verdict_of(facts)


def set_up(args: argparse.Namespace, checked: Checked, registry: Registry, targets: Selection) -> Setup:
    """Read and check what the options name; raises UsageError."""
    control_path = Path(args.record_control) if args.record_control else None
    return Setup(
        judge=Judge(
            registry=registry,
            store=store_of(args.store),
            control=read_control(Path(checked.control_file)) if checked.control_file else None,
        ),
        judging_time=checked.now,
        options=scan_options(args, checked, registry, targets),
        link=open_vantage(args.via, asn=checked.asn, cc=checked.cc),
        control_link=open_vantage(checked.control_uri) if checked.control_uri else None,
        overrides=parse_overrides(args.connect_to, args.resolve),
        doh_servers=DEFAULT_SERVERS if checked.doh is None else tuple(filter(None, [checked.doh])),
        control_path=control_path,
        control=read_control(control_path) if control_path and control_path.exists() else {},
        witness=None
        if args.no_local_roots
        else LocalRoots(this_system(), registry=registry, baseline=baseline_of),
    )


def scan_options(
    args: argparse.Namespace, checked: Checked, registry: Registry, targets: Selection
) -> ScanOptions:
    """How the targets are measured: gently for the default list, unless the user says how fast."""
    controls = registry.watchlists.get(CONTROLS)
    options = ScanOptions(
        limits=Limits(*(args.timeout,) * 3) if args.timeout else Limits(),
        concurrency=args.concurrency or DEFAULT_CONCURRENCY,
        rate_per_s=args.rate,
        families=frozenset({args.family} if args.family else {4, 6}),
        profile=args.profile,
        split=Split(args.split),
        engine=args.engine,
        follow_ups=not args.no_follow_up,
        benign_sni=controls.names if controls else (),
        control_every=checked.control_uri is not None,
        locate=TraceManner(control_sni=controls.names[0]) if args.locate and controls else None,
        software_version=__version__,
    )
    if targets.gentle:
        easy = gentle(options)
        # Who says how fast has decided about the pauses, yet not about going on after two findings.
        options = replace(options, stop_after=easy.stop_after) if args.concurrency or args.rate else easy
    return replace(options, stop_after=None) if args.thorough else options


def open_results(
    args: argparse.Namespace, checked: Checked, setup: Setup, targets: Selection, started_at: datetime
) -> Results:
    """Where the verdicts go; a journal is begun on the disk here, and no earlier."""
    header = ScanHeader(
        started_at=started_at,
        rules_version=RULES_VERSION,
        registry_version=setup.judge.registry.version,
        store=setup.judge.store,
        vantage=setup.link.vantage,
        options=_shaping(args, setup, targets),
    )
    if args.no_save:
        return InMemory(header, keeps_rows=args.json)
    return open_saved(args, checked, header)


def _shaping(args: argparse.Namespace, setup: Setup, targets: Selection) -> dict[str, object]:
    """The options that shaped the scan. No path and no URI: both tell who the user is."""
    options = setup.options
    return {
        "lists": [name for name in targets.names if name in setup.judge.registry.watchlists],
        "targets": targets.count,
        "sni": "own" if targets.sni == SAME_AS_HOSTNAME else targets.sni,
        "profile": options.profile,
        "split": options.split,
        "engine": options.engine,
        "follow_ups": options.follow_ups,
        "concurrency": options.concurrency,
        "rate_per_s": options.rate_per_s,
        "timeout_s": options.limits.connect_s,
        "families": sorted(options.families),
        "stop_after": options.stop_after,
        "doh": bool(setup.doh_servers) and setup.link.resolves_names,
        "connect_to": bool(args.connect_to or args.resolve),
        "locate": options.locate is not None,
        "control": "vantage" if setup.control_link else "file" if args.control else None,
        "judged_at": setup.judging_time,
    }
