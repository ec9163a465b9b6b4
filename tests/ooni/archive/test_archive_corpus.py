"""Every situation of a corpus is judged as it is true of it; the published figures of 2024 come out again."""

import json
from collections import defaultdict

import pytest
from judged_corpora import (
    SEED,
    SITUATIONS,
    analysis,
    by_uid,
    every_situation,
    extract,
    grounds_beside,
    judge,
    rows,
    situation,
    write_grounds,
    write_published,
)

from kzmitm.ooni.archive.parts import EXTRACT

IN_FORM = [(name, era) for name, kind in SITUATIONS.items() for era in kind.eras]
REGISTRIES = {"overlay": True, "shipped": False}
NOT_SAID = ("box_wrong_name",)
"""Interception in truth, which the archive alone cannot tell from a login page: `accept` says so."""


class Judged:
    """An analysis of every situation in every form."""

    def __init__(self, truths, out, document):
        self.document = document
        self.truths = truths
        self.measurements = by_uid(out)
        self.handshakes = defaultdict(list)
        for row in rows(out, "handshakes"):
            self.handshakes[row["uid"]].append(row)


@pytest.fixture(scope="module")
def situations(tmp_path_factory):
    return every_situation(), write_grounds(tmp_path_factory.mktemp("grounds"))


@pytest.fixture(scope="module", params=REGISTRIES)
def judged(request, situations, tmp_path_factory):
    """All of them in one archive, so that the second look has everything before it."""
    made, beside = situations
    out = tmp_path_factory.mktemp(request.param)
    document = analysis(
        [each for each, _ in made], out, grounds_beside(beside, overlay=REGISTRIES[request.param])
    )
    truths = {(truth["class"], truth["era"]): truth for _, truth in made}
    judged = Judged(truths, out, document)
    judged.overlay = REGISTRIES[request.param]
    return judged


def intercepted(rows):
    return [row for row in rows if row["outcome"] == "interception"]


@pytest.mark.parametrize(("name", "era"), IN_FORM)
def test_a_situation_is_judged_as_it_is(judged, name, era):
    truth = judged.truths[name, era]
    found = judged.measurements[truth["uid"]]
    shown = intercepted(judged.handshakes[truth["uid"]])
    assert found["outcome"] in truth["accept"], found
    if not truth["is_interception"] or name in NOT_SAID:
        assert shown == [], "no handshake of it is told to be intercepted"
        return
    match = truth["match"] or ""
    if not judged.overlay and truth["authority"] == "kz-isca" and match in ("certificate", "signature"):
        match = "family"
    told = {(row["authority"], row["scope"], row["match"]) for row in (found, *shown)}
    assert told == {(truth["authority"] or "", truth["scope"], match)}
    assert {row["certificate"] for row in shown} == {truth["certificate_sha256"]}
    assert {row["domain"] for row in shown} == {truth["domain"]}
    assert {row["asn"] for row in (found, *shown)} == {truth["asn"]}
    assert {row["outside_validity"] for row in shown} == {not truth["within_validity"]}
    assert found["label"].startswith("tls.mitm") or name == "isca_no_tls_verify", found["label"]


def test_every_line_was_read_and_counted(judged):
    counts = judged.document["counts"]
    assert counts["measurements"] == len(judged.truths) == judged.document["read"]["measurements"]
    assert judged.document["read"]["bad"] == 0
    said = {truth["uid"] for truth in judged.truths.values() if truth["is_interception"]}
    said -= {truth["uid"] for (name, _), truth in judged.truths.items() if name in NOT_SAID}
    assert counts["intercepted"] == len(said)
    assert judged.document["outcomes"] == {
        outcome: sum(row["outcome"] == outcome for row in judged.measurements.values())
        for outcome in {row["outcome"] for row in judged.measurements.values()}
    }


def test_users_of_networks_count_where_interception_was_attributed(situations, tmp_path):
    """A company's box, or an issuer that nobody knows, says nothing of all that the network serves."""
    made, beside = situations
    told = {(truth["class"], truth["era"]): (document, truth) for document, truth in made}
    unknown, known = told["unknown_ca_control_ok", "v05"], told["isca_intermediate", "v05"]
    network, other = {"probe_asn": "AS9198"}, {"probe_asn": "AS29355"}
    lines = [unknown[0] | network, known[0] | other, known[0] | other | {"measurement_uid": "again"}]
    document = analysis(lines, tmp_path, grounds_beside(beside))
    assert document["counts"]["intercepted"] == 3
    assert document["attributed"]["asns"] == [29355]
    (share,) = [row["share"] for row in rows(tmp_path, "networks", folder="verdicts") if row["asn"] == 29355]
    assert document["share_of_users"] == share > 0
    alone = analysis(lines[:1], tmp_path / "alone", grounds_beside(beside))
    assert (alone["counts"]["intercepted"], alone["share_of_users"]) == (1, None)


@pytest.mark.parametrize(("kind", "is_counted"), [("state_interception", True), ("antivirus", False)])
def test_a_program_on_one_computer_exposes_no_network(tmp_path, kind, is_counted):
    """However sure it is which key signed: an antivirus, or a laptop's own root, is nobody else's."""
    beside = write_grounds(tmp_path / "beside", SEED)
    entry = beside / "registry" / "authorities" / "kz-isca.toml"
    entry.write_text(entry.read_text().replace('kind = "state_interception"', f'kind = "{kind}"'))
    line, _truth = situation("isca_intermediate", SEED, era="v05")
    document = analysis([line | {"probe_asn": "AS9198"}], tmp_path / "out", grounds_beside(beside))
    assert document["attributed"]["asns"] == [9198]
    assert (document["share_of_users"] is not None) == is_counted


def test_one_row_neither_hides_another_nor_stands_for_it(judged):
    truth = judged.truths["isca_one_of_two", "v05"]
    found = judged.measurements[truth["uid"]]
    assert (found["outcome"], found["clean"], found["intercepted"]) == ("interception", 1, 1)


def test_what_a_class_is_called(judged):
    """The labels of OONI's ontology, and what would decide the rest."""
    told = {key: judged.measurements[truth["uid"]] for key, truth in judged.truths.items()}
    assert told["tls_reset", "v05"]["label"] == "tls.reset"
    assert told["tls_timeout", "v05"]["label"] == "tls.timeout"
    assert told["dns_hijack_impostor", "v05"]["label"] == "dns.injection"
    assert told["box_self_signed", "v05"]["label"] == "tls.mitm.self_signed"
    assert told["isca_leaf_only", "v05"]["label"] == "tls.mitm.ca_signed"
    assert told["origin_control_missing", "v05"]["asks"] == "control more_hosts"
    assert told["clean_https", "v05"]["label"] == ""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    out = tmp_path_factory.mktemp("published")
    figures = write_published(out, 7, "gz")["published"]
    extract([out / "raw"], out)
    return out, figures


@pytest.fixture(scope="module")
def found_again(published):
    """The document of its analysis, with the overlay."""
    out, _figures = published
    return judge(out, grounds_beside(out))


@pytest.mark.parametrize("registry", REGISTRIES)
def test_the_published_figures_of_2024(published, found_again, tmp_path, registry):
    out, figures = published
    document = found_again
    if not REGISTRIES[registry]:
        document = judge(tmp_path, grounds_beside(out, overlay=False), extracts=[out / EXTRACT])
    told = document["attributed"]
    assert told["certificates"] == figures["certificates"] == 7
    assert told["known_roots"] == figures["known_roots"] == 4
    assert told["certificates_of_unknown_root"] == figures["certificates_of_unknown_roots"] == 2
    assert told["domain_names"] == figures["domains"]
    assert told["asns"] == figures["asns"]
    assert (told["domains"], told["networks"]) == (14, 19)
    assert document["share_of_users"] == pytest.approx(86.8)
    assert document["interception"] == {key: told[key] for key in document["interception"]}
    assert (told["first_seen"], told["last_seen"]) == (figures["first_seen"], figures["last_seen"])
    assert told["measurements"] == figures["sightings"] == document["counts"]["intercepted"]
    for one, found in zip(figures["each"], document["certificates"], strict=True):
        assert found["sha256"] == one["sha256"]
        assert (found["not_before"], found["not_after"]) == (one["not_before"], one["not_after"])
        assert (found["first_seen"], found["last_seen"]) == (one["first_seen"], one["last_seen"])
        assert bool(found["root_sha256"]) == bool(one["root_sha256"])
        assert found["published_as"] == f"ooni-2024-intermediates#{one['ordinal']}"
        assert found["authority"] == "kz-isca"
    assert len({each["root_sha256"] for each in document["certificates"] if each["root_sha256"]}) == 4


def test_sightings_outside_validity_are_those_of_the_truth(published, found_again):
    out, figures = published
    document = found_again
    truths = [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()]
    expired = {truth["uid"] for truth in truths if truth["within_validity"] is False}
    found = rows(out, columns="uid, outside_validity, outcome, source, line")
    by_place = {("raw/" + row["source"], row["line"]): row for row in found}
    assert len(expired) == figures["outside_validity"] == 6
    seen = {truth["uid"] for truth in truths if by_place[truth["file"], truth["line"]]["outside_validity"]}
    assert seen == expired
    shown = [row for row in rows(out, "handshakes") if row["outside_validity"]]
    assert document["attributed"]["outside_validity"] == len(shown) >= 6
    each = {one["sha256"]: one["outside_validity"] for one in figures["each"]}
    assert {c["sha256"] for c in document["certificates"] if c["outside_validity"]} == {
        sha256 for sha256, n in each.items() if n
    }


@pytest.mark.usefixtures("found_again")
def test_no_innocent_line_of_the_published_corpus_is_intercepted(published):
    out, _figures = published
    by_place = {("raw/" + row["source"], row["line"]): row for row in rows(out)}
    for line in (out / "truth.jsonl").read_text().splitlines():
        truth = json.loads(line)
        found = by_place[truth["file"], truth["line"]]
        assert found["outcome"] in truth["accept"], (truth["class"], found)
        assert (found["intercepted"] > 0) is truth["is_interception"]
