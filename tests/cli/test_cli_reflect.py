"""`kzmitm reflect` towards real servers on loopback: fit and unfit, forged, cut, stopped and gone on with."""

import json
import signal
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator
from sni_servers import box

from kzmitm.errors import UsageError
from kzmitm.evidence.schema import schema_text
from kzmitm.model.reflection import Reflector
from kzmitm.pki.registry import parse_registry
from kzmitm.reflectors import MAX_FILE, MAX_REFLECTORS, read_reflectors
from kzmitm.resources import fingerprint_files

__all__ = ["box"]

SCHEMA = Draft202012Validator(json.loads(schema_text("reflect")))
OPTIONS = ("--i-understand", "--doh", "none", "--gap", "0", "--timeout", "3", "--rate", "1000")


@pytest.fixture
def lists(tmp_path):
    """Write a list of servers and one of names; the words that name them."""

    def write(servers, names="video.test\nradio.test\n", control="control.test"):
        (tmp_path / "servers.txt").write_text(servers)
        (tmp_path / "names.txt").write_text(names)
        words = ["--reflectors", tmp_path / "servers.txt", "--sni", tmp_path / "names.txt"]
        return [*words, "--control-name", control] if control else words

    return write


@pytest.fixture
def run(kzmitm, genuine):
    return lambda *words: kzmitm("reflect", *words, *OPTIONS, "--store", genuine.pem)


def test_servers_tell_what_is_between(run, lists, box, genuine, forger):
    fit = box(genuine.site("fit.test"), {"video.test": forger.site("fit.test")}, cut=["radio.test"])
    unfit = box(forger.site("own.test"))
    quiet = box(genuine.site("quiet.test"))
    gone = box(genuine.site("gone.test"))
    gone.close()
    words = lists(
        f"fit.test:{fit.port} 127.0.0.1 AS9198  # with a comment\n\n"
        f"own.test:{unfit.port},127.0.0.1,as9198\n"
        f"quiet.test:{quiet.port} AS64500 127.0.0.1\n"
        f"gone.test:{gone.port} 127.0.0.1\n"
    )
    words += ["--fingerprints", forger.overlay()]
    ended = run(*words, "--json")
    assert ended.code == 1, ended.err
    SCHEMA.validate(ended.json)
    by_name = {each["reflector"]["hostname"]: each for each in ended.json["reflectors"]}
    assert {name: each["fitness"] for name, each in by_name.items()} == {
        "fit.test": "fit",
        "own.test": "not_valid",
        "quiet.test": "fit",
        "gone.test": "no_answer",
    }
    video, radio = by_name["fit.test"]["names"]
    assert (video["outcome"], video["asked"], video["authority"]) == ("forged", 2, "test-ca")
    assert len(video["chain"]) == 2
    assert (radio["outcome"], radio["kind"], radio["chain"]) == ("blocked", "reset", [])
    assert [each["outcome"] for each in by_name["quiet.test"]["names"]] == ["unaffected"] * 2
    networks = {each["asn"]: each for each in ended.json["networks"]}
    assert (networks[9198]["name"], networks[9198]["intercepted"], networks[9198]["blocked"]) == (
        "Kazakhtelecom",
        1,
        1,
    )
    assert networks[9198]["forged_names"] == [["video.test", 1]]
    assert (networks[64500]["name"], networks[0]["fit"]) == ("", 0)
    # The own name first, then the control, the watched names, and the control again after the cut.
    assert fit.asked == ["fit.test", "control.test", "video.test", "video.test", "control.test"]
    assert unfit.asked == ["own.test"]
    text = run(*words)
    lines = text.out.splitlines()
    assert any(line.startswith("FORGED  fit.test") and line.endswith("by test-ca") for line in lines)
    assert any(line.startswith("not used  own.test") and "not publicly valid" in line for line in lines)
    assert any(line.startswith("unaffected  quiet.test") for line in lines)
    assert "  AS9198 Kazakhtelecom: 2 servers, 1 fit, 1 with forgeries, 1 with names cut off" in lines
    assert "    forged: video.test (1)" in lines
    assert "  network not given: 1 server, 0 fit, 0 with forgeries, 0 with names cut off" in lines


def test_names_that_are_cut_off_are_no_interception(run, lists, box, genuine):
    server = box(genuine.site("fit.test"), cut=["video.test"])
    words = lists(f"fit.test:{server.port} 127.0.0.1\n", "video.test\n")
    ended = run(*words)
    assert ended.code == 3
    assert "BLOCKED  fit.test" in ended.out


def test_unaffected_servers_end_well(run, lists, box, genuine):
    server = box(genuine.site("fit.test"))
    assert run(*lists(f"fit.test:{server.port} 127.0.0.1\n")).code == 0
    assert run(*lists("gone.test:9 127.0.0.1\n")).code == 3


def test_a_control_of_the_registry_serves_where_none_is_given(run, lists, box, genuine):
    server = box(genuine.site("fit.test"))
    ended = run(*lists(f"fit.test:{server.port} 127.0.0.1\n", control=None), "--json")
    assert ended.json["control"] == server.asked[1]
    assert "." in ended.json["control"]


def test_what_is_kept_is_not_asked_again(run, lists, box, genuine, tmp_path):
    one, other = box(genuine.site("one.test")), box(genuine.site("other.test"))
    out = tmp_path / "result.json"
    assert run(*lists(f"one.test:{one.port} 127.0.0.1\n"), "--out", out).code == 0
    asked = len(one.asked)
    servers = f"one.test:{one.port} 127.0.0.1\nother.test:{other.port} 127.0.0.1\n"
    ended = run(*lists(servers), "--out", out, "--json")
    assert (ended.code, len(one.asked), len(other.asked)) == (0, asked, 4)
    assert ended.json == json.loads(out.read_text())
    assert [each["fitness"] for each in ended.json["reflectors"]] == ["fit", "fit"]
    refused = run(*lists(servers, "another.test\n"), "--out", out)
    assert (refused.code, refused.out) == (2, "")
    assert "is of other names or another control" in refused.err


OTHER_KIND = '{"schema": 1, "names": [], "control": "", "reflectors": []}'


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "kzmitm.reflect/1.0"}', OTHER_KIND])
def test_other_files_are_not_overwritten(run, lists, content, tmp_path):
    out = tmp_path / "result.json"
    out.write_text(content)
    ended = run(*lists("fit.test 127.0.0.1\n"), "--out", out)
    assert (ended.code, ended.out, out.read_text()) == (2, "", content)
    assert "--out" in ended.err


def test_ctrl_c_keeps_what_was_measured(lists, box, serve, genuine, tmp_path):
    server, silent = box(genuine.site("fit.test")), serve()
    out = tmp_path / "result.json"
    words = lists(f"fit.test:{server.port} 127.0.0.1\nsilent.test:{silent} 127.0.0.1\nlater.test 127.0.0.1\n")
    command = [sys.executable, "-m", "kzmitm", "reflect", *map(str, words), "--out", str(out)]
    command += ["--i-understand", "--doh", "none", "--gap", "0", "--concurrency", "1", "--rate", "1000"]
    command += ["--store", str(genuine.pem), "--timeout", "60"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("unaffected  fit.test")
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 3
    assert "stopped; 2 of 3 servers are left" in said
    document = json.loads(out.read_text())
    SCHEMA.validate(document)
    assert document["complete"] is False
    assert [each["fitness"] for each in document["reflectors"]] == ["fit", "not_asked", "not_asked"]


# --- the list


def listed(tmp_path, content):
    path = tmp_path / "servers.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_reflectors(path)


def test_a_list_is_read_with_its_addresses_and_networks(tmp_path):
    assert listed(tmp_path, "\ufeffA.test\r\nb.test:8443 2001:db8::1 AS64500\nA.test\n# c.test\n") == (
        Reflector(hostname="a.test"),
        Reflector(hostname="b.test", port=8443, address="2001:db8::1", asn=64500),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "names no server"),
        ("a.test\nb..test\n", r"servers.txt:2: not a host name"),
        ("192.0.2.1 AS1\n", "needs a name"),
        ("a.test AS1 AS2\n", "neither an address nor a network number: 'AS2'"),
        ("a.test 192.0.2.1 192.0.2.2\n", "neither an address"),
        ("a.test 9198\n", "neither an address"),
        ("".join(f"s{i}.test\n" for i in range(MAX_REFLECTORS + 1)), "more than 10000 servers"),
        (b" " * (MAX_FILE + 1), "larger than 4 MiB"),
    ],
    ids=["nothing", "host", "address only", "two networks", "two addresses", "bare number", "many", "large"],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path, content, said):
    with pytest.raises(UsageError, match=said):
        listed(tmp_path, content)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reflectors", "/nonexistent/list"), "No such file"),
        (("--concurrency", "0"), "--concurrency"),
        (("--control-name", "video.test"), "a control name is needed"),
    ],
)
def test_mistakes_are_one_line(run, lists, words, said):
    ended = run(*lists("fit.test 127.0.0.1\n"), *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_too_many_names(run, lists):
    ended = run(*lists("fit.test 127.0.0.1\n", "".join(f"n{i}.test\n" for i in range(101))))
    assert (ended.code, "101 names" in ended.err) == (2, True)


def test_sensitive_lists_are_asked_for_on_purpose_only(run, lists, registry_lists):
    words = lists("fit.test 127.0.0.1\n")
    words[3] = registry_lists
    ended = run(*words)
    assert (ended.code, ended.out) == (4, "")
    assert f"the list {registry_lists} exposes who asks for it" in ended.err


@pytest.fixture
def registry_lists():
    """A sensitive list of the shipped registry that is short enough."""
    lists = parse_registry(fingerprint_files()).watchlists.values()
    return next(each.id for each in lists if each.sensitive and len(each.names) <= 100)
