"""The whole command against real servers on loopback: verdict, words, exit code, document, evidence."""

import errno
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_bundles import files_of, scan_of
from jsonschema import Draft202012Validator

from kzmitm.evidence.container import open_container
from kzmitm.evidence.schema import schema_text

GOLDEN = Path(__file__).parents[1] / "golden" / "cli"
SCHEMA = Draft202012Validator(json.loads(schema_text("scan")))


def to(hostname, port):
    return "--connect-to", f"{hostname}:443:127.0.0.1:{port}"


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def without_chance(text):
    """A transcript without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<hash>", text)
    text = re.sub(r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:<fingerprint>", text)
    return re.sub(r"(bundle|\.journal)-[0-9a-f]{16}", r"\1-<digits>", text)


@pytest.fixture
def scan(kzmitm, genuine):
    """A scan of loopback servers that trusts the genuine authority, whatever this computer trusts."""

    def run(*words: object):
        options = ("--i-understand", "--no-local-roots", "--doh", "none")
        return kzmitm("scan", *options, "--store", genuine.pem, *words)

    return run


def test_golden_scan(scan, serve, genuine, forger, tmp_path):
    clean, forged = serve(genuine.site("news.test")), serve(forger.site("video.test"))
    ended = scan(
        "news.test", "video.test", "gone.test", *to("news.test", clean), *to("video.test", forged),
        *to("gone.test", closed_port()), "--fingerprints", forger.overlay(), "--out", tmp_path / "out",
        "--concurrency", 1,
    )  # fmt: skip
    assert ended.code == 1
    shown = without_chance(f"{ended.out}--- stderr\n{ended.err}").replace(str(tmp_path), "<folder>")
    path = GOLDEN / "scan.txt"
    if os.environ.get("KZMITM_GOLDEN") == "write":
        path.write_text(shown, encoding="utf-8", newline="\n")
    assert shown == path.read_text(encoding="utf-8")


def test_sites_behind_one_delivery_network_are_not_intercepted(scan, serve, forger):
    """Each of three shows the certificate that was meant for the network, and no control tells more."""
    hosts = ("www.a.test", "www.b.example", "www.c.invalid")
    words = [word for host in hosts for word in (host, *to(host, serve(forger.site(host))))]
    unknown = scan(*words, "--json")
    assert {row["outcome"] for row in unknown.json["targets"]} == {"interception"}
    known = scan(*words, "--json", "--fingerprints", forger.overlay(kind="origin_ca"))
    assert known.code == 0
    for row in known.json["targets"]:
        assert (row["outcome"], row["confidence"]) == ("origin_misconfigured", "suspected")
        assert row["authority"]["id"] == "test-ca"
    told = scan(*words, "--fingerprints", forger.folder / "overlay-origin_ca", "--no-save").out
    assert "the site is set up wrongly, and most likely not intercepted" in told
    assert "The Test Authority (KZ): an authority for servers behind a delivery network" in told


def test_all_clean_is_0(scan, serve, genuine):
    ended = scan("news.test", *to("news.test", serve(genuine.site("news.test"))))
    assert ended.code == 0
    assert ended.out.startswith("CLEAN")
    assert ended.out.endswith("1 target: 1 clean\n")


def test_doubt_is_3(scan, serve, forger):
    ended = scan("video.test", *to("video.test", serve(forger.site("video.test"))))
    assert ended.code == 3
    assert ended.out.startswith("INCONCLUSIVE")


def test_nothing_measured_is_3(scan):
    ended = scan("gone.test", *to("gone.test", closed_port()))
    assert ended.code == 3
    assert ended.out.startswith("UNREACHABLE")


@pytest.mark.parametrize(("options", "is_said"), [((), True), (("--resolve", "a.test:443:127.0.0.1"), False)])
def test_a_computer_without_a_network_is_told_so(options, is_said, process):
    """Here loopback is all there is; one address that refuses is an answer."""
    alone = ("unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "-")
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    words = ("scan", "--i-understand", "--no-save", "--no-local-roots", "a.test", *options)
    code, _out, err = process(*words, within=alone)
    assert code == 3
    assert (b"nobody answered, no resolver and no site" in err) == is_said, err


def test_where_nothing_is_reached_no_site_is_singled_out(scan):
    port = closed_port()
    ended = scan("a.test", "b.test", *to("a.test", port), *to("b.test", port), "--no-save")
    assert ended.code == 3
    assert "gravest" not in ended.out
    assert "Nothing was reached" in ended.out


def test_a_control_decides(scan, serve, genuine, forger, tmp_path):
    control = tmp_path / "control.json"
    away = scan(
        "video.test", *to("video.test", serve(genuine.site("video.test"))), "--record-control", control
    )
    assert away.code == 0
    here = scan("video.test", *to("video.test", serve(forger.site("video.test"))), "--control", control)
    assert here.code in {1, 3}
    assert "clean place" in here.out
    again = scan("news.test", *to("news.test", serve(genuine.site("news.test"))), "--record-control", control)
    assert again.code == 0
    assert len(json.loads(control.read_text())["names"]) == 2  # added to what was there


def test_a_forgery_is_not_recorded_as_control(scan, serve, forger, tmp_path):
    control = tmp_path / "control.json"
    words = ("--fingerprints", forger.overlay(), "--record-control", control)
    assert scan("video.test", *to("video.test", serve(forger.site("video.test"))), *words).code == 1
    assert json.loads(control.read_text())["names"] == []


@pytest.mark.parametrize("saving", [(), ("--no-save",)])
def test_the_document_is_one_valid_and_begins_with_its_schema(saving, scan, serve, genuine, forger, home):
    clean, forged = serve(genuine.site("news.test")), serve(forger.site("video.test"))
    ended = scan(
        "news.test", "video.test", *to("news.test", clean), *to("video.test", forged),
        "--fingerprints", forger.overlay(), "--json", *saving,
    )  # fmt: skip
    assert ended.code == 1
    SCHEMA.validate(ended.json)
    assert list(ended.json)[:2] == ["schema", "version"]
    assert ended.json["summary"] == {**dict.fromkeys(ended.json["summary"], 0), "clean": 1, "interception": 1}
    caught = next(row for row in ended.json["targets"] if row["target"] == "video.test")
    assert caught["authority"]["id"] == "test-ca"
    assert caught["confidence"] == "confirmed"
    assert caught["explanation"].startswith("INTERCEPTION: ")
    bundle = ended.json["bundle"]
    assert (bundle is None) == bool(saving)
    assert home.exists() == (not saving)
    if bundle:
        kept = scan_of(Path(bundle))
        with open_container(Path(bundle)) as container:
            assert Path(bundle).name == f"{container.root}.zip"
        assert kept["bundle"] is None  # a path tells the name of the user
        assert kept["targets"] == ended.json["targets"]


EVIL = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe\u2028CLEAN \x9b31m\u200b"


def test_a_hostile_certificate_moves_nothing(scan, serve, forger):
    port = serve(forger.site("video.test", common_name=EVIL))
    for options in ((), ("--json",)):
        ended = scan("video.test", *to("video.test", port), "--no-save", *options)
        assert ended.code == 3
        assert "owned" in ended.out
        assert not set(ended.out + ended.err) & set("\x1b\x07\u202e\u2028\x9b\u200b\x7f")


def test_a_scan_at_a_terminal(terminal, serve, genuine, tmp_path):
    words = ("--i-understand", "--store", genuine.pem, "--doh", "none", "--out", tmp_path / "out")
    port = serve(genuine.site("news.test"))
    code, seen = terminal("scan", "news.test", *to("news.test", port), *words)
    assert code == 0
    assert "news.test" in seen
    code, seen = terminal(
        "scan", "news.test", *to("news.test", port), *words[:-2], "--no-save", NO_COLOR="1", COLUMNS="60"
    )
    assert "\x1b" not in seen
    assert seen.startswith("CLEAN")


@pytest.mark.parametrize("width", ["40", "100"])
def test_the_numbers_of_a_scan_are_whole_however_narrow_a_terminal(width, terminal, serve, forger):
    port = serve(forger.site("video.test"))
    _code, seen = terminal(
        "--lang", "kk", "scan", "video.test", "--i-understand", "--no-save", "--doh", "none",
        "--no-local-roots", *to("video.test", port), "--fingerprints", forger.overlay(), COLUMNS=width,
    )  # fmt: skip
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert "1/1" in plain
    assert "1 трафикті ұстап алу" in plain
    assert ("━" in plain) == (width == "100")


def test_without_consent_nothing_happens(kzmitm, home):
    ended = kzmitm("scan", "news.test")
    assert ended.code == 4
    assert ended.err.count("\n") == 1
    assert "kzmitm consent" in ended.err
    assert not home.exists()


def test_a_sensitive_list_needs_a_word_of_its_own(process, home):
    code, out, err = process("scan", "--i-understand", "--list", "kz-2021-2024")
    assert (code, out) == (4, b"")
    assert b"--include-sensitive" in err
    assert not home.exists()


def test_a_dry_run_sends_and_writes_nothing_and_needs_no_consent(kzmitm, home):
    ended = kzmitm("scan", "--dry-run")
    assert ended.code == 0
    assert len(ended.out.splitlines()) <= 40
    listed = kzmitm("scan", "--dry-run", "--json", "b.test", "a.test").json
    assert list(listed)[:2] == ["schema", "version"]
    assert listed["targets"] == ["b.test", "a.test"]
    assert not home.exists()


MUST_SAY = (
    "--control", "--record-control", "--store", "--fingerprints", "--now", "--via", "--out", "--list",
    "--sni", "--doh", "--probe-asn", "--probe-cc",
)  # fmt: skip
"""Options that an unset variable of a script would turn off in silence."""

BAD = [
    (["a..test"], "not a host name"),
    (["a.test:70000"], "not a port"),
    (["a.test", "--list", "default"], "not both"),
    (["--list", "defautl"], "no list and no file is called defautl; did you mean default?"),
    (["a.test", "--store", "/nonexistent"], "--store: /nonexistent: No such file"),
    (["a.test", "--store", __file__], "no certificate that could be trusted"),
    (["a.test", "--fingerprints", "/nonexistent"], "/nonexistent is not a directory"),
    (["a.test", "--control", "/nonexistent"], "/nonexistent: no such control file"),
    (["a.test", "--control", __file__], "test_cli_scan.py"),
    (["a.test", "--control", "ftp://x"], "not a vantage"),
    (["a.test", "--record-control", "/nonexistent/x"], "is no folder"),
    (["a.test", "--record-control", __file__], "test_cli_scan.py"),
    (["a.test", "--record-control", "x", "--control", "y"], "contradict"),
    (["a.test", "--no-save", "--out", "x"], "contradict"),
    (["a.test", "--no-save", "--pcap"], "contradict"),
    (["a.test", "--no-save", "--seal-to", "x"], "contradict"),
    (["a.test", "--one-time-key", "--campaign", "x"], "not allowed with"),
    (["a.test", "--campaign", "X Y"], "not a name of a campaign"),
    (["a.test", "--pcap", "--via", "socks5://127.0.0.1:9"], "own connections only"),
    (["a.test", "--pcap", "--control", "http://127.0.0.1:9"], "own connections only"),
    (["a.test", "--seal-to", "AGE-SECRET-KEY-1QQQ"], "secret"),
    (["a.test", "--engine", "openssl", "--split", "tcp"], "--split works"),
    (["a.test", "--via", "carrier-pigeon:"], "not a vantage: carrier-pigeon. Use direct:"),
    (["a.test", "--connect-to", "nonsense"], "--connect-to"),
    (["a.test", "--resolve", "nonsense"], "--resolve"),
    (["a.test", "--doh", "http://x"], "--doh"),
    (["a.test", "--doh", "nonsense"], "--doh"),
    (["a.test", "--concurrency", "0"], "--concurrency: 0 is not possible"),
    (["a.test", "--concurrency", "many"], "invalid int value"),
    (["a.test", "--timeout", "nan"], "--timeout: nan is not possible"),
    (["a.test", "--timeout", "-1"], "--timeout=-1"),
    (["a.test", "--concurrency=-1"], "--concurrency: -1 is not possible"),
    (["a.test", "--concurrency", "1000000000"], "--concurrency: 1000000000 is not possible"),
    (["a.test", "--rate", "0"], "--rate"),
    (["a.test", "--rate", "inf"], "--rate"),
    (["a.test", "--now", "yesterday"], "--now: not a time"),
    (["a.test", "--probe-asn", "KAZTELECOM"], "--probe-asn"),
    (["a.test", "--probe-cc", "KAZ"], "--probe-cc"),
    (["a.test", "-4", "-6"], "not allowed with"),
    (["a.test", "--profile", "fast"], "invalid choice"),
    (["a.test", "--lang", "tlh"], "invalid choice"),
    (["a.test", "--sni", "x" * 70_000], "--sni"),
    (["a.test", "--sni", "x" * 256, "--engine", "openssl"], "--sni: not 1 to 255 octets"),
    *((["a.test", option, ""], f"{option}: nothing is given") for option in MUST_SAY),
    (["--conc", "5", "a.test"], "unrecognized arguments"),
]


@pytest.mark.parametrize(("words", "complaint"), BAD, ids=[" ".join(words)[:50] for words, _ in BAD])
def test_bad_input_gets_one_line_and_nothing_is_written(
    words, complaint, kzmitm, home, tmp_path, monkeypatch
):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    ended = kzmitm("scan", "--i-understand", *words)
    assert ended.code == 2, ended
    assert complaint in ended.err
    assert (ended.err.count("\n"), ended.out) == (1, "")
    assert not home.exists()
    assert not list(work.iterdir())


def test_results_lie_beside_each_other_and_beside_what_is_there(scan, tmp_path):
    (tmp_path / "mine").write_text("x")
    for _ in range(2):
        scan("a.test", *to("a.test", closed_port()), "--out", tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert [name[:7] for name in names] == ["bundle-", "bundle-", "mine"]
    assert (tmp_path / "mine").read_text() == "x"


@pytest.mark.parametrize("name", ["there.zip", "other.age", "there.zip/x"])
def test_a_result_of_that_name_is_not_replaced(name, scan, tmp_path):
    (tmp_path / "there.zip").write_text("x")
    ended = scan("a.test", *to("a.test", closed_port()), "--out", tmp_path / name)
    assert ended.code == 2
    assert ended.err.splitlines()[-1].count("there.zip") + ended.err.count("other.age") >= 1
    assert (tmp_path / "there.zip").read_text() == "x"


def test_the_time_of_judging_is_not_the_time_of_measuring(scan, serve, genuine):
    port = serve(genuine.site("news.test"))
    late = scan("news.test", *to("news.test", port), "--now", "2040-01-01T00:00:00Z", "--json")
    assert late.code in {0, 3}
    assert late.json["targets"][0]["outcome"] != "clean"
    assert late.json["started_at"] < "2040"
    assert late.json["options"]["judged_at"] == "2040-01-01T00:00:00Z"


def test_a_name_can_be_asked_for_that_is_not_the_targets(scan, serve, genuine):
    port = serve(genuine.site("news.test"))
    assert (
        scan("news.test", *to("news.test", port), "--sni", "other.test", "--json").json["targets"][0]["sni"]
        == "other.test"
    )
    assert (
        scan("news.test", *to("news.test", port), "--sni", "none", "--json").json["targets"][0]["sni"] is None
    )


@pytest.mark.parametrize(
    ("given", "asked"),
    [("ПОЧТА.рф", "xn--80a1acny.xn--p1ai"), ("no name", "no name"), ("\u0663..", "\u0663..")],
)
def test_odd_names_are_asked_for_as_they_are_and_names_in_other_letters_as_a_labels(
    given, asked, scan, serve, genuine
):
    port = serve(genuine.site("news.test"))
    ended = scan("news.test", *to("news.test", port), "--sni", given, "--json", "--no-save")
    assert ended.json["targets"][0]["sni"] == asked, ended.err


def test_a_name_that_the_other_engine_cannot_send_ends_no_scan(scan, serve, genuine):
    port = serve(genuine.site("news.test"), lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
    ended = scan("news.test", *to("news.test", port), "--sni", "x" * 300, "--json", "--no-save")
    assert (ended.code, ended.json["targets"][0]["sni"]) == (3, "x" * 300), ended.err


def test_a_dead_proxy_says_nothing_of_the_site(scan):
    ended = scan("news.test", "--via", f"socks5h://user:secret@127.0.0.1:{closed_port()}#there", "--json")
    assert ended.code == 3
    assert "secret" not in ended.out + ended.err
    assert ended.json["vantage"] == {
        "id": "there",
        "kind": "socks5h",
        "asn": "AS0",
        "cc": "ZZ",
        "dns": "vantage",
    }


def test_no_path_and_no_user_is_in_the_evidence(scan, serve, genuine, tmp_path):
    ended = scan(
        "news.test", *to("news.test", serve(genuine.site("news.test"))), "--out", tmp_path / "out.zip"
    )
    assert ended.code == 0
    for octets in files_of(tmp_path / "out.zip").values():
        assert genuine.pem.name.encode() not in octets
        assert str(tmp_path).encode() not in octets


def test_packets_are_kept_at_the_full_level(scan, serve, genuine, kzmitm, tmp_path):
    out = tmp_path / "out.zip"
    assert (
        scan("news.test", *to("news.test", serve(genuine.site("news.test"))), "--out", out, "--pcap").code
        == 0
    )
    octets = files_of(out)["data/full/capture.pcapng"]
    assert octets.startswith(b"\n\r\r\n")
    assert b"news.test" in octets  # the name in the hello
    assert b"salt " in octets
    assert kzmitm("verify", out).code == 0
    assert kzmitm("share", out, "--level", "partner", "--out", tmp_path / "p.zip").code == 0
    assert "data/full/capture.pcapng" not in files_of(tmp_path / "p.zip")


def test_judge_says_what_changed(scan, serve, forger, genuine, kzmitm, tmp_path):
    folder = tmp_path / "out.zip"
    assert scan("video.test", *to("video.test", serve(forger.site("video.test"))), "--out", folder).code == 3
    same = kzmitm("judge", folder, "--store", genuine.pem)
    assert same.code == 3
    assert same.out.endswith("0 of 1 verdict changed\n")
    assert same.err == ""
    other = kzmitm("judge", folder, "--store", genuine.pem, "--fingerprints", forger.overlay())
    assert other.code == 1
    assert "(before: INCONCLUSIVE)" in other.out.splitlines()[0]
    assert other.out.endswith("1 of 1 verdict changed\n")
    assert "another registry" in other.err
    document = kzmitm("judge", folder, "--store", genuine.pem, "--json").json
    SCHEMA.validate(document)
    assert document["targets"][0]["before"] == {"outcome": "inconclusive", "confidence": None}
    now_trusted = kzmitm("judge", folder, "--store", forger.pem)
    assert now_trusted.code == 0
    assert "another store" in now_trusted.err


def running_scan(*words: object, home, stdout=subprocess.PIPE):
    return subprocess.Popen(
        [sys.executable, "-m", "kzmitm", "scan", "--i-understand", "--doh", "none", *map(str, words)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "KZMITM_HOME": str(home)},
    )


def journal_of(folder, name):
    """What a running scan has written into a file of its journal."""
    found = list(folder.glob(f".journal-*/{name}"))
    return found[0].read_bytes() if found else b""


def only_bundle(folder):
    """The one bundle in a folder, in which nothing else is left."""
    (bundle,) = folder.iterdir()
    return bundle


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_scan_that_is_stopped_ends_within_a_second_with_everything_saved(
    number, serve, authority, home, tmp_path, kzmitm
):
    forger, genuine = authority("Odd Root"), authority("Test Root")
    out = tmp_path / "out"
    silent, forged = serve(), serve(forger.site("video.test"))
    child = running_scan(
        "video.test", "silent.test", "third.test", *to("video.test", forged), *to("silent.test", silent),
        *to("third.test", silent), "--store", genuine.pem, "--fingerprints", forger.overlay(), "--out", out,
        "--concurrency", 1, home=home,
    )  # fmt: skip
    wait_until(lambda: journal_of(out, "measurements.jsonl").count(b"\n") == 1)
    stopped_at = time.monotonic()
    child.send_signal(number)
    _out, err = child.communicate(timeout=10)
    # It promises one second; the rest is for a busy machine. Waiting for the silent site would take ten.
    assert time.monotonic() - stopped_at < 4
    assert child.returncode == 1, err  # interception was found before
    assert b"were measured" in err
    document = scan_of(only_bundle(out))
    assert document["complete"] is False
    assert document["finished_at"] is not None
    assert document["summary"]["interception"] == 1
    assert kzmitm("show", only_bundle(out)).code == 1


def test_a_reader_that_leaves_ends_the_scan_with_everything_saved(serve, authority, tmp_path, home):
    genuine, out = authority("Test Root"), tmp_path / "out"
    port = serve(genuine.site("a.test"))
    (tmp_path / "list").write_text("a.test\n" + "".join(f"{n}.test\n" for n in range(500)))
    child = running_scan(
        "--list", tmp_path / "list", "--store", genuine.pem, "--connect-to", f"a.test:443:127.0.0.1:{port}",
        "--connect-to", f":443:127.0.0.1:{closed_port()}", "--concurrency", 1, "--rate", 50, "--out", out,
        home=home,
    )  # fmt: skip
    assert child.stdout.readline().startswith(b"CLEAN")
    child.stdout.close()
    child.stdout = None
    _out, err = child.communicate(timeout=20)
    assert b"Traceback" not in err
    assert child.returncode == 3
    document = scan_of(only_bundle(out))
    assert document["complete"] is False
    assert 1 <= len(document["targets"]) < 500


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("name", "words", "code"),
    [("video.test", (), 1), ("video.test", ("--json",), 1), ("gone.test", (), 3)],
)
def test_a_full_stdout_costs_no_result(name, words, code, serve, forger, tmp_path):
    """What was measured is kept, and one line says why nothing was shown."""
    out, port = tmp_path / "out", serve(forger.site("video.test"))
    with Path("/dev/full").open("wb") as full:
        child = running_scan(
            name, *to("video.test", port), *to("gone.test", closed_port()), "--out", out, *words,
            "--fingerprints", forger.overlay(), home=tmp_path / "home", stdout=full,
        )  # fmt: skip
        _out, err = child.communicate(timeout=20)
    assert child.returncode == code, err
    assert err.count(b"No space left on device") == 1
    assert b"standard output could not be written: No space left on device" in err
    assert len(scan_of(only_bundle(out))["targets"]) == 1


def test_a_stopped_scan_without_a_finding_is_3(serve, home, tmp_path):
    out = tmp_path / "out"
    child = running_scan("silent.test", *to("silent.test", serve()), "--out", out, home=home)
    wait_until(lambda: journal_of(out, "journal.json"))
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=10)
    assert child.returncode == 3


def test_options_may_stand_between_targets(scan, serve, genuine):
    port = serve(genuine.site("news.test"))
    words = ("news.test", "--no-save", "b.test", *to("news.test", port), "--json", "c.test")
    rows = scan(*words, *to("b.test", port), *to("c.test", port)).json["targets"]
    assert {row["target"] for row in rows} == {"news.test", "b.test", "c.test"}


def test_what_looks_like_an_option_behind_two_dashes_is_a_target(scan):
    ended = scan("--dry-run", "--", "-x.test")
    assert "not a host name: '-x.test'" in ended.err


def test_a_full_disk_hides_no_finding(scan, serve, genuine, forger, tmp_path, monkeypatch):
    """The finding is told although nothing can be kept of it, and so is that the result is not whole."""

    def full(descriptor, octets):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = tmp_path / "out"
    port = serve(forger.site("video.test"))
    monkeypatch.setattr("kzmitm.evidence.files.os.write", full)
    words = ("video.test", *to("video.test", port), "--fingerprints", forger.overlay(), "--out", folder)
    ended = scan(*words)
    assert ended.code == 1
    assert ended.out.startswith("INTERCEPTION  video.test")
    assert "1 target: 1 interception" in ended.out
    assert "the result could not be written: No space left on device" in ended.err
    assert "What was written before that is kept" in ended.err
    assert (scan(*words[:-1], tmp_path / "other", "--json").code, ended.err.count("Traceback")) == (1, 0)


def test_a_full_disk_is_no_all_clear(scan, serve, genuine, tmp_path, monkeypatch):
    def full(path, chunks, *, durable=True):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("kzmitm.evidence.control.replace_file", full)
    port = serve(genuine.site("news.test"))
    ended = scan("news.test", *to("news.test", port), "--no-save", "--record-control", tmp_path / "c")
    assert (ended.code, ended.out.splitlines()[0]) == (3, "CLEAN         news.test")
    assert "the control could not be written: No space left on device" in ended.err


def test_a_control_that_compares_nothing_is_told(scan, serve, genuine, tmp_path):
    port, control = serve(genuine.site("news.test")), tmp_path / "control.json"
    told = "nothing was compared"
    assert scan("a.test", *to("a.test", closed_port()), "--no-save", "--record-control", control).code == 3
    words = ("news.test", *to("news.test", port), "--no-save", "--control")
    assert told in scan(*words, control).err
    assert told in scan(*words, f"socks5h://127.0.0.1:{closed_port()}").err
    assert scan("news.test", *to("news.test", port), "--no-save", "--record-control", control).code == 0
    assert told not in scan(*words, control).err
