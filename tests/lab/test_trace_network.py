"""Traces through the laboratory's network: every profile in its segment, over both families at once."""

import json
from collections.abc import Iterator

import jsonschema
import pytest
from network_support import needs_network, needs_product

from kzmitm.cli.clock import now
from kzmitm.evidence.schema import schema_text
from kzmitm.lab.control.client import Lab, own_lab
from kzmitm.lab.control.commands import module_command
from kzmitm.model.location import LOCATED, Device
from kzmitm.ooni.experiments import tlsmiddlebox

pytestmark = needs_network

SITE, CONTROL = "social.lab.test", "news.lab.test"
BEFORE = {4: {0: [], 1: ["10.77.0.1"], 2: ["198.51.100.2"]}, 6: {0: [], 1: ["fd77::1"], 2: ["fd77:12::2"]}}
MOST_S = 9.0
"""Of a trace here; a quiet computer needs six at most."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = own_lab(now())
    try:
        yield lab
    finally:
        lab.close()


NOBODY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs")
"""A user without any capability (capabilities(7))."""


def trace(lab: Lab, *words: str, before=()):
    trusted = ["--store", str(lab.directory / "roots.pem"), "--fingerprints", str(lab.directory / "overlay")]
    command = module_command("kzmitm", "trace", SITE, "--control-sni", CONTROL, "--i-understand", *trusted)
    return lab.run("client", [*before, *command, *words], timeout=60)


def document(done):
    assert done.returncode in (0, 1, 3), done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(schema_text("trace")))
    return found


def findings(found):
    return [each["location"]["finding"] for each in found["traces"]]


CASES = [
    ("none", {}, Device.ENDPOINT, None, "clean"),
    ("kz-inline", {"hidden": "all"}, Device.SNI_INTERCEPTOR, (1, 2), "interception"),
    ("kz-proxy", {}, Device.TERMINATING_PROXY, (1, 2), "interception"),
    ("drop", {}, Device.SNI_DROP, (2, 3), "blocked"),
    ("drop", {"hidden": "operator"}, Device.SNI_DROP, (1, 3), "blocked"),
    ("rst-onpath", {}, Device.SNI_INJECTOR, (1, 2), "blocked"),
    ("portal", {}, Device.TERMINATING_PROXY, (0, 1), None),
    ("portal-reject", {}, Device.TCP_BLOCK, (1, 2), None),
    ("ip-block", {"sites": SITE}, Device.TCP_BLOCK, (2, 3), None),
]


@pytest.mark.parametrize(
    ("profile", "given", "device", "segment", "outcome"),
    CASES,
    ids=[f"{case[0]}{'-hidden' if 'hidden' in case[1] else ''}" for case in CASES],
)
def test_every_profile_is_found_in_its_segment(lab, profile, given, device, segment, outcome):
    needs_product(profile)
    lab.switch_on(profile, given)
    found = document(trace(lab, "--json"))
    assert len(found["traces"]) == 2
    for each in found["traces"]:
        finding, walked = each["location"]["finding"], each["trace"]
        assert finding["device"] == device, each["location"]
        assert finding["proof"]
        assert walked["t"] - walked["t0"] < MOST_S
        if segment is not None:
            told = finding["segment"]
            assert (told["lower"], told["upper"]) == segment
            if "hidden" not in given:
                family = 6 if ":" in each["location"]["endpoint"]["ip"] else 4
                met = [address["ip"] for address in told["before"]["addresses"]]
                assert met == BEFORE[family][segment[0]]
    if outcome is not None:
        assert found["verdict"]["outcome"] == outcome


def test_what_cannot_be_told_is_said(lab):
    lab.switch_on("drop", {"hidden": "all"})
    for each in document(trace(lab, "--json"))["traces"]:
        assert each["location"]["finding"]["device"] == Device.UNLOCATED
        assert {"swallowed_somewhere", "routers_silent"} <= set(each["location"]["untold"])


def test_nobody_is_named_on_a_bad_line(lab):
    lab.switch_on("loss", {})
    assert not {found["device"] for found in findings(document(trace(lab, "--json")))} & LOCATED


def test_own_packets_tell_the_ttl_of_each_answer(lab):
    pytest.importorskip("scapy")
    lab.switch_on("kz-inline", {})
    found = document(trace(lab, "--raw", "--json"))
    assert [finding["device"] for finding in findings(found)] == [Device.SNI_INTERCEPTOR] * 2
    for each in found["traces"]:
        walks = {walk["kind"]: walk for walk in each["trace"]["walks"]}
        answered = [s for s in walks["hello_watched"]["steps"] if s["answer"] == "handshake"]
        # Within one connection the server's SYN-ACK has come three routers, what follows only one.
        assert {(step["opened_ttl"], step["reply_ttl"]) for step in answered} == {(61, 63)}
        expired = [s for s in walks["hello_control"]["steps"] if s["answer"] == "expired"]
        assert all(step["address"] and step["quoted_ttl"] == 1 for step in expired)
        ports = {step["flow"] for step in walks["syn"]["steps"] if step["ttl"] in (1, 2, 3)}
        assert len(ports) < 9  # the walk is of one port, and the proofs of others


def test_text_picture_and_ooni_line(lab):
    lab.switch_on("kz-inline", {})
    picture, line = lab.directory / "path.svg", lab.directory / "trace.jsonl"
    done = trace(lab, "-4", "--svg", str(picture), "--ooni", str(line), before=NOBODY)
    assert done.returncode == 1
    assert "between hop 1 (10.77.0.1) and hop 2 (198.51.100.2)" in done.stdout
    assert "with the names social.lab.test and news.lab.test" in done.stderr
    outer = lab.outer_directory
    assert (outer / "path.svg").read_text().startswith("<svg ")
    keys = json.loads((outer / "trace.jsonl").read_text())["test_keys"]
    rows = list(tlsmiddlebox.handshakes(keys, frozenset()))
    assert rows[0].row["failure"] == "generic_timeout_error"
    assert rows[0].row["so_error"] == "host_unreachable"
    assert rows[1].row["failure"] is None
    assert len(rows) == 2  # cut after the first answer
    assert rows[1].row["peer_certificates"]


def test_scan_locates_what_it_finds_and_show_tells_it(lab):
    lab.switch_on("kz-inline", {})
    out = lab.directory / "located.zip"
    trusted = ["--store", str(lab.directory / "roots.pem"), "--fingerprints", str(lab.directory / "overlay")]
    words = ["--locate", "--one-time-key", "--i-understand", "--json", "--out", str(out), *trusted]
    done = lab.run("client", module_command("kzmitm", "scan", SITE, CONTROL, *words), timeout=90)
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(schema_text("scan")))
    rows = {row["hostname"]: row for row in found["targets"]}
    assert "locations" not in rows[CONTROL]
    for location in rows[SITE]["locations"]:
        assert location["finding"]["device"] == Device.SNI_INTERCEPTOR
        assert location["finding"]["segment"]["upper"] == 2
    shown = lab.run("client", module_command("kzmitm", "show", str(out), SITE), timeout=60)
    assert "Where on the way" in shown.stdout
    assert "hop 2 (198.51.100.2)" in shown.stdout
    judged = lab.run("client", module_command("kzmitm", "judge", str(out), *trusted), timeout=60)
    assert "0 of 2 verdicts changed" in judged.stdout
    lab.run("client", ["rm", str(out)])


def test_ctrl_c_ends_it_at_once_and_tells_what_was_seen(lab):
    lab.switch_on("drop", {})
    command = ["timeout", "--signal=INT", "2.5", *module_command("kzmitm", "trace", SITE, "--i-understand")]
    done = lab.run("client", [*command, "--control-sni", CONTROL, "-4", "--json"], timeout=20)
    found = json.loads(done.stdout)
    assert found["complete"] is False
    assert "stopped" in done.stderr
