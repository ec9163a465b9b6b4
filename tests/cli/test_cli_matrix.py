"""`kzmitm matrix` and `kzmitm traits` against real servers on loopback that choose by the name asked for."""

import json

import pytest
from jsonschema import Draft202012Validator
from sni_servers import box

from kzmitm.evidence.schema import schema_text

__all__ = ["box"]

OPTIONS = ("--i-understand", "--doh", "none", "--gap", "0", "--timeout", "3")


@pytest.fixture
def run(kzmitm, genuine):
    return lambda verb, *words: kzmitm(verb, *words, *OPTIONS, "--store", genuine.pem)


def to(hostname, server, address="127.0.0.1"):
    return "--connect-to", f"{hostname}:443:{address}:{server.port}"


@pytest.fixture
def world(box, genuine, forger):
    """An interceptor before a site and before a reflector; words that lead there."""
    site = box(genuine.site("news.test"), {"video.test": forger.site("video.test")})
    reflector = box(
        genuine.site("friend.test"), {"video.test": forger.site("friend.test")}, address="127.0.0.2"
    )
    words = ["video.test", "--reflector", "friend.test", "--benign", "news.test", "--other", "radio.test"]
    words += [*to("video.test", site), *to("friend.test", reflector, "127.0.0.2"), *to("radio.test", site)]
    return words


def test_an_interceptor_in_a_table(run, world, forger):
    ended = run("matrix", *world, "--fingerprints", forger.overlay(), "--repeats", 1)
    assert ended.code == 1, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("INTERCEPTION  video.test  confirmed, by The Test Authority")
    assert lines[1].split() == ["name", "address", "hello", "carrier", "answer"]
    rows = [line for line in lines if line[:2].strip().isdigit()]
    assert any("watched name" in row and "its own address" in row and "FORGED" in row for row in rows)
    told = "\n".join(lines[2 + len(rows) :])
    assert "What sets it off: certain names; others pass to the same address (rows" in told
    assert "Where it acts: at addresses that have nothing to do with the name" in told
    carried = (
        "Whose names the forged certificate carries: those of the server at that address, not of the name"
    )
    assert carried in told
    assert "HTTP/2: kept" in told
    assert "Not told: With another watched name" not in told
    assert "On another port" in told.partition("Not told:")[2]
    assert "10 connections so far" in ended.err


def test_the_document(run, world, forger):
    ended = run("matrix", *world, "--fingerprints", forger.overlay(), "--json", "--jarm")
    document = ended.json
    Draft202012Validator(json.loads(schema_text("matrix"))).validate(document)
    (target,) = document["targets"]
    assert (ended.code, document["complete"], target["ended"]) == (1, True, "complete")
    base = next(cell for cell in target["cells"] if cell["cell"] == "watched@own/small/tcp")
    assert (base["state"], base["sni"], len(base["answers"])) == ("forged", "video.test", 2)
    assert base["answers"][0]["names"] == ["video.test"]
    assert target["traits"]["certificate_shape"].startswith("cs1_secp256r1_")
    assert (len(target["traits"]["jarm"]), target["traits"]["session_ticket"]) == (62, True)
    assert target["connections"] == sum(len(cell["answers"]) for cell in target["cells"]) + 10
    assert "connections so far" not in ended.err


def test_two_targets_are_each_the_others_other_site(run, box, genuine, forger):
    forged = {name: forger.site(name) for name in ("video.test", "radio.test")}
    server = box(genuine.site("news.test"), forged)
    ended = run(
        "matrix", "video.test", "radio.test", "--benign", "news.test", "--repeats", 1, "--json",
        *to("video.test", server), *to("radio.test", server), "--fingerprints", forger.overlay(),
    )  # fmt: skip
    first, second = ended.json["targets"]
    for target, other in ((first, "radio.test"), (second, "video.test")):
        cell = next(each for each in target["cells"] if each["name"] == "other_watched")
        assert (cell["sni"], cell["state"]) == (other, "forged")


def test_nothing_forged_ends_early(run, box, genuine):
    server = box(genuine.site("video.test"))
    ended = run("matrix", "video.test", *to("video.test", server))
    assert ended.code == 0
    assert "Nothing forged was seen" in ended.out
    assert "What sets it off" not in ended.out
    assert len(server.asked) == 6
    thorough = run("matrix", "video.test", *to("video.test", server), "--thorough", "--repeats", 1)
    assert "Nothing forged" not in thorough.out
    assert len(server.asked) > 12


def test_a_dead_site_ends_early(run, box, genuine):
    server = box(genuine.site("video.test"))
    server.close()
    ended = run("matrix", "video.test", *to("video.test", server), "--repeats", 3)
    assert ended.code == 3
    assert "Nobody answers any more" in ended.out
    assert "no connection" in ended.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("matrix", *(f"s{i}.test" for i in range(5))), 2, "5 targets are too many"),
        (("matrix", "a.test", "--repeats", "0"), 2, "--repeats: 0 is not possible"),
        (("matrix", "a.test", "--other-port", "70000"), 2, "--other-port"),
        (("matrix", "a.test", "--gap", "-1"), 2, "--gap"),
        (("matrix", "a.test", "--reflector", "http://x"), 2, "only https"),
        (("matrix", "a.test", "--via", "nowhere:"), 2, "not a vantage"),
        (("traits", *(f"s{i}.test" for i in range(9))), 2, "9 targets are too many"),
        (("traits", "a.test", "--jarm", "--no-jarm"), 2, "not allowed with"),
        (("traits", "a.test", "--probe-asn", "x"), 2, "--probe-asn"),
    ],
)
def test_mistakes_are_one_line(kzmitm, words, code, said):
    ended = kzmitm(*words, "--i-understand")
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("verb", ["matrix", "traits"])
def test_consent_is_asked_for_first(kzmitm, verb, box, genuine):
    server = box(genuine.site("video.test"))
    ended = kzmitm(verb, "video.test", *to("video.test", server), "--store", genuine.pem)
    assert (ended.code, ended.out, server.asked) == (4, "", [])


# --- traits


def test_traits_of_an_interceptor(run, world, forger):
    ended = run("traits", "video.test", *world[-6:-4], "--fingerprints", forger.overlay())
    assert ended.code == 1, ended.err
    assert "\n  JARM: " in ended.out
    assert "\n  JA3S: 15af977ce25de452b96affa2addb1036\n" in ended.out
    assert "\n  certificate shape: cs1_secp256r1_" in ended.out
    assert "\n  application protocol: h2\n" in ended.out
    assert "versions accepted: TLSv1.2" in ended.out
    assert "  SYN-ACK after " in ended.out
    assert "consistent with no product" in ended.out


def test_traits_document_and_the_clean_place(run, box, genuine):
    server = box(genuine.site("video.test"))
    words = ("video.test", *to("video.test", server), "--control", "interface:lo", "--json")
    ended = run("traits", *words)
    Draft202012Validator(json.loads(schema_text("traits"))).validate(ended.json)
    (target,) = ended.json["targets"]
    assert (ended.code, target["outcome"], target["traits"]["jarm"]) == (0, "clean", None)
    assert target["control"]["accepted"] == target["traits"]["accepted"] == ["TLSv1.2"]
    assert target["control"]["refused"] == ["TLSv1", "TLSv1.1"]
    ended = run("traits", *words, "--jarm", "--sni", "none")
    (target,) = ended.json["targets"]
    assert len(target["traits"]["jarm"]) == 62
    assert target["sni"] is None
    assert len(server.asked) > 12


def test_traits_of_nobody(run, box, genuine):
    server = box(genuine.site("video.test"))
    server.close()
    ended = run("traits", "video.test", *to("video.test", server), "--jarm")
    assert ended.code == 3
    assert "nobody answered" in ended.out


PRODUCT = """
id = "test-box"
name = "The Test Box"
telling = ["exponent"]
[require]
exponent = 3
[traits]
ja3s = ["15af977ce25de452b96affa2addb1036"]
alpn = ["h2"]
telling = ["ja3s"]
source = "this very test"
"""


def test_a_scan_keeps_the_traits_of_an_interceptor_and_no_one_elses(kzmitm, box, genuine, forger):
    forged = box(genuine.site("news.test"), {"video.test": forger.site("video.test")})
    overlay = forger.overlay()
    (overlay / "forgers").mkdir()
    (overlay / "forgers" / "test-box.toml").write_text(PRODUCT)
    words = ["video.test", "news.test", *to("video.test", forged), *to("news.test", forged)]
    words += ["--fingerprints", overlay, "--store", genuine.pem, "--no-local-roots", "--no-save", "--json"]
    ended = kzmitm("scan", *words, "--i-understand", "--doh", "none")
    Draft202012Validator(json.loads(schema_text("scan"))).validate(ended.json)
    rows = {row["hostname"]: row for row in ended.json["targets"]}
    traits = rows["video.test"]["traits"]
    assert (traits["ja3s"], traits["alpn"], traits["jarm"]) == (
        "15af977ce25de452b96affa2addb1036",
        "h2",
        None,
    )
    assert traits["consistent_with"] == [
        {"id": "test-box", "name": "The Test Box", "traits": ["ja3s", "alpn"]},
    ]
    assert "traits" not in rows["news.test"]
