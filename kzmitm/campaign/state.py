"""The folder of a campaign: its plan, its log, the shares of its rounds, and how far they are."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kzmitm.campaign.history import Seen
from kzmitm.campaign.log import Log, read_log
from kzmitm.campaign.plan import Plan, Share
from kzmitm.campaign.share_store import ShareStore, results_of
from kzmitm.campaign.target_table import TargetTable
from kzmitm.errors import UsageError
from kzmitm.model.target import parse_target

CAMPAIGN_LOG: Final = "campaign.log"
FILE_COPY: Final = "campaign.toml"
TARGETS: Final = "targets.txt"
CONTROLS: Final = "controls.txt"
"""What the lists and files of a campaign named when it began, as these may change or lie elsewhere."""
PAUSED: Final = "paused"
ROUNDS: Final = "rounds"
UNKNOWN: Final = "AS0"
FORMAT: Final = "kzmitm.campaign/1.0"


@dataclass(frozen=True, slots=True)
class Versions:
    """What verdicts of a round rest on; a change is recorded and never mixed silently."""

    rules: str
    registry: str
    store: str
    software: str


@dataclass(slots=True)
class ShareState:
    """How far a share is."""

    share: Share
    jobs: int
    done: int = 0
    failed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        return self.jobs - self.done - self.failed


class CampaignFolder:
    """Opens or begins the folder of a campaign. Raises UsageError, OSError."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan

    def begin(self, octets: bytes, versions: Versions) -> None:
        """Make the folder, or check that it is of the same plan; a change of versions goes into the log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / CAMPAIGN_LOG
        known = list(read_log(path)) if path.exists() else []
        if known and known[0].get("plan") != self.plan.digest:
            raise UsageError(
                "{folder}: holds another plan of {get}",
                hint="the file, its lists or its seed changed: give another --out, or the old ones",
                folder=self.folder,
                get=known[0].get("name"),
            )
        told = {name: getattr(versions, name) for name in versions.__slots__}
        if not known:
            for name, table in ((TARGETS, self.plan.targets), (CONTROLS, self.plan.controls)):
                self._write(name, table.lines())
            self._write(FILE_COPY, octets)
            self.record({"format": FORMAT, "name": self.plan.campaign.name, "plan": self.plan.digest})
        last = next((each["versions"] for each in reversed(known) if "versions" in each), None)
        if last != told:
            self.record({"event": "versions", "versions": told})

    def _write(self, name: str, octets: bytes) -> None:
        """A file of the folder; appears whole."""
        temporary = self.folder / f".{name}"
        temporary.write_bytes(octets)
        temporary.replace(self.folder / name)

    def record(self, record: Mapping[str, Any]) -> None:
        """Add to the campaign's log."""
        with Log(self.folder / CAMPAIGN_LOG) as log:
            log.append(record)

    def events(self) -> Iterator[dict[str, Any]]:
        path = self.folder / CAMPAIGN_LOG
        if path.exists():
            yield from read_log(path)

    def place(self, share: Share) -> Path:
        return self.folder / ROUNDS / f"{share.round:04d}" / share.vantage

    def store(self, share: Share) -> ShareStore:
        """The share's results, open for writing."""
        return ShareStore(self.place(share), plan=self.plan.digest, jobs=self.plan.jobs_per_share)

    def share_state(self, share: Share) -> ShareState:
        """How far a share is, by its log alone."""
        state = ShareState(share, self.plan.jobs_per_share)
        kinds = {"": 0}  # an octet a job: a share may have millions of them
        last = bytearray(state.jobs)
        for result in results_of(self.place(share)):
            kind = result.state if result.is_failed else result.outcome
            last[result.number] = kinds.setdefault(kind, len(kinds))
        for kind, code in kinds.items():
            if kind:
                state.outcomes[kind] = last.count(code)
        state.failed = state.outcomes.pop("failed", 0)
        state.outcomes = +state.outcomes
        state.done = state.outcomes.total()
        return state

    def seen(self, round_number: int) -> Iterator[Seen]:
        """The final results of the targets (not of the controls) in a round."""
        for share in self.plan.shares(round_number):
            last = {result.number: result for result in results_of(self.place(share))}
            for number, result in last.items():
                if number < len(self.plan.targets):
                    yield Seen(round_number, share.vantage, str(self.plan.targets[number]), result)

    def networks(self) -> Callable[[Seen], str]:
        """Tells the AS number of a vantage in a round: as it was found then, else as the file says; or ""."""
        declared = {each.name: each.asn or "" for each in self.plan.campaign.vantages}
        found = {
            (each["round"], each["vantage"]): str(each["asn"])
            for each in self.events()
            if each.get("event") == "vantage_located" and each["asn"] != UNKNOWN
        }
        return lambda seen: found.get((seen.round, seen.vantage), declared.get(seen.vantage, ""))

    @property
    def rounds_finished(self) -> frozenset[int]:
        return frozenset(
            int(each["round"]) for each in self.events() if each.get("event") == "round_finished"
        )

    @property
    def is_paused(self) -> bool:
        return (self.folder / PAUSED).exists()

    def pause(self, *, paused: bool) -> None:
        """Ask a run, wherever it is, to hold on or to go on."""
        path = self.folder / PAUSED
        if paused:
            path.touch()
        else:
            path.unlink(missing_ok=True)


def kept_tables(folder: Path) -> tuple[TargetTable, TargetTable] | None:
    """The targets and controls kept in a folder, None if none are; raises UsageError."""
    try:
        texts = [(folder / name).read_text("ascii") for name in (TARGETS, CONTROLS)]
        targets, controls = (TargetTable(map(parse_target, text.splitlines())) for text in texts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise UsageError("{folder}: its targets cannot be read: {why}", folder=folder, why=exc) from None
    return targets, controls


def read_folder(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """The campaign file kept in a folder and the first record of its log; raises UsageError."""
    try:
        octets = (folder / FILE_COPY).read_bytes()
        first = next(read_log(folder / CAMPAIGN_LOG))
    except (OSError, StopIteration):
        raise UsageError(
            "{folder}: no campaign is there", hint="kzmitm campaign run FILE begins one", folder=folder
        ) from None
    if not str(first.get("format", "")).startswith("kzmitm.campaign/1."):
        raise UsageError("{folder}: of another version of kzmitm", folder=folder)
    return octets, first
