"""A judgement from the index to the files of rows."""

from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path

from kzmitm.ooni.archive import certificates, standing
from kzmitm.ooni.archive.grounds import Grounds
from kzmitm.ooni.archive.judging import VerdictRow, judge_index
from kzmitm.ooni.archive.records import RUNS, SHOWN, OwnMeasurement, own_rows, read_records
from kzmitm.ooni.archive.writing import Own, RowWriter, write_facts


class SecondPass:
    """Judges all situations of an index; what is on the way to the files lies in `place`."""

    def __init__(self, index: Path, place: Path, parts: Sequence[Path], grounds: Grounds) -> None:
        self._index, self._place, self._grounds = index, place, grounds
        self._judgement = judge_index(index, grounds, place)
        self._own = _own(index, parts, grounds)

    def digest(self) -> str:
        """A hash of all that the files of this judgement are made of, but for the index and our code."""
        registry = self._grounds.registry
        with (self._place / SHOWN).open("rb") as file:
            shown = file_digest(file, "sha256").hexdigest()
        return standing.digest(
            self._judgement.digest(),
            shown,
            sorted(self._own.items()),
            list(certificates.networks_of(registry)),
            list(certificates.authorities_of(registry)),
        )

    def write(self, folder: Path) -> None:
        """The files of rows, and what stands beside them."""
        RowWriter(self._judgement, self._own, own_rows(self._index)).write(self._index, folder)
        write_facts(self._place, self._grounds.registry, folder)


def _own(index: Path, parts: Sequence[Path], grounds: Grounds) -> Own:
    """The verdicts on our own measurements, by the rules of a scan."""
    told = list(read_records(index / RUNS, OwnMeasurement))
    if not told:
        return {}
    from kzmitm.ooni.archive.own import own_verdicts  # noqa: PLC0415 (most archives have none)

    runs = {(str(parts[each.part]), each.doc): each.source for each in told}
    numbers = {str(part): number for number, part in enumerate(parts)}
    return {
        (numbers[row["part"]], row["doc"], row["n"]): VerdictRow(*[row[name] for name in VerdictRow._fields])
        for row in own_verdicts(parts, grounds, runs)
    }
