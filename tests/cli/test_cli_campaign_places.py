"""Campaigns at places far away: servers set up, signed files run alone, shares packed and merged."""

import json
import re
import shutil
import signal
import stat
import subprocess
import sys

import pytest

from kzmitm.evidence.signing.keys import campaign_key

CAMPAIGN = """[campaign]
name = "camp"
contact = "nobody@example.org"
[targets]
names = ["one.example", "two.example"]
[controls]
every = 0
[collect]
follow_ups = false
families = [4]
doh = false
[limits]
endpoint_gap = "0s"
[hooks]
on_finding = ["touch", "{folder}/ran"]
[[vantages]]
name = "a"
uri = "{uri}"
[[vantages]]
name = "b"
uri = "{uri}"
"""


@pytest.fixture
def campaign(tmp_path):
    path = tmp_path / "camp.toml"
    path.write_text(CAMPAIGN.format(folder=tmp_path, uri="worker:"))
    return path


@pytest.fixture
def site(genuine, serve):
    """What leads both names to a genuine site here."""
    ports = {name: serve(genuine.site(name)) for name in ("one.example", "two.example")}
    words = [
        word for name, port in ports.items() for word in ("--connect-to", f"{name}:443:127.0.0.1:{port}")
    ]
    return (*words, "--store", genuine.pem, "--i-understand")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_server_is_set_up(kzmitm, campaign, tmp_path):
    out = tmp_path / "server"
    done = kzmitm("campaign", "serve-config", campaign, "--out", out)
    assert done.code == 0, done.err
    credentials = sorted(path.name for path in out.glob("*.creds"))
    assert credentials == ["coordinator.creds", "worker-a.creds", "worker-b.creds"]
    assert all(mode(path) == 0o600 for path in out.iterdir())
    config = (out / "nats-server.conf").read_text()
    for path in out.glob("*.creds"):
        seed = re.search(r"^SU[A-Z2-7]{56}$", path.read_text(), re.MULTILINE)[0]
        assert seed not in config
    if shutil.which("nats-server"):
        checked = subprocess.run(
            ["nats-server", "-t", "-c", out / "nats-server.conf"], capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
    again = kzmitm("campaign", "serve-config", campaign, "--out", out)
    assert again.code == 0
    assert (out / "nats-server.conf").read_text() == config


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--listen", "192.0.2.1:4222"), "--tls-cert"),
        (("--listen", "nonsense"), "HOST:PORT"),
        (("--tls-cert", "x"), "go together"),
    ],
)
def test_a_server_that_others_could_listen_to_is_not_set_up(kzmitm, campaign, tmp_path, words, what):
    done = kzmitm("campaign", "serve-config", campaign, "--out", tmp_path / "server", *words)
    assert done.code == 2
    assert what in done.err
    assert not (tmp_path / "server").exists()


def test_workers_need_a_server_or_a_place(kzmitm, campaign, tmp_path):
    done = kzmitm("campaign", "run", campaign, "--out", tmp_path / "out", "--i-understand")
    assert done.code == 2
    assert "--server" in done.err
    assert not (tmp_path / "out").exists()


def test_a_check_knows_workers(kzmitm, campaign):
    assert [each["kind"] for each in kzmitm("campaign", "check", campaign, "--json").json["vantages"]] == [
        "worker",
        "worker",
    ]


def creds(tmp_path, text, permissions=0o600):
    path = tmp_path / "creds"
    path.write_text(text)
    path.chmod(permissions)
    return path


GOOD = "# campaign camp\n# vantage a\nu:p\n"


@pytest.mark.parametrize(
    ("text", "words", "what"),
    [
        (GOOD, ("--server", "tls://192.0.2.1", "--vantage", "b"), "are for a"),
        (GOOD, ("--server", "nats://192.0.2.1"), "TLS"),
        ("nonsense", ("--server", "nats://127.0.0.1:1"), "no credentials"),
        (
            "SUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
            ("--server", "nats://127.0.0.1:1"),
            "seed",
        ),
        ("u:p\n", ("--server", "nats://127.0.0.1:1"), "--campaign"),
        (GOOD, ("--server", "nats://127.0.0.1:1", "--rate", "0"), "--rate"),
        (GOOD, ("--server", "nats://127.0.0.1:1", "--concurrency", "0"), "--concurrency"),
        (GOOD, ("--server", "tls://127.0.0.1:1", "--ca", "/nowhere"), "--ca"),
        (GOOD, ("--server", "nats://127.0.0.1:1", "--key", "/nowhere"), "--key"),
    ],
)
def test_a_worker_that_cannot_be(kzmitm, tmp_path, text, words, what):
    done = kzmitm("worker", "--creds", creds(tmp_path, text), "--i-understand", *words)
    assert done.code == 2
    assert what in done.err


def test_a_worker_needs_consent_and_its_secrets_kept(kzmitm, tmp_path):
    words = ("worker", "--server", "nats://127.0.0.1:1", "--creds")
    assert kzmitm(*words, creds(tmp_path, GOOD)).code == 4
    open_to_all = kzmitm(*words, creds(tmp_path, GOOD, 0o644), "--i-understand")
    assert open_to_all.code == 2
    assert "chmod 600" in open_to_all.err


def test_a_worker_waits_for_its_server_and_can_be_stopped(tmp_path, home):
    words = ("worker", "--server", "nats://127.0.0.1:1", "--creds", creds(tmp_path, GOOD), "--i-understand")
    child = subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *map(str, words)], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    said = b""
    while b"cannot be reached" not in said:
        line = child.stderr.readline()
        assert line, said
        said += line
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=10) == 0
    child.stderr.close()
    assert b"camp, as a:" in said
    assert b"signed by ssh-ed25519 " in said


def exported(kzmitm, campaign, tmp_path):
    path = tmp_path / "plan.kzc"
    done = kzmitm("campaign", "export", campaign, "--sign-with", "owner", "--out", path)
    assert done.code == 0, done.err
    return path, re.search(r"SHA256:\S+", done.err)[0]


def test_places_without_a_link_run_alone_and_are_merged(kzmitm, campaign, tmp_path, site, genuine):
    plan, signer = exported(kzmitm, campaign, tmp_path)
    shares = []
    for vantage in ("a", "b"):
        folder = tmp_path / vantage
        done = kzmitm(
            "campaign",
            "run",
            plan,
            "--signer",
            signer,
            "--vantage",
            vantage,
            "--out",
            folder,
            *site,
            "--json",
        )
        assert done.code == 0, done.err
        assert [each["vantage"] for each in done.json["shares"]] == [vantage]
        assert kzmitm("campaign", "status", folder).code == 0
        share = tmp_path / f"{vantage}.zip"
        done = kzmitm("campaign", "pack", folder, "--sign-with", f"place-{vantage}", "--out", share)
        assert done.code == 0, done.err
        shares.append(share)
    assert not (tmp_path / "ran").exists()
    for number, order in enumerate((shares, shares[::-1])):
        out = tmp_path / f"out{number}"
        words = ("campaign", "merge", *order, "--plan", campaign, "--out", out, "--store", genuine.pem)
        done = kzmitm(*words, "--json")
        assert done.code == 0, done.err
        assert done.json["taken"] == 4
        assert done.json["refused"] == []
        assert {json.dumps(each["outcomes"]) for each in done.json["shares"]} == {'{"clean": 2}'}
        assert len(done.json["signers"]) == 2
    assert kzmitm(*words).code == 2  # the folder is not empty


def test_a_signed_file_is_run_only_for_those_whose_key_is_known(kzmitm, campaign, tmp_path, home):
    plan, signer = exported(kzmitm, campaign, tmp_path)
    words = ("campaign", "run", plan, "--vantage", "a", "--out", tmp_path / "out", "--i-understand")
    stranger = kzmitm(*words)
    assert stranger.code == 2
    assert signer in stranger.err
    assert kzmitm(*words, "--signer", f"SHA256:{'A' * 43}").code == 2
    assert not (tmp_path / "out").exists()
    key, is_new = campaign_key(home / "keys", "owner")
    assert not is_new
    (home / "known_signers").write_text(f'owner namespaces="kzmitm-campaign@v1" {key.public.line}\n')
    nowhere = kzmitm(*words, "--connect-to", "::127.0.0.1:1")
    assert nowhere.code == 0, nowhere.err


@pytest.mark.parametrize("at", [10, 200, -20])
def test_a_signed_file_that_was_changed_is_refused(kzmitm, campaign, tmp_path, at):
    plan, signer = exported(kzmitm, campaign, tmp_path)
    octets = bytearray(plan.read_bytes())
    octets[at] ^= 1
    plan.write_bytes(octets)
    done = kzmitm("campaign", "run", plan, "--signer", signer, "--vantage", "a", "--i-understand")
    assert done.code == 2


def test_ssh_keygen_checks_a_signed_file(kzmitm, campaign, tmp_path, home):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    plan, _ = exported(kzmitm, campaign, tmp_path)
    line, _, signature = plan.read_bytes().partition(b"\n")
    (tmp_path / "sig").write_bytes(signature)
    key, _ = campaign_key(home / "keys", "owner")
    (tmp_path / "allowed").write_text(f"owner {key.public.line}\n")
    words = ("-Y", "verify", "-f", tmp_path / "allowed", "-I", "owner", "-n", "kzmitm-campaign@v1")
    done = subprocess.run(
        ["ssh-keygen", *words, "-s", tmp_path / "sig"], input=line + b"\n", capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_the_extra_the_command_starts_and_says_what_is_missing(campaign, tmp_path):
    start = (
        "import sys; sys.modules.update(nats=None, zstandard=None)\n"
        "from kzmitm.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )

    def run(*words: object):
        return subprocess.run(
            [sys.executable, "-c", start, *map(str, words)], capture_output=True, text=True, check=False
        )

    assert run("--help").returncode == 0
    where = ("--server", "nats://127.0.0.1:1", "--creds", creds(tmp_path, GOOD))
    for words in (
        ("worker", *where),
        ("campaign", "run", campaign, "--out", tmp_path / "o", *where),
        ("campaign", "run", campaign, "--vantage", "a", "--out", tmp_path / "o", "--i-understand"),
    ):
        done = run(*words)
        assert done.returncode == 2, done.stderr
        assert "kzmitm[campaign]" in done.stderr
