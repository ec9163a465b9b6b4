"""Progress: a line now and then for logs, numbers that people can read."""

import pytest

from kzmitm.cli.progress import Pace, Sparse, duration_text
from kzmitm.model.verdict import Outcome
from kzmitm.report.line import Line


class Hands:
    """A clock whose hands a test moves."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (12.4, "12 s"),
        (89, "89 s"),
        (90, "2 min"),
        (600, "10 min"),
        (5400, "1 h 30 min"),
        (90000, "25 h 0 min"),
    ],
)
def test_durations(seconds, shown):
    assert duration_text(seconds) == shown


def test_pace():
    hands = Hands()
    pace = Pace(100, hands)
    assert pace.text() == "0 of 100 targets, 0.0/s, about 0 s left"
    for _ in range(10):
        pace.advance()
    hands.now += 5
    assert pace.text() == "10 of 100 targets, 2.0/s, about 45 s left"


def test_lines_are_sparse_and_go_to_stderr(capsys):
    hands = Hands()
    with Sparse(1000, hands) as shown:
        for _ in range(100):
            hands.now += 1
            shown.advance(Outcome.CLEAN)
        shown.show(Line("the result"))
    out, err = capsys.readouterr()
    assert out == "the result\n"
    assert len(err.splitlines()) == 10
    assert err.splitlines()[-1] == "100 of 1000 targets, 1.0/s, about 15 min left"
