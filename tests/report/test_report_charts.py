"""Pictures: what strangers wrote is text, each says what it shows, colours can be told apart and read."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kzmitm.report.charts import episodes, outcomes, shares, validity
from kzmitm.report.charts.canvas import Canvas, fitting
from kzmitm.report.charts.scale import Axis, around
from kzmitm.report.charts.style import LOOKS, style_sheet
from kzmitm.report.charts.validity import Valid, gaps

SVG = "{http://www.w3.org/2000/svg}"
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
HOSTILE = "</text><script>alert(1)</script>\" onload='x' ]]>&\x00\x1b[2J\u202e\n=cmd"


def parsed(markup):
    return ET.fromstring(markup)  # noqa: S314 (of our own making)


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def certificate(name="a", group="G", start="2024-01-01", end="2024-03-01", seen=("2024-02-01",)):
    moments = tuple((day(each), 2) for each in seen)
    return Valid(name=name, group=group, not_before=day(start), not_after=day(end), seen=moments)


def texts(drawn):
    return [each.text for each in parsed(drawn.svg).iter(f"{SVG}text")]


def all_pictures(name):
    """Every kind of picture, with `name` wherever a name can be."""
    return (
        validity.picture("validity", [certificate(name, group=name, seen=("2024-02-01", "2024-04-01"))]),
        outcomes.picture(
            "blocking", [outcomes.Ended(name=name, intercepted=1, blocked=2, clean=3, measurements=9)]
        ),
        episodes.picture(
            "episodes",
            [
                episodes.Episode(
                    title=name,
                    note=name,
                    start=day("2019-07-17"),
                    end=day("2019-08-07"),
                    is_interception=True,
                )
            ],
            [day("2020-01-01")],
        ),
        shares.picture("users", [shares.Share(name=name, percent=1.5, was_seen=True)]),
    )


@pytest.mark.parametrize("drawn", all_pictures(HOSTILE), ids=lambda drawn: drawn.name)
def test_nothing_of_a_stranger_is_markup(drawn):
    for markup in (drawn.svg, drawn.file):
        root = parsed(markup.encode())
        assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
            "svg", "defs", "pattern", "style", "title", "desc", "text", "rect", "path", "circle", "g",
        }  # fmt: skip
        attributes = {name for each in root.iter() for name in each.attrib}
        assert not {name for name in attributes if name.startswith("on") or "href" in name or name == "style"}
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", markup)


@given(st.text(max_size=60))
def test_any_words_stay_words(words):
    canvas = Canvas("any", 10, 10, title="t", description="d")
    canvas.text(1, 2, words)
    drawn = canvas.picture()
    shown = parsed(drawn.svg).find(f"{SVG}text")
    assert shown is not None
    assert len(list(parsed(drawn.svg).iter())) == 5  # svg, defs, title, desc, text


@pytest.mark.parametrize("drawn", all_pictures("a.example"), ids=lambda drawn: drawn.name)
def test_a_picture_says_what_it_shows(drawn):
    root = parsed(drawn.svg)
    assert root.get("role") == "img"
    said = {each.get("id"): each.text for each in root if each.tag in (f"{SVG}title", f"{SVG}desc")}
    assert [said[name] for name in root.get("aria-labelledby").split()] == [drawn.title, drawn.description]
    assert drawn.title
    assert len(drawn.description) > 20
    assert root.get("viewBox")
    assert root.get("width") is None, "a page decides how wide it is"
    assert all(each.get("id", drawn.name).startswith(drawn.name) for each in root.iter())


@pytest.mark.parametrize("drawn", all_pictures("a.example"), ids=lambda drawn: drawn.name)
def test_a_file_of_its_own_has_size_colours_and_paper(drawn):
    root = parsed(drawn.file.encode())
    assert float(root.get("width")) > 0
    assert "prefers-color-scheme" in root.find(f"{SVG}style").text
    assert root.find(f"{SVG}rect").get("class") == "paper"


def test_the_same_values_are_the_same_octets():
    assert all_pictures("a") == all_pictures("a")


@pytest.mark.parametrize("name", ["", "A", "a b", 'a"', "1a", "a-"])
def test_a_name_is_a_word_of_ours(name):
    with pytest.raises(ValueError, match="no name of ours"):
        Canvas(name, 1, 1, title="t", description="d")


def test_only_known_looks_become_attributes():
    with pytest.raises(KeyError):
        Canvas("a", 1, 1, title="t", description="d").box(0, 0, 1, 1, '"><script>')


def test_nothing_to_draw_is_no_picture():
    assert validity.picture("v", [certificate(seen=())]) is None
    assert (
        outcomes.picture("o", [outcomes.Ended(name="a", intercepted=0, blocked=0, clean=0, measurements=0)])
        is None
    )
    assert episodes.picture("e", []) is None
    assert shares.picture("s", []) is None


# --- validity ---


def test_what_was_seen_while_not_valid_has_another_form():
    drawn = validity.picture(
        "v", [certificate("c0ffee", seen=("2023-12-31", "2024-01-01", "2024-03-01", "2024-04-01"))]
    )
    shapes = [each for each in parsed(drawn.svg).iter() if each.get("class") == "late"]
    assert len(shapes) == 2 + 1, "two sightings and the legend"
    dots = [each for each in parsed(drawn.svg).iter(f"{SVG}circle") if each.get("class") == "seen"]
    assert len(dots) == 2 + 1
    assert "c0ffee was seen 4 times while it was not valid, last on 2024-04-01." in drawn.description
    assert "4 while not valid" in texts(drawn)


def test_none_outside_is_said_too():
    assert "None was seen while it was not valid." in validity.meaning([certificate()])


def test_many_that_were_outside_are_counted():
    rows = [certificate(f"c{number}", seen=("2024-05-01",)) for number in range(8)]
    assert "So were 3 more." in validity.meaning(rows)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], []),
        ([("2024-01-01", "2024-02-01")], []),
        ([("2024-01-01", "2024-02-01"), ("2024-02-03", "2024-03-01")], []),  # too short to be drawn
        ([("2024-01-01", "2024-02-01"), ("2024-03-01", "2024-04-01")], [("2024-02-01", "2024-03-01")]),
        ([("2024-01-01", "2024-06-01"), ("2024-02-01", "2024-03-01"), ("2024-05-01", "2024-07-01")], []),
        ([("2020-01-01", "2040-01-01"), ("2024-03-01", "2024-04-01")], []),  # a root covers nothing
    ],
    ids=["none", "one", "short", "gap", "overlap", "root"],
)
def test_gaps(spans, expected):
    rows = [certificate(start=start, end=end) for start, end in spans]
    assert list(gaps(rows)) == [(day(start), day(end)) for start, end in expected]


def test_a_certificate_of_all_times_does_not_stretch_the_picture():
    rows = [
        certificate("old", start="0001-01-01", end="9999-12-31"),
        certificate("far", start="9998-01-01", end="9998-02-01"),
    ]
    drawn = validity.picture("v", rows)
    assert any("2024" in text for text in texts(drawn))
    assert not any("5000" in text for text in texts(drawn))


def test_groups_stand_under_their_names():
    drawn = validity.picture("v", [certificate("a", "One"), certificate("b", "Two"), certificate("c", "One")])
    words = texts(drawn)
    assert words.index("One") < words.index("a") < words.index("c") < words.index("Two") < words.index("b")


# --- the others ---


def test_outcomes_fill_the_whole_bar():
    drawn = outcomes.picture(
        "o", [outcomes.Ended(name="a", intercepted=1, blocked=1, clean=1, measurements=4)]
    )
    boxes = [each for each in parsed(drawn.svg).iter(f"{SVG}rect") if each.get("height") == "14.0"]
    assert [each.get("class") for each in boxes] == ["seen", "hatched", "valid", "outlined"]
    widths = [float(each.get("width")) for each in boxes]
    assert max(widths) - min(widths) < 0.2
    assert boxes[1].get("fill") == "url(#o-hatched)"


def test_an_announcement_is_no_interception():
    one = episodes.Episode(
        title="Announced", note="2015", start=day("2015-11-26"), end=day("2015-11-27"), is_interception=False
    )
    drawn = episodes.picture("e", [one])
    assert not [each for each in parsed(drawn.svg).iter() if each.get("class") == "seen"]
    assert "announced" in texts(drawn)


def test_a_network_that_nobody_measured_is_not_shown_as_free():
    rows = [
        shares.Share(name="a", percent=10, was_seen=True, was_measured=True),
        shares.Share(name="b", percent=5, was_seen=False, was_measured=True),
        shares.Share(name="c", percent=2, was_seen=False, was_measured=False),
    ]
    drawn = shares.picture("s", rows)
    bars = [each for each in parsed(drawn.svg).iter(f"{SVG}rect") if each.get("height") == "14.0"]
    assert [each.get("class") for each in bars] == ["seen", "valid", "planned"]
    assert {"interception seen", "not seen", "not measured"} <= set(texts(drawn))


# --- scale ---


@pytest.mark.parametrize(
    ("start", "end", "marks"),
    [
        ("2024-01-01", "2024-01-04", ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]),
        ("2024-01-10", "2024-01-30", ["2024-01-10", "2024-01-17", "2024-01-24"]),
        ("2023-11-15", "2024-05-15", ["2023-12", "2024", "2024-02", "2024-03", "2024-04", "2024-05"]),
        ("2015-11-26", "2024-09-01", ["2016", "2018", "2020", "2022", "2024"]),
        ("1950-01-01", "2050-01-01", ["1960", "1980", "2000", "2020", "2040"]),
    ],
)  # fmt: skip
def test_marks_are_round_dates(start, end, marks):
    axis = Axis(start=day(start), end=day(end), left=0, right=100)
    found = list(axis.marks(8))
    assert [words for _x, words in found] == marks
    assert [x for x, _words in found] == sorted(x for x, _words in found)
    assert all(0 <= x <= 100 for x, _words in found)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
@example(LAST_MOMENT, LAST_MOMENT)
@example(LAST_MOMENT, LAST_MOMENT - timedelta(days=20))
def test_any_times_have_a_scale(one, other):
    start, end = around([one, other])
    assert start <= min(one, other) <= max(one, other) <= end
    axis = Axis(start=start, end=end, left=10, right=20)
    assert 10 <= axis.at(one) <= 20
    assert len(list(axis.marks(8))) <= 9
    assert axis.at(end + timedelta(0)) == 20


def test_a_label_fits_its_place():
    assert fitting("a" * 100, 67) == "a" * 9 + "…"
    assert fitting("short", 670) == "short"


# --- colours ---


def variables(sheet):
    """The colours of the style sheet: on paper and light screens, and on dark ones."""
    light, dark = re.findall(r":root \{([^}]*)\}", sheet)
    return [dict(re.findall(r"--chart-([a-z]+): (#[0-9a-f]{6})", part)) for part in (light, dark)]


def luminance(colour):
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_without_a_style_sheet_the_colours_are_the_light_ones():
    light, _dark = variables(style_sheet())
    used = {str(value) for look in LOOKS.values() for value in look.values() if str(value).startswith("#")}
    assert used <= set(light.values())


@pytest.mark.parametrize("theme", variables(style_sheet()), ids=["light", "dark"])
def test_words_and_marks_can_be_seen(theme):
    grounds = {"#ffffff", theme["paper"]} if luminance(theme["paper"]) > 0.5 else {theme["paper"], "#1b2026"}
    for ground in grounds:
        assert min(contrast(theme[name], ground) for name in ("ink", "quiet")) >= 4.5
        assert min(contrast(theme[name], ground) for name in ("seen", "blocked", "edge")) >= 3
    assert contrast(theme["seen"], theme["valid"]) >= 2.5, "a dot on a bar"


def test_each_look_is_in_the_style_sheet():
    coloured = {name for name, look in LOOKS.items() if {"fill", "stroke"} & look.keys()}
    assert all(f".chart .{name}" in style_sheet() for name in coloured)


def test_a_validity_beyond_the_picture_has_an_arrow():
    rows = [certificate("root", start="2010-01-01", end="2040-01-01"), certificate("leaf")]
    drawn = validity.picture("v", rows)
    arrows = [each for each in parsed(drawn.svg).iter(f"{SVG}path") if each.get("class") == "valid"]
    assert len(arrows) == 2
    assert not [
        each
        for each in parsed(validity.picture("v", rows[1:]).svg).iter(f"{SVG}path")
        if each.get("class") == "valid"
    ]


def test_what_is_said_of_a_row_can_be_given():
    drawn = validity.picture("v", [replace(certificate(), note="blocked 2024-02-02")])
    assert "blocked 2024-02-02" in texts(drawn)
    assert not [words for words in texts(drawn) if "time" in words]
