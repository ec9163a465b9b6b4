"""What a transfer shows of itself: on a terminal a bar, elsewhere a line now and then."""

import sys

import pytest

from kzmitm.cli.ooni import meter as meters
from kzmitm.cli.ooni.meter import BarMeter, SparseMeter, meter
from kzmitm.cli.ooni.options import size_text


def test_a_line_every_ten_seconds(capsys):
    now = [0.0]
    shown = SparseMeter("fetching", 4 << 20, size_text, clock=lambda: now[0])
    with shown:
        for _ in range(4):
            now[0] += 5
            shown.advance(1 << 19)
        shown.expect(1 << 20)
        now[0] += 10
        shown.advance(-(1 << 19))
    assert capsys.readouterr().err.splitlines() == [
        "fetching: 1.0 MiB of 4.0 MiB, about 30 s left",
        "fetching: 2.0 MiB of 4.0 MiB, about 20 s left",
        "fetching: 1.5 MiB of 5.0 MiB, about 70 s left",
    ]


def test_which_of_the_two(monkeypatch):
    for plain, kind in ((True, SparseMeter), (False, BarMeter)):
        monkeypatch.setattr(meters, "is_plain", lambda _stream, plain=plain: plain)
        assert isinstance(meter("listing", 24, octets=False), kind)


def test_a_bar(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with BarMeter("fetching", 0, size_text) as bar:
        bar.advance(1)
        bar.expect(2)
        bar.advance(-1)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 44, "16384.0 GiB"),
    ],
)
def test_sizes(octets, text):
    assert size_text(octets) == text
