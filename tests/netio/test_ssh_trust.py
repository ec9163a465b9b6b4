"""Who is let in by a real sshd, and which server is trusted."""

import asyncio
import os
import shutil
import subprocess
import sys

import pytest
from sshd import make_key, needs_sshd, running_sshd
from test_netio_proxies import LIMITS, PROXY_FAILED, free_port, shake_through

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint
from kzmitm.netio.vantage import ProxyError, open_vantage

pytestmark = needs_sshd


@pytest.fixture
def server(tmp_path):
    with running_sshd(tmp_path) as running:
        yield running


async def through(link, *endpoints: Endpoint, limits=LIMITS):
    """Handshakes one after the other; the link is closed at the end."""
    try:
        return [await shake_through(link, endpoint, limits=limits) for endpoint in endpoints]
    finally:
        await link.aclose()


def refusal(uri):
    """The reason for which a link is not ready, and what to do."""
    link = open_vantage(uri)

    async def check():
        with pytest.raises(ProxyError) as caught:
            await link.ready()
        await link.aclose()
        return caught.value

    error = asyncio.run(check())
    words = f"{error.reason} {error.hint}"
    assert "\n" not in words
    assert "127.0.0.1" not in words
    assert error.hint
    return error.reason


def test_an_unknown_server_is_refused(server):
    server.known_hosts.write_text("")
    assert "not in known_hosts" in refusal(server.uri())
    assert server.known_hosts.read_text() == ""


def test_a_changed_key_is_refused(server):
    make_key(server.folder / "other")
    server.know("other")
    assert "not the one in known_hosts" in refusal(server.uri())


def test_a_revoked_key_is_refused(server):
    known = server.known_hosts.read_text()
    server.known_hosts.write_text(known + "@revoked * " + known.partition(" ")[2])
    assert "not the one in known_hosts" in refusal(server.uri())


def test_nobodys_settings_make_it_trust_anybody(server, tmp_path, monkeypatch):
    """With asyncssh's own defaults, this file would switch the check off."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text("Host *\n  UserKnownHostsFile none\n  StrictHostKeyChecking no\n")
    shutil.copy(server.folder / "user", home / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    uri = server.uri().partition("?")[0]
    assert "not in known_hosts" in refusal(uri)
    shutil.copy(server.known_hosts, home / ".ssh" / "known_hosts")
    asyncio.run(ready_and_close(open_vantage(uri)))


async def ready_and_close(link):
    await link.ready()
    await link.ready()  # at once: it is logged in
    await link.aclose()


def test_keys_of_the_agent(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE)
    try:
        agent.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        uri = server.uri().partition("?")[0] + f"?known_hosts={server.known_hosts}"
        assert "none of our keys" in refusal(uri)
        subprocess.run(["ssh-add", "-q", str(server.folder / "user")], check=True, env=os.environ)
        asyncio.run(ready_and_close(open_vantage(uri)))
    finally:
        agent.terminate()
        agent.wait()
        agent.stdout.close()


def test_keys_that_do_not_help(server):
    make_key(server.folder / "stranger")
    assert "none of our keys" in refusal(server.uri(key="stranger"))
    make_key(server.folder / "locked", passphrase="secret")
    assert "needs a passphrase" in refusal(server.uri(key="locked"))
    assert "cannot be read" in refusal(server.uri(key="nowhere"))


def test_no_server_there(tmp_path):
    uri = f"ssh://127.0.0.1:{free_port()}?known_hosts={tmp_path}/none"
    assert refusal(uri) == "the ssh server cannot be reached"
    [seen] = asyncio.run(through(open_vantage(uri), Endpoint("192.0.2.1", 443)))
    assert seen[0].connect_failure == PROXY_FAILED


def test_without_asyncssh_it_says_what_to_install(monkeypatch):
    for name in ("_ssh", "_ssh_login", "_ssh_bridge"):
        monkeypatch.delitem(sys.modules, f"kzmitm.netio.links.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(UsageError, match="asyncssh") as caught:
        open_vantage("ssh://host")
    assert "kzmitm[ssh]" in caught.value.hint


@pytest.mark.parametrize(
    "uri",
    [
        "ssh://",
        "ssh:host",
        "ssh://user:secret@host",
        "ssh://:secret@host",
        "ssh://host/path",
        "ssh://host:0",
        "ssh://host?secret",
        "ssh://host?password=secret",
        "ssh://host?key=",
        "ssh://host?key=secret&key=secret",
        "ssh://@host",
        "ssh://secret\n@host?key",
    ],
)
def test_bad_uris(uri):
    with pytest.raises(UsageError) as caught:
        open_vantage(uri)
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    assert "\n" not in str(caught.value)


def test_representations_tell_nothing():
    link = open_vantage("ssh://someone@host.example:2222?key=/home/x/key#far")
    assert link.vantage.id == "far"
    for word in ("someone", "host.example", "2222", "/home"):
        assert word not in f"{link!r} {link.address!r}"
