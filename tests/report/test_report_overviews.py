"""Reports of many measurements: the answer first, no claim beyond the data, nothing of a stranger acts."""

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from overview_samples import NOW, REGISTRY, authority, certificate, counts, domain, network, nothing, overview

from kzmitm.report.document import Fold, Grid, Picture, Table, Text, Tone
from kzmitm.report.format import format_named, rendered
from kzmitm.report.overviews import country, heat, history, impact, users
from kzmitm.report.overviews.impact_evidence import Standing, evidence
from kzmitm.report.overviews.impact_facts import Item, assessment
from kzmitm.report.overviews.shown import moment_of
from kzmitm.report.pictures import pictures, with_names

HOSTILE = '<script>alert(1)</script>"\'`[x](javascript:y)|\x1b[2J\u202egnp.exe\x00\n# x\n=HYPERLINK("x")'


def document(of=None):
    return country.document(of or overview(), REGISTRY, now=NOW)


def sections(made):
    return {each.id: each for each in made.sections}


def blocks(made, kind):
    """All blocks of a kind, in folds too."""
    found = []
    for section in made.sections:
        for block in section.blocks:
            found += [block] if isinstance(block, kind) else []
            if isinstance(block, Fold):
                found += [inner for inner in block.blocks if isinstance(inner, kind)]
    return found


def words(made):
    return format_named("md").render(with_names(made, None)).decode()


# --- the answer ---


@pytest.mark.parametrize(
    ("of", "tone", "word", "said"),
    [
        (overview(), Tone.ALARM, "Interception", "4 of 21 measurements met a forged certificate"),
        (nothing(clean=3), Tone.GOOD, "No interception found", "in 3 measurements"),
        (nothing(clean=2, inconclusive=1), Tone.PLAIN, "No interception found", "1 of them could not be"),
        (nothing(inconclusive=2), Tone.WARNING, "Nothing could be decided", "2 of them could not be decided"),
        (nothing(), Tone.WARNING, "Nothing measured", "nothing can be said"),
    ],
    ids=["found", "clean", "partly", "undecided", "nothing"],
)  # fmt: skip
def test_the_answer(of, tone, word, said):
    answer = document(of).answer
    assert (answer.tone, answer.word) == (tone, word)
    assert said in " ".join((answer.sentence, *answer.notes))


def test_what_could_not_be_decided_is_told_beside_interception():
    assert "2 measurements could not be decided." in document().answer.notes


def test_failed_jobs_are_told():
    made = document(overview(is_campaign=True, failed=7))
    assert "7 targets could not be measured, by a failure of the vantage." in made.answer.notes
    assert "1 target could not be" in document(overview(failed=1)).answer.notes[-1]


def test_a_campaign_is_named_only_where_its_name_is_given():
    assert "weekly" not in document(overview(is_campaign=True)).title
    assert "weekly" in document(overview(is_campaign=True, name="weekly")).title


# --- the sections ---


def test_every_section_is_there_and_every_picture_has_its_table():
    made = document()
    assert list(sections(made)) == [
        "certificates",
        "where",
        "blocking",
        "seen",
        "users",
        "episodes",
        "limits",
    ]
    assert {each.name for each in blocks(made, Picture)} == {"validity", "blocking", "users", "episodes"}
    for each in made.sections:
        if any(isinstance(block, Picture) for block in each.blocks):
            inner = [block for fold in each.blocks if isinstance(fold, Fold) for block in fold.blocks]
            assert any(isinstance(block, Table) for block in (*each.blocks, *inner)), each.id
    assert all(each.meaning and each.caption and each.file for each in blocks(made, Picture))


def test_without_findings_only_what_cannot_be_said_is_left():
    assert list(sections(document(nothing(clean=3)))) == ["episodes", "limits"]


def test_interception_with_an_expired_certificate_is_told():
    assert "1 sighting shows a certificate outside of its validity." in words(document())
    assert "outside of its validity" not in words(document(overview(certificates=(certificate(outside=0),))))


def test_the_heat_map_tells_none_from_not_measured():
    grid = heat.grid(
        {(1, "a"): counts(4, 1), (1, "b"): counts(3, 0), (2, "a"): counts(2, 2)},
        [network(1, "One"), network(2, "Two")],
        [domain("a"), domain("b")],
    )
    assert grid.columns == ("a", "b")
    assert [[(shade.text, shade.level) for shade in shades] for _name, shades in grid.rows] == [
        [("1/4", 2), ("0/3", 0)],
        [("2/2", 5), ("-", None)],
    ]


def test_a_large_heat_map_says_what_it_leaves_out():
    many = tuple(domain(f"d{number}.example") for number in range(30))
    section = heat.section(
        overview(
            domains_intercepted=30, domains=many, networks=tuple(network(number) for number in range(1, 51))
        )
    )
    assert len(next(each for each in section.blocks if isinstance(each, Grid)).columns) == heat.MOST_COLUMNS
    assert "6 domains, 10 networks" in section.blocks[-1].text


def test_the_share_of_users_is_an_upper_bound_of_carriers_alone():
    section = users.section(overview(), REGISTRY.networks)
    told = " ".join(each.text for each in section.blocks if hasattr(each, "text"))
    assert "at most 29.1 %" in told
    assert "never a count" in told
    antivirus = overview(networks=(network(by_network=0),), authorities=(authority("AV", "antivirus"),))
    assert "at most 0.0 %" in users.section(antivirus, REGISTRY.networks).blocks[0].text
    assert users.section(nothing(clean=1), REGISTRY.networks) is None


def test_networks_without_a_share_add_nothing_and_are_told():
    section = users.section(overview(networks=(network(), network(1, "x", share=None))), REGISTRY.networks)
    assert "nothing is added for them: 1 network." in section.blocks[-1].text


def test_another_country_has_its_own_episodes_and_no_share():
    made = document(overview(countries=("RU",)))
    assert "users" not in sections(made)
    assert "Qaznet" not in words(made)
    assert "episodes" not in sections(document(overview(countries=("XX",))))


def test_an_unknown_issuer_has_no_name():
    made = words(document(overview(authorities=(authority("", ""),))))
    assert "an unknown issuer" in made


def test_a_certificate_without_dates_is_in_the_table_alone():
    dateless = replace(certificate(), not_before=None, not_after=None)
    made = document(overview(certificates=(dateless,)))
    assert "validity" not in {each.name for each in blocks(made, Picture)}
    assert "not known" in words(made)


# --- strangers ---


def hostile():
    return overview(
        is_campaign=True,
        name=HOSTILE,
        countries=("KZ", HOSTILE),
        authorities=(authority(HOSTILE),),
        certificates=(certificate(HOSTILE, subject=HOSTILE),),
        domains=(domain(HOSTILE), domain(HOSTILE + "2", intercepted=0)),
        networks=(network(9198, HOSTILE),),
        cells={(9198, HOSTILE): counts(10, 4, 3, 1)},
    )


class Acting(HTMLParser):
    """What of a page a browser would run or fetch."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [tag] if tag in ("script", "iframe", "object", "embed", "form", "base", "link") else []
        for name, value in attrs:
            is_ours = value.startswith("#") or re.fullmatch(r"[a-z-]+\.svg", value)
            if name.startswith("on") or (name in ("href", "src", "action") and not is_ours):
                self.found.append(f"{name}={value}")


CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]")


@pytest.mark.parametrize("tell", [country.document, impact.document], ids=["country", "impact"])
def test_nothing_of_a_stranger_acts_in_a_page(tell):
    page = format_named("html").render(tell(hostile(), REGISTRY, now=NOW)).decode()
    assert Acting(page).found == []
    assert not CONTROLS.search(page)
    assert ("&lt;script&gt;" in page) == (tell is country.document)


def test_nothing_of_a_stranger_acts_in_markdown():
    content, beside = rendered("md", document(hostile()), stem="page")
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(content.decode())
    assert Acting(page).found == []
    assert not CONTROLS.search(content.decode())
    assert page.count("<h1>") == 1
    assert set(beside) == {f"page-{name}.svg" for name in ("validity", "blocking", "users", "episodes")}
    assert not any(b"<script" in each for each in beside.values())


def test_nothing_of_a_stranger_acts_in_a_spreadsheet():
    of = overview(
        cells={(1, name): counts(1, 1) for name in ('=HYPERLINK("x")', "+1", "-1", "@a", "\t=1", "ok")}
    )
    content = format_named("csv").render(document(of)).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0] == list(document(of).data.columns)
    assert len(rows) == 7
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "\t"))]


# --- files ---


def test_pictures_are_files_only_where_there_is_a_place():
    content, beside = rendered("md", document(), stem=None)
    assert not beside
    assert "![" not in content.decode()
    assert "7 certificates" not in content.decode()
    content, beside = rendered("md", document(), stem="my page")
    assert "](my%20page-validity.svg)" in content.decode()
    assert beside["my page-validity.svg"].startswith(b"<?xml")
    assert rendered("html", document(), stem="x")[1] == {}


def test_pictures_in_folds_are_found():
    made = document()
    section = replace(made.sections[0], blocks=(Fold("f", tuple(blocks(made, Picture))),))
    folded = replace(made, sections=(section,))
    assert len(list(pictures(with_names(folded, "p")))) == 4
    assert next(pictures(with_names(folded, "p"))).name == "p-validity"


# --- impact ---


def test_the_published_assessment_is_whole():
    published = assessment()
    items = [each.item for each in (*published.properties, *published.enablers)]
    assert sorted(items) == sorted(Item)
    assert {each.goal for each in published.enablers} == set(published.goals)
    assert not any(each.goal or each.because for each in published.properties)
    affected = [each.item for each in published.enablers if each.because]
    assert affected == [
        Item.DEPLOYMENT, Item.REACHABILITY, Item.CONFIDENTIALITY, Item.INTEGRITY, Item.RELIABILITY,
        Item.ACCOUNTABILITY, Item.PRIVACY,
    ]  # fmt: skip


NO_DATA = frozenset(
    {
        Item.INFRASTRUCTURE, Item.ARCHITECTURE, Item.ROUTING, Item.NEUTRALITY, Item.ACCESS, Item.GOVERNANCE,
        Item.CAPACITY, Item.ACCOUNTABILITY,
    }
)  # fmt: skip


@pytest.mark.parametrize("item", list(Item))
def test_an_item_without_data_says_so(item):
    assert evidence(item, nothing()).standing is Standing.NO_DATA
    if item in NO_DATA:
        assert evidence(item, overview()).standing is Standing.NO_DATA
    else:
        assert evidence(item, overview()).standing in (Standing.SHOWN, Standing.POSSIBLE)
        assert evidence(item, nothing(clean=9)).standing is Standing.NOT_SEEN


def test_an_antivirus_is_no_impact_of_a_network():
    of = overview(
        outcomes={"interception": 4, "clean": 1},
        networks=(network(by_network=0),),
        certificates=(certificate(is_carrier=False),),
    )
    assert {evidence(item, of).standing for item in Item} == {Standing.NO_DATA, Standing.NOT_SEEN}


def test_what_is_only_possible_is_not_said_to_have_happened():
    found = evidence(Item.RELIABILITY, overview(certificates=(certificate(outside=0),)))
    assert found.standing is Standing.POSSIBLE
    without_share = overview(networks=(network(share=None),))
    assert "nor how many users" in evidence(Item.PRIVACY, without_share).text


def test_the_assessment_counts_what_the_data_say():
    made = impact.document(overview(), REGISTRY, now=NOW)
    assert made.answer.sentence == "Of 15 items the data show 4, make 3 more possible, and say nothing of 8."
    assert [row[3] for row in made.data.rows].count("no_data") == 8
    assert "An upper bound" in words(made)
    unseen = impact.document(nothing(clean=1), REGISTRY, now=NOW)
    assert (unseen.answer.word, unseen.answer.tone) == ("No impact seen", Tone.PLAIN)
    assert "An upper bound" not in words(unseen)


# --- history ---


def test_the_history_is_that_of_the_registry():
    made = history.document(REGISTRY, "KZ", now=NOW)
    assert list(sections(made)) == [
        "episodes",
        "certificates",
        "gaps",
        "domains",
        "networks",
        "open",
        "sources",
    ]
    text = words(made)
    assert "dfcd9dcb64edd86e was seen on 2024-03-17, 34 days after it had expired." in text
    assert "10 published roots" in text
    assert "There are 4 times, of 772 days together" in text
    assert len(made.data.rows) == sum(
        len(each.certificates)
        for each in REGISTRY.authorities.values()
        if each.country == "KZ" and each.id != "kz-nuc-rk"
    )


def test_a_country_without_interception_says_so():
    made = history.document(REGISTRY, "MU", now=NOW)
    assert (made.answer.word, made.answer.tone) == ("No interception known", Tone.PLAIN)
    assert history.document(REGISTRY, "XX", now=NOW) is None


def test_every_country_of_the_registry_can_be_told():
    for code in {each.country for each in REGISTRY.incidents.values()}:
        made = history.document(REGISTRY, code, now=NOW)
        assert format_named("html").render(made)
        assert any(isinstance(block, Text | Table) for section in made.sections for block in section.blocks)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2021", "2021-01-01", "2021-12-28"),
        ("2021-06", "2021-06-01", "2021-06-28"),
        ("2021-06-18", "2021-06-18", "2021-06-18"),
    ],
)
def test_dates_of_the_registry(text, first, last):
    assert f"{moment_of(text):%Y-%m-%d}" == first
    assert f"{moment_of(text, is_end=True):%Y-%m-%d}" == last
