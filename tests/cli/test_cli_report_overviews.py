"""`kzmitm report` of more than one result: an archive, a campaign, the registry; the published reports."""

import csv
import io
import re
import shutil
import sys
from pathlib import Path

import duckdb
import pytest

from kzmitm.campaign.share_store import Result
from kzmitm.campaign.state import Versions
from kzmitm.cli.campaign.opening import folder_of, open_octets
from kzmitm.cli.exits import Exit
from kzmitm.cli.sources import registry_of
from kzmitm.ooni.archive import findings
from kzmitm.ooni.archive.tables import connect

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "ooni" / "archive"), str(ROOT / "tools")]

from judged_corpora import analysis, every_situation, grounds_beside, write_grounds  # noqa: E402
from publish import REPORTS, REPORTS_BY_NAME, publish  # noqa: E402

SEED = 5
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e=cmd"
START = 1_700_000_000.0


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An analysis of every situation."""
    folder = tmp_path_factory.mktemp("archive")
    documents = [document for document, _truth in every_situation(SEED, eras=("v05",))]
    analysis(documents, folder, grounds_beside(write_grounds(folder / "beside", SEED)))
    return folder


@pytest.fixture
def copy(archive, tmp_path):
    """The analysis, to be spoilt."""
    for name in (findings.VERDICTS, findings.TABLES):
        shutil.copytree(archive / name, tmp_path / "copy" / name)
    return tmp_path / "copy"


@pytest.fixture
def report(kzmitm, tmp_path):
    """A report as text: `report(folder, "--impact")`, whose code and messages are the command's."""

    def run(path, *words, form="md"):
        ended = kzmitm("report", path, "--format", form, "--out", tmp_path / f"page.{form}", *words)
        page = tmp_path / f"page.{form}"
        return ended, page.read_text("utf-8-sig") if page.exists() else ""

    return run


def campaign(folder, results, *, name="weekly", rounds=1):
    """A campaign of two vantages, with the results of each: numbers of targets and what came of them."""
    text = (
        f'[campaign]\nname = "{name}"\ncontact = "nobody@example.org"\n'
        '[targets]\nnames = ["a.example.com", "b.example.com"]\n'
        '[controls]\nnames = ["control.example.com"]\nevery = 1\n'
        f"[rounds]\ncount = {rounds}\n"
        '[[vantages]]\nname = "home"\nasn = "AS9198"\ncc = "KZ"\n'
        '[[vantages]]\nname = "away"\nasn = "AS1"\ncc = "DE"\n'
    )
    opened = open_octets(text.encode(), folder, name, registry_of([]))
    made = folder_of(opened, folder)
    made.begin(text.encode(), Versions("1", "r", "s", "v"))
    for share in opened.plan.shares(1):
        with made.store(share) as store:
            for result in results.get(share.vantage, ()):
                store.add(result, b"{}")
            store.flush()
    return folder


def intercepted(number, authority="kz-isca", at=START):
    return Result(number, "done", "interception", "confirmed", authority, "ab" * 32, at)


# --- archives ---


def ask(folder, sql):
    """Rows of tables: `{name}` is the file of a table."""
    names = {path.stem: f"'{path}'" for path in (folder / findings.TABLES).iterdir()}
    with duckdb.connect() as connection:
        return connection.execute(sql.format_map(names)).fetchall()


def test_an_archive_is_told_by_its_tables(archive, report):
    ended, page = report(archive)
    assert (ended.code, ended.out) == (Exit.FOUND, "")
    assert page.startswith("# Interception in an archive of measurements")
    [(domains,)] = ask(archive, "SELECT count(*) FILTER (intercepted > 0) FROM {domains}")
    [(found, networks)] = ask(
        archive, "SELECT sum(intercepted)::BIGINT, count(*) FILTER (intercepted > 0) FROM {networks}"
    )
    assert f"**Interception.** {found} of " in page
    assert f": {domains} domains, {networks} networks." in page


def test_every_cell_of_the_table_is_a_row_of_the_csv(archive, report):
    _ended, page = report(archive, form="csv")
    columns = ("asn", "domain", "measurements", "intercepted", "blocked")
    rows = [tuple(row[column] for column in columns) for row in csv.DictReader(io.StringIO(page))]
    assert rows == ask(
        archive,
        "SELECT asn::VARCHAR, domain, measurements::VARCHAR, intercepted::VARCHAR, blocked::VARCHAR"
        " FROM {network_domains} WHERE domain IN (SELECT domain FROM {domains} WHERE intercepted > 0)"
        " ORDER BY network_domains.asn, domain",
    )


def test_the_cells_add_up_to_the_networks(archive):
    """And to more where one measurement met forgeries for several domains, or for another than its own."""
    differing = ask(
        archive,
        "SELECT asn FROM (SELECT asn, sum(intercepted) AS i, sum(measurements) AS m, sum(by_network) AS n,"
        " count(*) FILTER (intercepted > 0) AS d"
        " FROM {network_domains} GROUP BY asn) a JOIN {networks} b USING (asn)"
        " WHERE a.i < b.intercepted OR a.m < b.measurements OR a.n > a.i OR a.d <> b.domains_intercepted",
    )
    assert differing == []


def test_intercepted_is_the_domain_whose_certificate_was_forged(archive, report):
    """A page that leads to an intercepted one is not, and every count of domains is the same."""
    with findings.open_findings(archive) as connection:

        def column(sql):
            return [row[0] for row in connection.execute(sql).fetchall()]

        forged = column("SELECT DISTINCT domain FROM interceptions ORDER BY domain")
        leading = column(
            "SELECT DISTINCT host FROM measurements m WHERE outcome = 'interception'"
            " AND host NOT IN (SELECT domain FROM interceptions)"
        )
        assert leading, "there is a page that leads elsewhere"
        assert column("SELECT domain FROM domains WHERE intercepted > 0 ORDER BY domain") == forged
        assert (
            column("SELECT DISTINCT domain FROM network_domains WHERE intercepted > 0 ORDER BY ALL") == forged
        )
        assert column("SELECT outcome FROM measurements WHERE outcome = 'interception'") == column(
            "SELECT 'interception' FROM networks, range(intercepted)"
        )
        assert not set(column("SELECT domain FROM blocked_and_intercepted")) & set(leading)
    _ended, page = report(archive)
    assert f": {len(forged)} domains, " in page


@pytest.mark.parametrize("form", ["html", "md", "csv", "pdf"])
def test_every_format_is_made(kzmitm, tmp_path, form):
    folder = campaign(tmp_path / "c", {"home": [intercepted(0)]})
    ended = kzmitm("report", folder, "--format", form, "--out", tmp_path / "x")
    assert ended.code == Exit.FOUND
    assert (tmp_path / "x").stat().st_size > 100
    assert bool(list(tmp_path.glob("x-*.svg"))) == (form == "md")


def test_markdown_on_stdout_names_no_files(archive, process):
    code, out, _err = process("report", archive, "--format", "md", "--out", "-")
    assert code == Exit.FOUND
    assert b"![" not in out
    assert b"was valid and the days on which it was seen" in out


def test_the_impact_is_of_the_same_data(archive, report):
    ended, page = report(archive, "--impact")
    assert ended.code == Exit.FOUND
    assert page.startswith("# Impact on the Internet")
    assert "**no data**" in page
    assert "**shown**" in page


def test_strangers_names_in_tables_do_nothing(copy, report):
    with duckdb.connect() as connection:
        path = copy / findings.VERDICTS / "measurements.parquet"
        connection.execute(f"CREATE TABLE m AS FROM '{path}'")
        connection.execute("UPDATE m SET host = ?, network = ?", [HOSTILE, HOSTILE])
        connection.execute(f"COPY m TO '{path}'")
    shutil.rmtree(copy / findings.TABLES)
    with connect(copy) as connection:
        findings.aggregate(connection, copy)
    _ended, page = report(copy, form="html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", page)
    _ended, page = report(copy, form="csv")
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", page)


def test_an_analysis_of_an_earlier_version_is_judged_again(copy, kzmitm):
    (copy / findings.TABLES / "network_domains.parquet").unlink()
    ended = kzmitm("report", copy)
    assert ended.code == Exit.USAGE
    assert "judge it again: kzmitm ooni analyze --out" in ended.err
    ended = kzmitm("ooni", "query", "--from", copy, "SELECT count(*) FROM days")
    assert ended.code == Exit.OK, "what it has can be asked"


def test_an_altered_table_is_told_in_a_line(copy, kzmitm):
    (copy / findings.TABLES / "days.parquet").write_bytes(b"PAR1 no more")
    ended = kzmitm("report", copy, "--out", copy / "x")
    assert ended.code == Exit.USAGE
    assert len(ended.err.splitlines()) == 1
    assert "altered" in ended.err
    assert not (copy / "x").exists()


def test_two_archives_are_merged_first(archive, copy, kzmitm):
    ended = kzmitm("report", archive, copy)
    assert ended.code == Exit.USAGE
    assert "one folder at a time" in ended.err


def test_what_only_a_result_has_is_refused(archive, kzmitm):
    assert kzmitm("report", archive, "--appeal").code == Exit.USAGE


def test_impact_is_not_of_one_result(kzmitm):
    ended = kzmitm("report", REPORTS / "lab-demonstration.zip", "--impact")
    assert ended.code == Exit.USAGE
    assert "archive or a campaign" in ended.err


# --- campaigns ---


def test_a_campaign_is_told_by_its_log(tmp_path, report):
    folder = campaign(
        tmp_path / "c",
        {
            "home": [
                intercepted(0),
                intercepted(1, at=START + 90_000),
                intercepted(2),
            ],  # the third is a control
            "away": [Result(0, "done", "clean", at=START), Result(1, "failed")],
        },
    )
    ended, page = report(folder)
    assert ended.code == Exit.FOUND
    assert "**Interception.** 2 of 3 measurements met a forged certificate: 2 domains, 1 network." in page
    assert "1 target could not be measured" in page
    assert "serve at most 29.1 % of the users" in page
    _ended, page = report(folder, form="csv")
    rows = {(row["asn"], row["domain"]): row for row in csv.DictReader(io.StringIO(page))}
    assert {place: row["intercepted"] for place, row in rows.items()} == {
        ("1", "a.example.com"): "0",
        ("9198", "a.example.com"): "1",
        ("9198", "b.example.com"): "1",
    }
    assert rows["1", "a.example.com"]["clean"] == "1"


def test_the_last_word_of_a_job_counts(tmp_path, report):
    folder = campaign(tmp_path / "c", {"home": [Result(0, "failed")]})
    opened = open_octets((folder / "campaign.toml").read_bytes(), folder, "x", registry_of([]))
    share = opened.plan.shares(1)[0]
    with folder_of(opened, folder).store(share) as store:
        store.forget_failed()
        store.add(Result(0, "done", "clean", at=START), b"{}")
        store.flush()
    ended, page = report(folder)
    assert ended.code == Exit.OK
    assert "could not be measured" not in page


@pytest.mark.parametrize(
    ("results", "code", "word"),
    [
        ({}, Exit.UNDECIDED, "Nothing measured"),
        ({"home": [Result(0, "done", "clean", at=START)]}, Exit.OK, "No interception found"),
        ({"home": [Result(0, "done", "inconclusive", at=START)]}, Exit.UNDECIDED, "Nothing could be decided"),
    ],
    ids=["empty", "clean", "undecided"],
)
def test_a_campaign_without_interception(tmp_path, report, results, code, word):
    ended, page = report(campaign(tmp_path / "c", results))
    assert ended.code == code
    assert f"**{word}.**" in page


def test_whose_campaign_it_is_stays_with_partners(tmp_path, report):
    folder = campaign(tmp_path / "c", {"home": [intercepted(0)]}, name="aigerims-weekly")
    for level, is_told in (("public", False), ("partner", True)):
        _ended, page = report(folder, "--level", level, form="html")
        assert ("aigerims" in page) == is_told
        assert "away" not in page, "what a vantage is called"


def test_an_authority_outside_of_its_validity_is_told(tmp_path, report):
    _ended, page = report(
        campaign(tmp_path / "c", {"home": [intercepted(0, "kz-qaznet", at=1_400_000_000.0)]})
    )
    assert "1 sighting shows a certificate outside of its validity" in page


@pytest.mark.parametrize("authority", ["", "nobody-knows", HOSTILE])
def test_an_authority_that_the_registry_does_not_know(tmp_path, report, authority):
    ended, page = report(campaign(tmp_path / "c", {"home": [intercepted(0, authority)]}), form="html")
    assert ended.code == Exit.FOUND
    assert "<script" not in page
    assert "at most 0.0 %" in page, "nobody knows that it stands in the network"


@pytest.mark.parametrize("at", [-1e12, 1e15, float("inf")])
def test_a_clock_beyond_the_calendar(tmp_path, report, at):
    ended, _page = report(campaign(tmp_path / "c", {"home": [intercepted(0, at=at)]}))
    assert ended.code == Exit.FOUND


# --- the registry ---


def test_the_history_is_told_from_the_registry(report):
    ended, page = report(ROOT / "fingerprints", "--country", "kz")
    assert ended.code == Exit.OK
    assert page.startswith("# Interception of TLS in Kazakhstan, from the registry")


def test_an_unknown_country_is_refused(kzmitm, tmp_path):
    ended = kzmitm("report", ROOT / "fingerprints", "--country", "xx", "--out", tmp_path / "x")
    assert ended.code == Exit.USAGE
    assert "KZ" in ended.err


# --- the published reports ---


def without_dates(text):
    """The line that says when a page was made."""
    return re.sub(r"(?m)^(- \*\*Made\*\*: ).*$", r"\1", text)


@pytest.mark.parametrize("name", REPORTS_BY_NAME)
def test_a_published_report_is_made_again(name, tmp_path):
    """If this fails after a change that was meant, run tools/publish.py and read what differs."""
    made = publish(name, tmp_path)
    assert made
    for path in made:
        published = (REPORTS / path.name).read_text(encoding="utf-8")
        assert without_dates(path.read_text(encoding="utf-8")) == without_dates(published), path.name
        if path.suffix == ".md":
            assert f"tools/publish.py {name}`" in published.splitlines()[0]


def test_nothing_else_lies_among_the_published_reports():
    pages = {path.name for path in REPORTS.glob("*.md")} - {"README.md"}
    pictures = {path.name for path in REPORTS.glob("*.svg")}
    named = {
        link
        for page in pages
        for link in re.findall(r"\]\(([^)]+\.svg)\)", (REPORTS / page).read_text("utf-8"))
    }
    assert pictures == named
    assert all(page in (REPORTS / "README.md").read_text("utf-8") for page in pages)
