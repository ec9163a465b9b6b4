"""Reading what a scan left: a bundle, ours or a stranger's, or the journal of a scan that did not end.

A bundle is read only after its structure, hashes and signature were checked; whose signature it is, is for
`kzmitm verify` to say.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, Self

from kzmitm.errors import BundleError
from kzmitm.evidence import layout
from kzmitm.evidence.container import Container, open_container
from kzmitm.evidence.damage import DamagedError
from kzmitm.evidence.journal import BEGIN, MEASUREMENTS, VERDICTS, Journal, read_journal
from kzmitm.evidence.measurement_reader import parse_object, read_documents, read_measurements
from kzmitm.evidence.medium import Folder
from kzmitm.evidence.scan_document import Row, frame_of, row_verdict, summary_of
from kzmitm.evidence.scan_reader import ScanReader
from kzmitm.evidence.spool import SpoolReader
from kzmitm.evidence.verification.bag_check import check_bag
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict


class _Place(Protocol):
    """Where the two things to be read lie."""

    def frame(self) -> Row: ...
    def rows(self) -> Iterator[Row]: ...
    def measurements(self) -> IO[bytes] | None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a scan left: `document` is its scan.json without the rows. As a context manager it closes."""

    path: Path
    document: Row
    level: layout.Level
    """The narrowest circle whose files are there; `measurements` are from PARTNER on."""
    complete: bool
    """False for a scan that did not end."""
    running: bool
    """No end was written: killed, or still running."""
    _place: _Place

    def rows(self) -> Iterator[Row]:
        """The rows of the targets in their order; raises BundleError where one cannot be read."""
        return self._place.rows()

    def verdicts(self) -> Iterator[tuple[Row, Verdict]]:
        """Each row with the verdict that it tells; raises BundleError."""
        for row in self.rows():
            yield row, row_verdict(row, self.document)

    def measurements(self) -> Iterator[Measurement]:
        """What was measured, line by line in flat memory; nothing if it was withheld.

        Raises BundleError that names the line. A last line without its end, as a kill leaves it in a
        journal, is passed over.
        """
        file = self._place.measurements()
        if file is None:
            return
        with file:
            yield from read_measurements(file)

    def documents(self) -> Iterator[Row]:
        """The OONI document of each measurement; raises BundleError, also if they were withheld."""
        file = self._place.measurements()
        if file is None:
            raise BundleError(
                "{path}: its measurements were left out",
                hint="take the result that the scan wrote, or one shared with partners",
                path=self.path,
            )
        with file:
            for document, _measurement in read_documents(file):
                yield document

    def close(self) -> None:
        self._place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.close()
        if isinstance(error, DamagedError):
            raise error.of(self.path) from error.__cause__


def read_bundle(path: Path) -> Bundle:
    """What is at `path`: an archive or folder of a bundle, or a journal; raises BundleError."""
    if (path / BEGIN).is_file():
        return _of_journal(path)
    container = open_container(path)
    try:
        check_bag(container)
        return bundle_in(container, path)
    except DamagedError as exc:
        container.close()
        raise exc.of(path) from exc.__cause__
    except BaseException:
        container.close()
        raise


def bundle_in(container: Container, path: Path) -> Bundle:
    """The bundle in a container that was checked; raises BundleError."""
    document = layout.PARTNER_SCAN if layout.PARTNER_SCAN.path in container else layout.PUBLIC_SCAN
    place = _Sealed(container, ScanReader(container, document.path))
    frame = place.frame()
    return Bundle(
        path=path,
        document=frame,
        level=layout.narrowest_level(container.names),
        complete=frame["complete"],
        running=False,
        _place=place,
    )


def _of_journal(path: Path) -> Bundle:
    try:
        journal = read_journal(Folder(path))
        place = _Unfinished(journal)
        frame = place.frame()
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise BundleError("{path}: this journal cannot be read: {why}", path=path, why=exc) from None
    return Bundle(
        path=path,
        document=frame,
        level=layout.Level.FULL,
        complete=journal.complete,
        running=journal.finished_at is None,
        _place=place,
    )


class _Sealed:
    """A bundle in its container."""

    def __init__(self, container: Container, scan: ScanReader) -> None:
        self._container = container
        self._scan = scan

    def frame(self) -> Row:
        return self._scan.frame

    def rows(self) -> Iterator[Row]:
        return self._scan.rows()

    def measurements(self) -> IO[bytes] | None:
        if layout.MEASUREMENTS.path not in self._container:
            return None
        return self._container.open(layout.MEASUREMENTS.path)

    def close(self) -> None:
        self._container.close()


class _Unfinished:
    """A journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def frame(self) -> Row:
        outcomes: dict[str, int] = {}
        with suppress(FileNotFoundError), SpoolReader(self._journal.medium.open(VERDICTS)) as spool:
            outcomes = spool.outcomes()
        return frame_of(
            self._journal.begin["header"],
            summary_of(outcomes),
            finished_at=self._journal.finished_at,
            complete=self._journal.complete,
        )

    def rows(self) -> Iterator[Row]:
        try:
            spool = SpoolReader(self._journal.medium.open(VERDICTS))
        except FileNotFoundError:
            return
        with spool:
            for number, row in enumerate(spool.rows(), 1):
                yield parse_object(row, f"{VERDICTS}:{number}")

    def measurements(self) -> IO[bytes] | None:
        try:
            return self._journal.medium.open(MEASUREMENTS)
        except FileNotFoundError:
            return None

    def close(self) -> None: ...
