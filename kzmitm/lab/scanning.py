"""The real scan in a laboratory: the very command, what it is told, and what it said."""

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.files import replace_file
from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.profile import Expected
from kzmitm.lab.session import Finding
from kzmitm.model.codec import CodecError, from_json
from kzmitm.model.location import Location
from kzmitm.report.language import _

TIMEOUT_S = 1.5
"""The laboratory answers within milliseconds; what takes longer here is a filter that swallows packets."""

STORE, CONTROL = "roots.pem", "control.json"
"""What a demonstration leaves beside its bundle."""

ENDED_WELL = frozenset({0, 1, 3})
"""Exit codes of a scan that came to its end: nothing found, found, inconclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the scan judges by, as files where it runs."""

    store: Path
    overlay: Path
    control: Path | None = None

    def words(self) -> list[str]:
        """Options of `kzmitm scan`. Nobody in the laboratory answers for the encrypted resolvers.

        The user's own keys have nothing to sign here, and their trust stores nothing to say.
        """
        words = ["--doh", "none", "--timeout", str(TIMEOUT_S), "--one-time-key", "--no-local-roots"]
        words += self.trace_words()
        return words if self.control is None else [*words, "--control", str(self.control)]

    def trace_words(self) -> list[str]:
        """Options of `kzmitm trace`."""
        return ["--i-understand", "--store", str(self.store), "--fingerprints", str(self.overlay)]


def leave_beside(bundle: Path, *, store: Path, control: Path) -> None:
    """Copy what a scan judged by beside its bundle, for a report that is made when the laboratory is gone."""
    replace_file(bundle.with_name(STORE), [store.read_bytes()])
    replace_file(bundle.with_name(CONTROL), [control.read_bytes()])


def how_to_report(bundle: Path) -> str:
    """The command that writes a bundle down for people, by what was left beside it; a line for them."""
    judged_by = ["--store", str(bundle.with_name(STORE)), "--control", str(bundle.with_name(CONTROL))]
    command = shlex.join(["kzmitm", "report", str(bundle), "--level", "partner", *judged_by])
    return _("This writes it down for people: {command}").format(command=command)


def demand_end(code: int, said: str = "") -> None:
    """Raise LaboratoryError if a scan did not come to its end; `said` is what it wrote on stderr."""
    if code not in ENDED_WELL:
        raise LaboratoryError("the scan ended with {code}: {words}", code=code, words=_last_words(said))


def _last_words(said: str) -> str:
    return " ".join(said.split())[-400:] or "-"


def rows_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The targets in the document of a scan with `--json`; raises LaboratoryError if it did not end well."""
    demand_end(done.returncode, done.stderr)
    try:
        return list(json.loads(done.stdout)["targets"])
    except (ValueError, TypeError, KeyError) as exc:
        raise LaboratoryError("the scan said nothing that can be read") from exc


def location_of(done: subprocess.CompletedProcess[str]) -> Location:
    """What a trace over one family came to; raises LaboratoryError if it did not end well."""
    if done.returncode not in ENDED_WELL:
        words = _last_words(done.stderr)
        raise LaboratoryError("the trace ended with {code}: {words}", code=done.returncode, words=words)
    try:
        return from_json(Location, json.loads(done.stdout)["traces"][0]["location"])
    except (ValueError, TypeError, LookupError, CodecError) as exc:
        raise LaboratoryError("the trace said nothing that can be read") from exc


def findings(
    rows: Sequence[Mapping[str, Any]],
    *,
    expected: Mapping[str, Expected],
    bundle: Path,
    genuine: Mapping[str, tuple[bytes, ...]],
) -> tuple[Finding, ...]:
    """What the scan said of each site; `bundle` is what it left, with the chains."""
    with read_bundle(bundle) as found:
        presented = {each.target.hostname: each.first for each in found.measurements()}
    return tuple(
        Finding(
            hostname=row["hostname"],
            row=row,
            expected=expected[row["hostname"]],
            presented=first.presented_chain if (first := presented[row["hostname"]]) else (),
            genuine=genuine.get(row["hostname"], ()),
        )
        for row in rows
    )
