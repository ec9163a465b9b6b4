"""`scan --via` through vantages that are real, and that are not as they should be."""

import json
import sys
from pathlib import Path

import pytest
from test_cli_scan import scan, to

sys.path.insert(0, str(Path(__file__).parents[1] / "netio"))

from sshd import needs_sshd, running_sshd

__all__ = ["scan"]


@needs_sshd
def test_a_scan_through_ssh(scan, serve, genuine, tmp_path):
    port = serve(genuine.site("news.test"))
    with running_sshd(tmp_path) as server:
        ended = scan("news.test", *to("news.test", port), "--via", f"{server.uri()}#far", "--json")
    assert ended.code == 0
    document = json.loads(ended.out)
    assert document["vantage"]["id"] == "far"
    assert (document["vantage"]["kind"], document["vantage"]["dns"]) == ("ssh", "vantage")
    assert "ssh://" not in ended.out
    assert "known_hosts" not in ended.out


@needs_sshd
def test_a_second_vantage_over_ssh_decides(scan, serve, genuine, forger, tmp_path):
    """Here and there the same is seen: the control says nothing against it."""
    port = serve(genuine.site("news.test"))
    with running_sshd(tmp_path) as server:
        ended = scan("news.test", *to("news.test", port), "--control", server.uri())
    assert ended.code == 0


@needs_sshd
def test_a_server_whose_key_is_not_known_is_refused_before_anything_is_written(scan, home, tmp_path):
    with running_sshd(tmp_path) as server:
        server.known_hosts.write_text("")
        ended = scan("news.test", "--via", server.uri())
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "the ssh server's key is not in known_hosts" in ended.err
    assert "127.0.0.1" not in ended.err
    assert not list(home.rglob("*.zip"))
    assert not list(home.rglob("*journal*"))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("interface:nosuchif0", "there is no interface nosuchif0"),
        ("netns:no-such-namespace", "there is no such namespace"),
        ("ssh://user:secret@127.0.0.1", "a password is not taken"),
        ("tor:secret@x", "a host and a port only"),
    ],
)
@pytest.mark.parametrize("option", ["--via", "--control"])
def test_vantages_that_cannot_be_used(scan, uri, words, option):
    ended = scan("news.test", option, uri)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert words in ended.err
    assert "secret" not in ended.err


@pytest.mark.parametrize("option", ["--via", "--control"])
def test_a_server_that_is_down_is_no_mistake_of_the_command(scan, option, home):
    """Nothing could be measured: a script tries again later, and does not look for what it said wrongly."""
    ended = scan("news.test", option, "ssh://127.0.0.1:1")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.count("\n") == 1
    assert "the ssh server cannot be reached" in ended.err
    assert not list(home.rglob("*.zip"))


def test_other_verbs_that_measure_say_so_too(kzmitm):
    ended = kzmitm("traits", "news.test", "--via", "ssh://127.0.0.1:1", "--i-understand")
    assert (ended.code, ended.err.count("\n")) == (3, 1)


def test_an_interface(scan, serve, genuine):
    ended = scan(
        "news.test", *to("news.test", serve(genuine.site("news.test"))), "--via", "interface:lo", "--json"
    )
    assert ended.code == 0
    assert json.loads(ended.out)["vantage"]["kind"] == "interface"
