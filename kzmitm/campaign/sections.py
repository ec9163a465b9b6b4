"""What a campaign file says, section by section, with what is meant where it says nothing."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kzmitm.evidence.layout import Level
from kzmitm.evidence.signing.sshsig import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsPart:
    """`lists` are of the registry, `files` one target a line, `names` stand in the file itself."""

    lists: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    sample: int | None = None
    """This many of all, chosen by the seed."""
    sensitive: bool = False
    """Sensitive lists may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VantagePart:
    name: str
    uri: str = "direct:"
    asn: str | None = None
    cc: str | None = None
    concurrency: int | None = None
    rate: float | None = None
    workers: int = 1
    """Processes that may work at once for a vantage that is a worker: each has its part of the limits."""
    key: PublicKey | None = None
    """Whose results are taken, where a worker measures (`uri = "worker:"`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlsPart:
    """Names nobody would touch, measured between the others; `file` is what a clean place saw."""

    names: tuple[str, ...] = ()
    every: int = 25
    """One control after so many targets; 0 for none."""
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsPart:
    count: int = 1
    every: float = 86400.0
    """Seconds from the start of one round to the start of the next."""
    start: datetime | None = None
    jitter: float = 0.0
    """Seconds by which a round may begin later, chosen by the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPart:
    """What the network and the asked must bear; all of these hold at once."""

    concurrency: int = 20
    """Targets under way, over all vantages."""
    rate: float | None = 20.0
    """Connections begun per second, over all vantages."""
    vantage_concurrency: int = 20
    vantage_rate: float | None = None
    endpoint_gap: float = 2.0
    """Seconds between two connections to one address and port, from any vantage."""
    endpoint_concurrency: int = 1
    network_concurrency: int = 4
    """Connections at once into one block of neighbours (/24, /48)."""
    as_concurrency: int | None = None
    """Connections at once into one autonomous system, where `networks.table` tells which that is."""
    as_rate: float | None = None
    """Connections begun per second into one autonomous system."""
    timeout: float = 15.0
    attempts: int = 2
    """Tries of a target whose vantage failed; the target's own failures are results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectPart:
    follow_ups: bool = True
    profile: str = "small"
    families: tuple[int, ...] = (4, 6)
    doh: bool = True
    max_addresses: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPart:
    """When a vantage or a round is given up."""

    vantage_failures: int = 10
    """Failures of the vantage itself, one after another, after which its share waits."""
    findings: int | None = None
    """Independent interceptions after which a round has told what it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworksPart:
    """What is known of networks. Nothing is built in, and nobody is asked unless `locate` says whom."""

    table: str | None = None
    """A file with lines `PREFIX ASN`, or CAIDA's pfx2as."""
    locate: str | None = None
    """A service that tells through each vantage where that comes out (as /cdn-cgi/trace does)."""


class EvidenceTargets(StrEnum):
    """Of which results bundles are made."""

    FINDINGS = "findings"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePart:
    """The bundle that each vantage's part of a round leaves."""

    targets: EvidenceTargets = EvidenceTargets.FINDINGS
    level: Level = Level.FULL
    """The narrowest circle whose files are kept in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePart:
    raw_rounds: int | None = None
    """Finished rounds whose measurements stay; bundles, logs and manifests of all stay. None for all."""
    parquet: bool = False
    """Have the measurements as the archive's Parquet files, too, after each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksPart:
    on_finding: tuple[str, ...] = ()
    """A command and its arguments; the finding is JSON on its stdin."""
    webhook: str | None = None
    after: int = 2
    """Rounds in a row that must agree before a change is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFile:
    """A checked file. `digest` is the SHA-256 of its octets."""

    name: str
    contact: str
    seed: int
    description: str
    targets: TargetsPart
    vantages: tuple[VantagePart, ...]
    digest: str
    controls: ControlsPart = field(default_factory=ControlsPart)
    rounds: RoundsPart = field(default_factory=RoundsPart)
    limits: LimitsPart = field(default_factory=LimitsPart)
    collect: CollectPart = field(default_factory=CollectPart)
    stop: StopPart = field(default_factory=StopPart)
    networks: NetworksPart = field(default_factory=NetworksPart)
    evidence: EvidencePart = field(default_factory=EvidencePart)
    store: StorePart = field(default_factory=StorePart)
    hooks: HooksPart = field(default_factory=HooksPart)
