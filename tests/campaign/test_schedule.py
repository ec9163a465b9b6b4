"""When rounds begin, whoever sets the clock meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from kzmitm.campaign.schedule import Schedule
from kzmitm.campaign.sections import RoundsPart
from kzmitm.campaign.world import elapsed

DAY = 86400.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Times:
    """A wall clock and the time that passes; only the first can be set."""

    def __init__(self):
        self.wall = NOON
        self.passed = 1000.0

    def pass_by(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.passed += seconds

    def schedule(self, **rounds):
        part = RoundsPart(**{"count": 9, "every": DAY} | rounds)
        return Schedule(part, 7, now=lambda: self.wall, elapsed=lambda: self.passed)


def test_a_first_round_without_a_day_begins_at_once_and_the_next_a_whole_pause_later():
    times = Times()
    schedule = times.schedule()
    assert schedule.left(1, None) == 0
    schedule.begun(1, None)
    times.pass_by(3600)
    assert schedule.left(2, NOON) == DAY - 3600


@pytest.mark.parametrize("jump", [-400 * DAY, -3600, 3600, 400 * DAY])
def test_a_clock_that_is_set_changes_nothing_between_rounds(jump):
    times = Times()
    schedule = times.schedule()
    schedule.begun(1, None)
    times.pass_by(3600)
    times.wall += timedelta(seconds=jump)
    assert schedule.left(2, NOON) == DAY - 3600
    times.pass_by(DAY - 3600)
    schedule.begun(2, NOON)
    times.wall -= timedelta(seconds=2 * jump)
    assert schedule.left(3, NOON) == DAY


def test_a_named_day_is_that_of_the_clock_even_if_it_was_wrong_at_first():
    times = Times()
    schedule = times.schedule(start=NOON + timedelta(hours=1))
    assert schedule.left(1, None) == 3600
    times.wall -= timedelta(hours=5)
    assert schedule.left(1, None) == 6 * 3600
    times.wall += timedelta(hours=7)
    assert schedule.left(1, None) < 0


def test_rounds_that_were_missed_are_caught_up_with_after_a_restart():
    times = Times()
    times.pass_by(3 * DAY)
    schedule = times.schedule()
    assert schedule.left(2, NOON) == -2 * DAY + 0
    schedule.begun(2, NOON)
    assert schedule.left(4, NOON) == 0
    assert schedule.left(5, NOON) == DAY


def test_after_a_restart_with_a_clock_that_was_set_back_nobody_waits_longer_than_a_pause():
    times = Times()
    times.wall -= timedelta(days=300)
    assert times.schedule().left(3, NOON) == DAY


def test_jitter_is_the_seeds():
    times = Times()
    one, other = times.schedule(jitter=600.0), times.schedule(jitter=600.0)
    one.begun(1, None)
    assert one.left(2, NOON) == pytest.approx(DAY, abs=600)
    assert [one.left(n, NOON) for n in range(2, 9)] == [one.left(n, NOON) for n in range(2, 9)]
    other.begun(1, None)
    assert other.left(2, NOON) == one.left(2, NOON)


def test_time_passes():
    assert elapsed() <= elapsed()


def test_a_round_behind_the_calendar_is_one_too():
    times = Times()
    schedule = times.schedule(count=100_000, every=366 * DAY)
    assert schedule.left(100_000, NOON) == 366 * DAY
    late = times.schedule(start=datetime(9999, 12, 31, tzinfo=UTC))
    assert late.left(1, None) > 7000 * 366 * DAY
    assert late.left(2, None) == DAY
