"""The real scan in a laboratory: the very command, what it is told, and what it said."""

import json
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

TIMEOUT_S = 1.5
"""The laboratory answers within milliseconds; what takes longer here is a filter that swallows packets."""

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
        words = ["--i-understand", "--doh", "none", "--timeout", str(TIMEOUT_S), "--one-time-key"]
        words.append("--no-local-roots")
        words += ["--store", str(self.store), "--fingerprints", str(self.overlay)]
        return words if self.control is None else [*words, "--control", str(self.control)]


def leave_beside(bundle: Path, *, store: Path, control: Path) -> str:
    """Copy what a scan judged by beside its bundle; returns the command that reports with it.

    The laboratory goes, and with it all that could tell later what the sites show by themselves.
    """
    roots, known = bundle.with_name("roots.pem"), bundle.with_name("control.json")
    replace_file(roots, [store.read_bytes()])
    replace_file(known, [control.read_bytes()])
    return f"kzmitm report {bundle} --level partner --store {roots} --control {known}"


def demand_end(code: int, said: str = "") -> None:
    """Raise LaboratoryError if a scan did not come to its end; `said` is what it wrote on stderr."""
    if code not in ENDED_WELL:
        words = " ".join(said.split())[-400:]
        raise LaboratoryError(f"the scan ended with {code}" + (f": {words}" if words else ""))


def rows_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The targets in the document of a scan with `--json`; raises LaboratoryError if it did not end well."""
    demand_end(done.returncode, done.stderr)
    try:
        return list(json.loads(done.stdout)["targets"])
    except (ValueError, KeyError) as exc:
        raise LaboratoryError("the scan said nothing that can be read") from exc


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
