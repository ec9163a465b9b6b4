"""What a run came to: counts, the gravest findings, the exit code; in memory that does not grow with it."""

from collections import Counter
from collections.abc import Iterator

from kzmitm.cli.exits import Exit
from kzmitm.model.verdict import Outcome
from kzmitm.report.language import N_, _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless
from kzmitm.report.text import JudgedTarget, explanation, gravity, summary_line

UNDECIDED = (Outcome.INCONCLUSIVE, Outcome.TRUSTED_UNEXPECTED, Outcome.CAPTIVE_PORTAL)
"""Outcomes that are neither an alarm nor an all-clear."""
OF_CERTIFICATES = (Outcome.CLEAN, Outcome.ORIGIN_MISCONFIGURED)
"""Outcomes that certificates led to, though a reduced bundle may show none."""

GRAVEST = N_("The gravest finding, explained:")
NOTHING_REACHED = N_("Nothing was reached, perhaps for want of a connection. One of them, explained:")


class Tally:
    """The outcomes of a run so far, and its gravest finding."""

    def __init__(self) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.chains = 0
        """Targets that showed certificates."""
        self.worst: JudgedTarget | None = None

    def add(self, judged: JudgedTarget) -> None:
        """Count a target."""
        self.counts[judged.verdict.outcome] += 1
        self.chains += bool(judged.chain) or judged.verdict.outcome in OF_CERTIFICATES
        if self.worst is None or gravity(judged.verdict) < gravity(self.worst.verdict):
            self.worst = judged

    def counted(self) -> dict[str, int]:
        """How often each outcome was reached, by its name."""
        return {str(outcome): count for outcome, count in self.counts.items()}

    @property
    def _is_off_line(self) -> bool:
        return self.counts[Outcome.UNREACHABLE] == self.counts.total()

    def exit_code(self, *, complete: bool = True) -> Exit:
        """1 for any interception; 3 for doubt, for not one certificate, or for a run that was stopped."""
        if self.counts[Outcome.INTERCEPTION]:
            return Exit.FOUND
        if not complete or not self.chains or any(self.counts[outcome] for outcome in UNDECIDED):
            return Exit.UNDECIDED
        return Exit.OK

    def closing_lines(self, *, is_kept: bool = True) -> Iterator[Line]:
        """The gravest finding explained, then the summary; hashes too where no bundle keeps them."""
        yield Line()
        if self.worst is not None and self.worst.verdict.outcome is not Outcome.CLEAN:
            if self.counts.total() > 1:
                yield Line(lead=_(NOTHING_REACHED) if self._is_off_line else _(GRAVEST), style=Style.HEADING)
            yield from explanation(self.worst, technical=not is_kept)
            if is_kept and self.worst.chain:
                more = _("The certificates shown, with their hashes:")
                yield Line(f"{more} kzmitm show RESULT {harmless(self.worst.target)}")
            yield Line()
        yield summary_line(self.counts)
