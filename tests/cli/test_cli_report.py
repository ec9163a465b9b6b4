"""`kzmitm report`: what stands in it at which level, and that nothing from outside acts in it."""

import csv
import json
import re
import resource
import subprocess
import sys
from dataclasses import replace

import html5lib
import pytest
import report_samples as here
from cli_bundles import files_of, resign
from markupsafe import Markup
from weasyprint.urls import FatalURLFetchingError

from kzmitm.cli.report import kind as report_kind
from kzmitm.evidence.control import write_control
from kzmitm.model.observation import Role
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import Answer as StepAnswer
from kzmitm.model.trace import Step, TraceMethod, TraceObservation, Walk, WalkKind
from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.report.document import Answer, Document, Picture, Section, Tone
from kzmitm.report.format import format_named
from kzmitm.report.results import appeal, sections
from kzmitm.report.results import report as report_module
from kzmitm.report.results.view import Check, ReportedTarget, ResultView
from kzmitm.report.rows import judged_of_row

HOST = "social.example.com"
HOSTILE_NAMES = {
    "markup": "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>",
    "bidi": "Good\u202eCA\u2066\u200b",
    "formula": "=cmd|' /C calc'!A0",
    "markdown": "[x](javascript:alert(1)) ![](http://evil.test/a.png) <b>`|",
    "long": "A" * 100_000,
    "nul": "a\x00b\x1b[31m",
}


@pytest.fixture
def report(kzmitm):
    """The text of a report to stdout; its exit code is in `report.code`."""

    def run(*words):
        result = kzmitm("report", *words, "--out", "-")
        run.code, run.err = result.code, result.err
        return result.out

    return run


@pytest.fixture
def scan(tmp_path):
    """One site that is intercepted and one that is clean."""
    return here.result(tmp_path / "r", [here.forged_row(HOST), here.clean_row("news.example.com")])


def text_of(page):
    return re.sub(r"\s+", " ", "".join(html5lib.parse(page, namespaceHTMLElements=False).itertext()))


SECRETS = {
    "address": here.ADDRESS,
    "hour": "12:34",
    "iso time": "T12:3",
    "leaf": here.parse_certificate(here.forged_chain(HOST)[0]).sha256,
    "serial": f"{here.parse_certificate(here.forged_chain(HOST)[0]).serial:x}",
}


@pytest.mark.parametrize("format_", ["html", "md", "csv"])
def test_the_public_learns_nothing_of_the_volunteer(report, scan, tmp_path, format_):
    public = report(scan, "--format", format_)
    assert report.code == 1
    assert HOST in public
    for what, secret in SECRETS.items():
        assert secret not in public, what
    assert str(tmp_path) not in public
    partner = report(scan, "--format", format_, "--level", "partner")
    for what in ("address", "leaf"):
        assert SECRETS[what] in partner, what


def test_the_public_level_is_what_the_redacted_bundle_gives(report, kzmitm, scan, tmp_path):
    shared = tmp_path / "shared.zip"
    assert kzmitm("share", scan, "--level", "public", "--out", shared).code == 0
    mine, theirs = report(scan, "--format", "csv"), report(shared, "--format", "csv")
    assert mine == theirs
    proof = r"(None of the handshakes|In \d+ of \d+ handshakes|The handshakes are not in it).*?\."
    assert re.sub(proof, "", report(scan, "--format", "md")) == re.sub(
        proof, "", report(shared, "--format", "md")
    )


def test_the_public_sees_no_measurement_that_was_left_in(report, scan):
    files = files_of(scan)
    del files["data/partner/scan.json"]
    resign(scan, files)
    told = report(scan, "--format", "md")
    for what, secret in SECRETS.items():
        assert secret not in told, what


def test_a_reduced_result_cannot_be_reported_wider_and_says_so(report, kzmitm, scan, tmp_path):
    shared = tmp_path / "shared.zip"
    kzmitm("share", scan, "--level", "public", "--out", shared)
    told = report(shared, "--level", "full", "--format", "md")
    assert "it was reduced for the public, and so is the report" in report.err
    assert here.ADDRESS not in told


def test_only_the_owner_sees_the_computer(report, tmp_path, scan):
    files = files_of(scan)
    environment = json.loads(files["data/full/environment.json"]) | {"resolvers": ["192.0.2.53"]}
    text = json.dumps(environment, separators=(",", ":"), sort_keys=True) + "\n"
    resign(scan, files | {"data/full/environment.json": text.encode()})
    assert "192.0.2.53" in report(scan, "--level", "full", "--format", "md")
    for level in ("partner", "public"):
        assert "192.0.2.53" not in report(scan, "--level", level, "--format", "md")


def test_the_answer_comes_first(report, scan):
    page = text_of(report(scan).partition("<body>")[2])
    assert page.index("INTERCEPTION") < page.index("Somebody between") < page.index("In this report")
    assert "1 of 2 sites" in page
    assert "How sure: confirmed" in page


def test_every_innocent_cause_is_ruled_out_or_open(report, scan):
    page = text_of(report(scan))
    section = page[page.index("Innocent causes") :]
    assert section.count("ruled out") >= 4
    assert section.count("Nothing in this result rules it out.") == 3


def test_an_altered_result_is_told_in_the_first_line_and_nothing_of_it_is_shown(report, scan):
    octets = bytearray(scan.read_bytes())
    at = octets.index(b'"outcome":"interception"')
    octets[at + 11 : at + 23] = b"interceptioN"
    scan.write_bytes(octets)
    lines = [line for line in report(scan, "--format", "md").splitlines() if line]
    assert report.code == 1
    assert lines[1].startswith("**ALTERED.** This result was changed after it was signed.")
    assert HOST not in "\n".join(lines)
    assert "archive\\_damaged" in "\n".join(lines) or "file\\_changed" in "\n".join(lines)
    assert text_of(report(scan).partition("<body>")[2]).index("ALTERED") < 120


def test_one_altered_result_of_two_is_told_first_too(report, scan, tmp_path):
    bad = here.result(tmp_path / "b", [here.clean_row("x.example.com")])
    bad.write_bytes(bad.read_bytes()[:-1])
    told = report(scan, bad, "--format", "md")
    assert report.code == 1
    assert "**ALTERED.** 1 of 2 results was changed" in told
    assert HOST in told
    assert "x.example.com" not in told


@pytest.mark.parametrize("verb", ["report", "show", "verify"])
@pytest.mark.parametrize(
    ("content", "code"), [(None, 2), (b"names of sites\n" * 9, 2), (b"PK\3", 1), (b"", 1)]
)
def test_what_is_no_result_is_refused(verb, content, code, kzmitm, tmp_path):
    """What may be the rest of one was altered; another file is a mistake of the user."""
    path = tmp_path / "x.zip"
    if content is not None:
        path.write_bytes(content)
    result = kzmitm(verb, path)
    if verb == "show" or code == 2:
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
        assert list(tmp_path.iterdir()) == ([] if content is None else [path])
    else:
        assert result.code == code


@pytest.mark.parametrize("option", ["--control", "--store"])
@pytest.mark.parametrize("level", ["public", "partner"])
@pytest.mark.parametrize("value", ["/nonexistent", __file__])
def test_a_mistake_is_told_at_every_level(option, level, value, kzmitm, scan):
    ended = kzmitm("report", scan, "--level", level, option, value, "--out", "-")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert value.rpartition("/")[2] in ended.err


def test_what_the_public_is_not_told_needs_no_control(kzmitm, scan, tmp_path):
    write_control(tmp_path / "control.json", {})
    words = ("report", scan, "--control", tmp_path / "control.json", "--out", tmp_path / "page.html")
    assert "nothing is compared in a report for the public; give --level partner" in kzmitm(*words).err
    assert "nothing is compared" not in kzmitm(*words, "--level", "partner").err


def test_a_scan_that_did_not_end_says_that_nobody_signed_it(report, tmp_path):
    journal = here.result(tmp_path / "r", [here.clean_row(HOST)], finished=False)
    told = report(journal, "--format", "md")
    assert "never signed" in told
    assert "How to check it by hand" not in told


def test_a_stopped_scan_says_so_and_is_undecided(report, tmp_path):
    path = here.result(tmp_path / "r", [here.clean_row(HOST)], complete=False)
    assert "stopped before its end" in report(path, "--format", "md")
    assert report.code == 3


def compared(report, scan, tmp_path, *words):
    page = report(scan, "--level", "partner", *words)
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    found = {}
    for row in tree.iter("tr"):
        cells = [re.sub(r"\s+", " ", "".join(each.itertext())).strip() for each in row]
        if len(cells) == 3:
            found.setdefault(cells[0], cells[1:])
    return found


def test_the_shown_certificate_stands_beside_the_expected_one(report, scan, tmp_path):
    control, store = here.control(tmp_path, [HOST]), here.store(tmp_path)
    rows = compared(report, scan, tmp_path, "--control", control, "--store", store)
    assert rows["Issued to"] == [f"Shown here CN={HOST}", f"Expected CN={HOST}"]
    assert rows["Issued by"][0] == f"Shown here CN={here.FORGER}"
    assert rows["Issued by"][1] == f"Expected differs CN={here.GENUINE}"
    assert rows["SHA-256 of key"][1].startswith("Expected differs ")
    assert not rows["Valid from"][1].startswith("Expected differs")
    assert "differs" in rows["Authority 1"][1]
    assert "seen at a place that is not intercepted" in text_of(report(
        scan, "--level", "partner", "--control", control, "--store", store))  # fmt: skip


def test_a_genuine_certificate_of_the_same_measurement_is_enough(report, tmp_path):
    others = [(Role.OTHER_ADDRESS, here.genuine_chain(HOST))]
    measured = here.measured(HOST, here.forged_chain(HOST), others=others)
    scan = here.result(tmp_path / "r", [here.row(measured, here.FORGED)])
    told = report(scan, "--level", "partner", "--store", here.store(tmp_path))
    assert "seen in another handshake of the same measurement" in text_of(told)


def test_without_an_expected_certificate_the_way_to_one_is_told(report, scan):
    assert "--record-control FILE" in report(scan, "--level", "partner")
    assert "--record-control FILE" not in report(scan)


def test_sites_of_one_verdict_are_one_finding(report, tmp_path):
    hosts = [f"www{n}.example.com" for n in range(6)]
    scan = here.result(tmp_path / "r", [here.forged_row(host) for host in hosts])
    told = report(scan, "--format", "md", "--level", "partner")
    assert told.count("## INTERCEPTION") == 1
    assert "www0.example.com and 5 more sites" in told
    assert all(host in told for host in hosts)


def test_the_gravest_finding_comes_first(report, tmp_path):
    blocked = here.verdict(Outcome.BLOCKED, confidence=Confidence.LIKELY)
    silent = here.measured("a.example.com", (), failure="generic_timeout_error")
    odd = here.verdict(Outcome.INCONCLUSIVE, undecided=("control",))
    rows = [
        here.clean_row("clean.example.com"),
        here.row(here.measured("odd.example.com", here.genuine_chain("odd.example.com")), odd),
        here.row(silent, blocked),
        here.forged_row(HOST),
    ]
    told = report(here.result(tmp_path / "r", rows), "--format", "md")
    order = [told.index(f"## {word}") for word in ("INTERCEPTION", "BLOCKED", "INCONCLUSIVE")]
    assert order == sorted(order)
    assert told.index("| clean.example.com | CLEAN |") > order[-1]


def test_an_inconclusive_scan_is_never_an_all_clear(report, tmp_path):
    odd = here.verdict(Outcome.INCONCLUSIVE, undecided=("control",))
    row = here.row(here.measured(HOST, here.genuine_chain(HOST)), odd)
    told = report(here.result(tmp_path / "r", [row]), "--format", "md")
    assert report.code == 3
    assert told.splitlines()[2].startswith("**INCONCLUSIVE.**")
    assert "This is not an all-clear" in told


def test_the_law_stands_where_a_state_certificate_does(report, scan, tmp_path):
    assert "The certificate in the law" in report(scan, "--format", "md")
    clean = here.result(tmp_path / "c", [here.clean_row(HOST)])
    assert "The certificate in the law" not in report(clean, "--format", "md")


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
@pytest.mark.parametrize("format_", ["html", "md", "csv"])
def test_a_hostile_name_does_nothing(report, tmp_path, name, format_):
    unknown = here.verdict(Outcome.INTERCEPTION, confidence=Confidence.LIKELY, scope=Scope.ISP)
    row = here.forged_row(HOST, unknown, issuer=name, common_name=name, organization=name)
    scan = here.result(tmp_path / "r", [row])
    told = report(scan, "--format", format_, "--level", "full")
    assert len(told) < 100_000
    assert "\x00" not in told
    assert "\u202e" not in told
    assert "\x1b" not in told
    if format_ == "html":
        tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(told)
        assert not list(tree.iter("script"))
        assert not list(tree.iter("img"))
    if format_ == "csv":
        assert not re.search(r'(^|,)"?[=+@-]', told, re.MULTILINE)


def test_forty_targets_take_no_second_and_no_megabyte(tmp_path):
    hosts = [f"www{n}.example.com" for n in range(40)]
    rows = [here.forged_row(host) for host in hosts[:35]] + [here.clean_row(host) for host in hosts[35:]]
    scan = here.result(tmp_path / "r", rows)
    words = [
        "report",
        scan,
        "--level",
        "partner",
        "--store",
        here.store(tmp_path),
        "--out",
        tmp_path / "x.html",
    ]
    words += ["--control", here.control(tmp_path, hosts)]
    durations = []
    for _attempt in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "kzmitm", *map(str, words)], capture_output=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # of others' work the clock tells too
        durations.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 1, done.stderr
        if durations[-1] < 1:
            break
    assert min(durations) < 1
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert len(page) < 1_000_000
    assert all(host in page for host in hosts)


def test_the_pdf_says_what_the_page_says(kzmitm, scan, tmp_path):
    out = tmp_path / "x.pdf"
    result = kzmitm("report", scan, "--format", "pdf", "--level", "partner", "--lang", "kk", "--out", out)
    assert result.code == 1, result.err
    done = subprocess.run(["pdftotext", out, "-"], capture_output=True, check=True, text=True)
    words = re.sub(r"\s+", " ", done.stdout)
    assert HOST in words
    assert "№ 1241" in words
    assert "қағидалары" in words
    info = subprocess.run(["pdfinfo", out], capture_output=True, check=True, text=True).stdout
    assert "Tagged:          yes" in info
    assert not re.search("^(Author|Creator):", info, re.MULTILINE)


def test_a_pdf_fetches_nothing_not_even_from_this_computer(tmp_path):
    for address in ("file:///etc/hostname", "http://127.0.0.1:9/x.png", "data:image/png;base64,AAAA"):
        svg = Markup('<svg viewBox="0 0 9 9"><image href="{0}"/></svg><img src="{0}">').format(address)
        section = Section(id="s", title="s", blocks=(Picture(svg=svg, caption="c", meaning="m"),))
        answer = Answer(word="w", sentence="s", tone=Tone.PLAIN)
        document = Document(title="t", language="en", answer=answer, sections=(section,))
        with pytest.raises(FatalURLFetchingError):
            format_named("pdf").render(document)


def test_hostile_names_do_not_break_the_pdf(kzmitm, tmp_path):
    """Of 100 kB too, which WeasyPrint would break into lines for ever: the report shortens them before."""
    row = here.forged_row(HOST, issuer=HOSTILE_NAMES["long"], common_name=HOSTILE_NAMES["markup"])
    scan, out = here.result(tmp_path / "r", [row]), tmp_path / "x.pdf"
    assert kzmitm("report", scan, "--level", "partner", "--format", "pdf", "--out", out).code == 1
    assert out.read_bytes().startswith(b"%PDF-")


def test_without_weasyprint_the_user_is_told_what_to_do(kzmitm, scan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    result = kzmitm("report", scan, "--format", "pdf", "--out", tmp_path / "x.pdf")
    assert result.code == 2
    assert "kzmitm[report]" in result.err
    assert not (tmp_path / "x.pdf").exists()


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_the_language_is_that_of_the_page(report, scan, language):
    page = report(scan, "--lang", language)
    assert f'<html lang="{language}">' in page
    word = {"en": "INTERCEPTION", "ru": "ПЕРЕХВАТ", "kk": "ТРАФИКТІ ҰСТАП АЛУ"}
    assert f'<span class="word">{word[language]}</span>' in page


def test_the_file_lies_beside_the_result_and_only_its_owner_reads_it(kzmitm, scan):
    result = kzmitm("report", scan)
    (page,) = scan.parent.glob("*.html")
    assert re.fullmatch(r"bundle-[0-9a-f]{16}-public\.html", page.name)
    assert str(page) in result.err
    assert result.out == ""
    assert page.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "words", "begin"),
    [
        ("x.md", (), b"# "),
        ("x.MD", (), b"# "),
        ("x.csv", (), b"\xef\xbb\xbfresult,"),
        ("x.txt", (), b"<!doctype html>"),
        ("x", (), b"<!doctype html>"),
        ("x.html", ("--format", "md"), b"# "),
    ],
)
def test_the_name_of_the_file_tells_its_form(kzmitm, scan, tmp_path, name, words, begin):
    kzmitm("report", scan, "--out", tmp_path / name, *words)
    content = (tmp_path / name).read_bytes()
    assert content[: len(begin)].lower() == begin, content[:80]


def test_the_result_is_never_written_over(kzmitm, scan):
    before = scan.read_bytes()
    assert kzmitm("report", scan, "--out", scan).code == 2
    assert kzmitm("report", scan, "--out", scan.parent).code == 2
    assert scan.read_bytes() == before


def test_a_network_without_a_number_is_not_told(report, tmp_path):
    scan = here.result(tmp_path / "r", [here.clean_row(HOST)], vantage=here.Vantage())
    assert "AS0" not in report(scan, "--format", "md")
    assert "AS9198" in report(here.result(tmp_path / "q", [here.clean_row(HOST)]), "--format", "md")


# --- appeals


def test_an_appeal_warns_first_and_has_every_part(report, scan):
    told = report(scan, "--appeal", "--format", "md", "--level", "partner")
    assert report.code == 1, "as without --appeal: of the findings"
    assert told.splitlines()[2].startswith("**READ THIS FIRST.** An appeal identifies you")
    parts = re.findall(r"^## (.*)$", told, re.MULTILINE)
    assert parts == [
        "Whom else you can tell",
        "Name and contact of the applicant",
        "Description of the violation",
        "When it happened, and for how long",
        "Reliable material that confirms it",
        "Name of the organisation that committed it",
        "Where an appeal can be sent",
    ]
    for word in (HOST, "2 January 2026, 12:34 UTC", "Kazakhtelecom", "1400", "ifkz.org", "SHA256:"):
        assert word in told.replace("`", ""), word


def test_an_appeal_at_the_public_level_tells_the_week(report, scan):
    told = report(scan, "--appeal", "--format", "md")
    assert "12:34" not in told
    assert "29 Dec 2025" in told.replace("\u2009", " ")


def test_an_appeal_about_nothing_says_so(report, tmp_path):
    scan = here.result(tmp_path / "r", [here.clean_row(HOST)])
    assert "no finding that an appeal could be about" in report(scan, "--appeal", "--format", "md")
    assert report.code == 0


def test_no_appeal_is_made_of_what_nobody_can_check(kzmitm, scan, tmp_path):
    other = here.result(tmp_path / "o", [here.clean_row(HOST)])
    journal = here.result(tmp_path / "j", [here.clean_row(HOST)], finished=False)
    bad = tmp_path / "bad.zip"
    bad.write_bytes(scan.read_bytes()[:-1])
    for words, why in (((scan, other), "one result"), ((journal,), "did not end"), ((bad,), "changed after")):
        result = kzmitm("report", "--appeal", *words, "--out", tmp_path / "x.html")
        assert (result.code, (tmp_path / "x.html").exists()) == (2, False)
        assert why in result.err


def test_a_long_scan_is_cut_and_says_so(report, tmp_path, monkeypatch):
    monkeypatch.setattr(report_module, "MAX_QUIET", 2)
    monkeypatch.setattr(report_module, "MAX_FINDINGS", 1)
    monkeypatch.setattr(sections, "MAX_NAMED", 2)
    monkeypatch.setattr(appeal, "MAX_SITES", 2)
    hosts = [f"www{n}.example.com" for n in range(4)]
    odd = here.verdict(Outcome.INCONCLUSIVE, undecided=("control",))
    rows = [
        *(here.forged_row(host) for host in hosts),
        *(here.clean_row(f"ok{n}.example.com") for n in range(5)),
        here.row(here.measured("odd.example.com", here.genuine_chain("odd.example.com")), odd),
    ]
    scan = here.result(tmp_path / "r", rows)
    told = report(scan, "--format", "md")
    assert "www0.example.com, www1.example.com and 2 more; kzmitm show" in told
    assert "\nand 4 more; kzmitm show" in told  # three clean ones and a finding
    assert "odd.example.com" not in told
    assert "www1.example.com and 2 more:" in report(scan, "--appeal", "--format", "md")
    assert len(list(csv.reader(report(scan, "--format", "csv").splitlines()))) == 11


def test_a_place_on_the_path_is_shown_where_it_is_known(tmp_path):
    svg = Markup('<svg viewBox="0 0 9 9"></svg>')
    place = Picture(svg=svg, caption="The way to the site", meaning="behind hop 4")
    judged = judged_of_row({"target": HOST}, here.FORGED)
    target = ReportedTarget(judged=judged, hostname=HOST, sni=HOST, port="443", location=place)
    view = ResultView(
        check=Check(is_altered=False, bundle_id="ab" * 32, key="SHA256:x"),
        targets=(target,),
        outcomes={Outcome.INTERCEPTION: 1},
    )
    told = format_named("md").render(report_module.results_document([view])).decode()
    assert "*The way to the site:* behind hop 4" in told


def traced(hostname):
    """A measurement with the way to its address: somebody behind the second hop answers for the site."""
    near = tuple(
        Step(ttl=n, flow=40_000 + n, answer=StepAnswer.EXPIRED, address=f"10.{n}.0.1") for n in (1, 2)
    )
    shown = Step(ttl=3, flow=40_003, answer=StepAnswer.HANDSHAKE, address=here.ADDRESS)
    walks = tuple(
        Walk(kind=kind, port=443, name=name, steps=(*near, shown))
        for kind, name in ((WalkKind.HELLO_CONTROL, "ok.example"), (WalkKind.HELLO_WATCHED, hostname))
    )
    way = TraceObservation(endpoint=Endpoint(here.ADDRESS, 443), method=TraceMethod.SOCKETS, walks=walks)
    return replace(here.measured(hostname, here.forged_chain(hostname)), trace=(way,))


def test_a_traced_way_is_drawn_for_partners_and_not_for_the_public(report, tmp_path):
    scan = here.result(tmp_path / "r", [here.row(traced(HOST), here.FORGED)])
    page = report(scan, "--level", "partner")
    assert page.count("<svg ") == 1
    assert "10.2.0.1" in page
    told = report(scan)
    assert "<svg " not in told
    assert "10.2.0.1" not in told


def test_an_empty_scan_is_no_all_clear(report, tmp_path):
    told = report(here.result(tmp_path / "r", []), "--format", "md")
    assert "**NOTHING.** No site was measured." in told
    assert report.code == 3


def test_things_of_different_kinds_are_refused(kzmitm, scan, monkeypatch):
    monkeypatch.setattr(report_kind, "_name_of", lambda path: path.name)
    result = kzmitm("report", scan, scan.parent)
    assert result.code == 2
    assert "different kinds" in result.err
