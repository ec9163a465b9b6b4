"""Campaigns from the command line: measured from real servers, stopped and gone on with, told of."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import zstandard

EXAMPLES = Path(__file__).parents[2] / "examples"
FILE = """\
[campaign]
name = "weekly"
contact = "someone@example.org"
seed = 3

[targets]
names = [{names}]

[controls]
names = ["control.test"]
every = 3

{vantages}
[rounds]
count = {rounds}
every = "100ms"

[limits]
rate = 500
endpoint_gap = "1ms"
endpoint_concurrency = 20
network_concurrency = 20
timeout = "3s"
attempts = 2

[collect]
families = [4]
doh = false
follow_ups = false

[stop]
vantage_failures = 3
{more}"""


@pytest.fixture
def write(tmp_path):
    def make(names=("a.test", "b.test"), *, rounds=1, vantages='[[vantages]]\nname = "here"\n', more=""):
        path = tmp_path / "weekly.toml"
        listed = ", ".join(f'"{name}"' for name in names)
        path.write_text(FILE.format(names=listed, rounds=rounds, vantages=vantages, more=more))
        return path

    return make


def resolve(port):
    return "--connect-to", f":443:127.0.0.1:{port}"


def lines_of(folder, number=1, vantage="here"):
    octets = b"".join(
        path.read_bytes() for path in sorted((folder / f"rounds/{number:04d}/{vantage}").glob("*.zst"))
    )
    text = zstandard.ZstdDecompressor().stream_reader(octets, read_across_frames=True).read()
    return [json.loads(line) for line in text.splitlines()]


def test_check_explains_and_sends_nothing(kzmitm, write):
    path = write(("a.test", "b.test", "c.test"), rounds=3)
    done = kzmitm("campaign", "check", path)
    assert done.code == 0
    assert done.out.startswith("weekly\n3 targets and 1 control from 1 vantage, 3 rounds\n")
    told = kzmitm("campaign", "check", path, "--json").json
    assert told["schema"] == "kzmitm.campaign-plan/1.0"
    assert told["estimate"]["connections"] == 4
    assert told["vantages"] == [{"name": "here", "kind": "direct"}]


def test_check_tells_what_holds_who_hears_of_it_and_what_is_kept(kzmitm):
    told = kzmitm("campaign", "check", EXAMPLES / "two-continents.toml")
    assert "Of these limits each of 4 places has an equal part" in told.out
    assert "To one network at once at most 6." in told.out
    assert "To one network at most 3 a second." in told.out
    assert "What is found is put into signed bundles, level full." in told.out
    assert "Measurements of the last 2 rounds are kept" in told.out
    document = kzmitm("campaign", "check", EXAMPLES / "two-continents.toml", "--json").json
    assert document["places"] == 4
    assert document["asked_besides"] == {"resolver": "1.1.1.1", "location": None, "webhook": None}


def test_check_tells_the_hosts_that_hear_of_it_and_no_secret_of_theirs(kzmitm, write):
    more = (
        '[hooks]\nwebhook = "https://hook.example/secret-token"\n'
        '[networks]\nlocate = "https://where.example/trace"\n'
    )
    told = kzmitm("campaign", "check", write(more=more)).out
    assert "hook.example is told of what changed" in told
    assert "where.example is asked through every vantage" in told
    assert "secret" not in told


def test_check_names_every_mistake_by_line(kzmitm, write):
    path = write(more="\n[limitz]\n")
    path.write_text(path.read_text().replace("seed = 3", "seed = true"))
    done = kzmitm("campaign", "check", path)
    assert done.code == 2
    assert not done.out
    assert f"{path}:4: campaign.seed: must be a whole number" in done.err
    assert "limitz: no such key; did you mean limits?" in done.err


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('names = ["a.test", "b.test"]', 'lists = ["nolist"]', "no list is called nolist"),
        ('names = ["a.test", "b.test"]', 'files = ["gone.txt"]', "gone.txt"),
        ('names = ["a.test", "b.test"]', 'names = ["not a host"]', "not a host"),
    ],
    ids=["list", "file", "name"],
)
def test_what_the_file_names_must_be_there(kzmitm, write, old, new, complaint):
    path = write()
    path.write_text(path.read_text().replace(old, new))
    done = kzmitm("campaign", "check", path)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_sensitive_lists_are_asked_for_by_name(kzmitm, write):
    path = write()
    path.write_text(path.read_text().replace('names = ["a.test", "b.test"]', 'lists = ["kz-2021-2024"]'))
    first = kzmitm("campaign", "check", path)
    path.write_text(path.read_text().replace("[controls]", "sensitive = true\n[controls]", 1))
    second = kzmitm("campaign", "check", path)
    assert (first.code, second.code) == (2, 0)


def test_nothing_is_sent_without_consent(kzmitm, write, serve):
    port = serve()
    done = kzmitm("campaign", "run", write(), *resolve(port))
    assert done.code == 4


def test_every_target_has_one_result_in_each_round(kzmitm, write, serve, forger, tmp_path):
    names = [f"h{i}.test" for i in range(7)]
    port = serve(forger.site("h0.test"))
    out = tmp_path / "out"
    run = ("campaign", "run", write(names, rounds=2), "--out", out, "--i-understand", *resolve(port))
    done = kzmitm(*run, "--json")
    assert done.json["schema"] == "kzmitm.campaign-status/1.0"
    assert done.json["rounds_finished"] == [1, 2]
    assert [share["done"] for share in done.json["shares"]] == [9, 9]
    for number in (1, 2):
        asked = [line["input"] for line in lines_of(out, number)]
        assert sorted(asked) == sorted(
            [f"tlshandshake://{name}:443" for name in names] + ["tlshandshake://control.test:443"] * 2
        )
        jobs = {line["annotations"]["campaign_job"] for line in lines_of(out, number)}
        assert len(jobs) == 9
    again = kzmitm(*run)
    assert again.code == done.code
    assert len(lines_of(out)) == 9
    assert kzmitm("campaign", "status", out).code == done.code
    assert kzmitm("campaign", "diff", out, 1, 2).out == "nothing changed\n"


def test_a_folder_tells_of_its_targets_when_their_file_is_gone_or_another(kzmitm, write, serve, tmp_path):
    path, out, targets = write(), tmp_path / "out", tmp_path / "sites.txt"
    path.write_text(path.read_text().replace('names = ["a.test", "b.test"]', 'files = ["sites.txt"]'))
    targets.write_text("a.test\nb.test\n")
    kzmitm("campaign", "run", path, "--out", out, "--i-understand", *resolve(serve()))
    for change in (lambda: targets.write_text("c.test\n"), targets.unlink):
        change()
        assert kzmitm("campaign", "status", out, "--json").json["shares"][0]["jobs"] == 3
        assert kzmitm("campaign", "pause", out).code == 0
    (out / "targets.txt").write_text("c.test\n")
    altered = kzmitm("campaign", "status", out)
    assert (altered.code, altered.out) == (2, "")
    assert "not those that it began with" in altered.err
    (out / "targets.txt").write_text("not a host\n")
    assert "cannot be read" in kzmitm("campaign", "status", out).err


def test_interception_is_found_told_and_dated(kzmitm, write, serve, forger, tmp_path):
    port = serve(forger.site("a.test"))
    out = tmp_path / "out"
    told = tmp_path / "told"
    script = tmp_path / "hook.sh"
    script.write_text(f"#!/bin/sh\ncat >> {told}\n")
    script.chmod(0o755)
    hook = f'[hooks]\nafter = 1\non_finding = ["{script}"]\n'
    done = kzmitm(
        "campaign", "run", write(rounds=2, more=hook), "--out", out, "--i-understand", *resolve(port),
        "--fingerprints", forger.overlay(),
    )  # fmt: skip
    assert done.code == 1
    assert "here: a.test: interception" in done.err
    alarms = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(each["target"], each["state"], each["authority"]) for each in alarms] == [
        ("a.test", "intercepted", "test-ca"),
        ("b.test", "intercepted", "test-ca"),
    ]
    history = kzmitm("campaign", "history", out, "--json")
    assert history.code == 1
    (authority,) = history.json["spans"]["authority"]
    assert (authority["name"], authority["first_round"], authority["last_round"]) == ("test-ca", 1, 2)


def test_a_webhook_is_posted_to_and_a_deaf_one_is_told_of(kzmitm, write, serve, forger, tmp_path):
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(503 if len(taken) == 1 else 204)
            self.end_headers()

        def log_message(self, *_arguments): ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    more = f'[hooks]\nafter = 1\nwebhook = "http://127.0.0.1:{server.server_port}/"\n'
    path = write(("a.test",), rounds=2, more=more)
    try:
        done = kzmitm(
            "campaign", "run", path, "--out", tmp_path / "out", "--i-understand",
            *resolve(serve(forger.site("a.test"))), "--fingerprints", forger.overlay(),
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    assert "webhook: HTTP 503" in done.err
    assert [each["id"] for each in taken] == [taken[0]["id"]] * 2


def test_another_file_is_no_continuation(kzmitm, write, serve, forger, tmp_path):
    port = serve(forger.site("a.test"))
    out = tmp_path / "out"
    kzmitm("campaign", "run", write(), "--out", out, "--i-understand", *resolve(port))
    done = kzmitm("campaign", "run", write(("other.test",)), "--out", out, "--i-understand", *resolve(port))
    assert done.code == 2
    assert "holds another plan of weekly" in done.err


def test_another_registry_is_recorded(kzmitm, write, serve, forger, tmp_path):
    port = serve(forger.site("a.test"))
    out = tmp_path / "out"
    run = ("campaign", "run", write(rounds=1), "--out", out, "--i-understand", *resolve(port))
    kzmitm(*run)
    kzmitm(*run, "--fingerprints", forger.overlay())
    events = kzmitm("campaign", "status", out, "--json").json["events"]
    versions = [each["versions"]["registry"] for each in events if each["event"] == "versions"]
    assert len(set(versions)) == 2


def test_a_vantage_that_is_dead_loses_its_share_only_for_now(write, serve, forger, tmp_path):
    """One proxy refuses every connection: the other vantage is done, and its own share waits."""
    port = serve(forger.site("a.test"))
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = gone.getsockname()[1]
    vantages = (
        f'[[vantages]]\nname = "here"\n[[vantages]]\nname = "away"\nuri = "socks5h://127.0.0.1:{dead}"\n'
    )
    names = [f"h{i}.test" for i in range(6)]
    out = tmp_path / "out"
    words = [
        "campaign", "run", write(names, vantages=vantages), "--out", out, "--i-understand", *resolve(port),
    ]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        manifest = out / "rounds/0001/here/manifest.json"
        told = iter(child.stderr.readline, b"")
        assert any(b"the vantage cannot be used" in line for line in told)
        while not manifest.exists():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20) == 3
    assert len(lines_of(out)) == 8
    assert not lines_of(out, vantage="away")


def test_a_proxy_that_intercepts_by_itself_is_not_measured_from(write, serve, forger, tmp_path):
    """It answers every CONNECT with a forged certificate, also for names that nobody should touch."""
    port = serve(forger.site("control.test"))
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink):
        with suppress(OSError):
            while octets := source.recv(65536):
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)

    def forge(client):
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, client))
            back.start()
            pump(client, server)
            back.join()

    connections = []

    def answer():
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                connections.append(threading.Thread(target=forge, args=(client,)))
                connections[-1].start()

    accepting = threading.Thread(target=answer)
    accepting.start()
    proxy = f'[[vantages]]\nname = "away"\nuri = "http://127.0.0.1:{listener.getsockname()[1]}"\n'
    out = tmp_path / "out"
    words = [
        "campaign", "run", write(vantages=proxy), "--out", out, "--i-understand",
        "--fingerprints", forger.overlay(),
    ]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:
        told = child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20) == 3
    # Closing alone does not wake a thread that waits in accept.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for each in (accepting, *connections):
        each.join()
    assert told == b"away: the vantage cannot be used: it alters TLS by itself\n"
    assert not lines_of(out, vantage="away")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_a_run_that_was_stopped_goes_on_and_nothing_is_doubled(kzmitm, write, serve, forger, tmp_path, how):
    names = [f"h{i}.test" for i in range(120)]
    port = serve(forger.site("h0.test"))
    out = tmp_path / "out"
    path = write(names)
    path.write_text(path.read_text().replace("rate = 500", "rate = 60"))
    words = ["campaign", "run", path, "--out", out, "--i-understand", *resolve(port)]
    environment = {**os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *map(str, words)],
        env=environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as child:
        log = out / "rounds/0001/here/results.log"
        while not (log.exists() and log.read_bytes().count(b"\n") > 1):
            assert child.poll() is None
        child.send_signal(how)
        child.wait(timeout=20)
    state = kzmitm("campaign", "status", out)
    assert state.code in (1, 3)
    path.write_text(path.read_text())
    kzmitm(*words)
    jobs = [line["annotations"]["campaign_job"] for line in lines_of(out)]
    assert len(jobs) == len(set(jobs)) == 160


def test_two_runs_of_one_campaign_at_once_are_refused(kzmitm, write, serve, forger, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with (out / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = kzmitm(
            "campaign", "run", write(), "--out", out, "--i-understand", *resolve(serve(forger.site("a.test")))
        )
    assert done.code == 2
    assert "running already" in done.err


def test_pause_and_resume_leave_a_mark(kzmitm, write, serve, forger, tmp_path):
    out = tmp_path / "out"
    port = serve(forger.site("a.test"))
    kzmitm("campaign", "run", write(), "--out", out, "--i-understand", *resolve(port))
    assert kzmitm("campaign", "pause", out).code == 0
    assert "paused" in kzmitm("campaign", "status", out).out
    assert kzmitm("campaign", "resume", out).code == 0
    assert "paused" not in kzmitm("campaign", "status", out).out


@pytest.mark.parametrize("action", ["status", "pause", "resume", "history"])
def test_a_folder_without_a_campaign(kzmitm, tmp_path, action):
    done = kzmitm("campaign", action, tmp_path)
    assert done.code == 2
    assert "no campaign is there" in done.err


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_the_examples_are_right(kzmitm, name):
    done = kzmitm("campaign", "check", EXAMPLES / name)
    assert done.code == 0, done.err
    assert f"{name.removesuffix('.toml')}" in done.out


QUICKER = {
    r'endpoint_gap = "\d+s"': 'endpoint_gap = "0s"',
    r"(?m)^rate = \d+": "rate = 500",
    r"as_rate = \d+": "as_rate = 500",
    r"count = \d+": "count = 1",
    r"start = \S+\n": "",
}
"""What would take days; all else of an example is run as it stands."""


@pytest.mark.parametrize(
    ("name", "vantage"),
    [
        ("one-round", "here"),
        ("large-list", "measurement-host"),
        ("weekly", "home"),
        ("two-continents", "almaty"),
    ],
)
def test_the_examples_run(kzmitm, tmp_path, serve, genuine, name, vantage):
    """Every name is a server of ours, so nothing is sent elsewhere."""
    for path in EXAMPLES.iterdir():
        text = path.read_text()
        for old, new in QUICKER.items():
            text = re.sub(old, new, text)
        if path.suffix == ".toml" and "[limits]" not in text:
            text += '[limits]\nendpoint_gap = "0s"\n'
        (tmp_path / path.name).write_text(text)
    done = kzmitm(
        "campaign", "run", tmp_path / f"{name}.toml", "--vantage", vantage, "--out", tmp_path / "out",
        "--i-understand", "--store", genuine.pem, *resolve(serve(genuine.site("www.example.com"))), "--json",
    )  # fmt: skip
    (share,) = done.json["shares"]
    assert (share["vantage"], share["left"], share["failed"]) == (vantage, 0, 0)
    assert share["done"] == share["jobs"] > 0
    told = json.loads((tmp_path / "out/rounds/0001/manifest.json").read_text())
    assert told["shares"][0]["jobs"]["done"] == share["done"]


def test_watch_shows_it_once_or_until_the_end(kzmitm, write, serve, forger, tmp_path):
    out = tmp_path / "out"
    port = serve(forger.site("a.test"))
    kzmitm("campaign", "run", write(), "--out", out, "--i-understand", *resolve(port))
    once = kzmitm("campaign", "watch", out, "--once")
    assert once.out.startswith("round 1, here: 3 of 3 done")
    assert kzmitm("campaign", "watch", out).out == once.out


def test_watch_serves_metrics(write, kzmitm, serve, forger, tmp_path):
    out = tmp_path / "out"
    path = write(rounds=2)
    path.write_text(path.read_text().replace('every = "100ms"', 'every = "1h"'))
    port = serve(forger.site("a.test"))
    words = ["campaign", "run", path, "--out", out, "--i-understand", *resolve(port)]
    with subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *map(str, words)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as child:
        while not (out / "rounds/0001/here/manifest.json").exists():
            assert child.poll() is None
        with subprocess.Popen(
            [sys.executable, "-m", "kzmitm", "campaign", "watch", str(out), "--metrics", "0"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as watching:
            told = watching.stderr.readline()
            address = told.partition("http://")[2].strip()
            with urllib.request.urlopen(f"http://{address}", timeout=10) as answer:
                text = answer.read().decode()
            watching.send_signal(signal.SIGINT)
            watching.wait(timeout=10)
        child.send_signal(signal.SIGINT)
        child.wait(timeout=20)
    assert 'kzmitm_campaign_jobs{campaign="weekly",round="1",state="done",vantage="here"} 3.0' in text
    assert "kzmitm_campaign_paused" in text


@pytest.mark.parametrize("where", ["nowhere", "127.0.0.1:99999", "203.0.113.1:1"])
def test_metrics_where_they_cannot_be_served(kzmitm, write, serve, forger, tmp_path, where):
    out = tmp_path / "out"
    kzmitm("campaign", "run", write(), "--out", out, "--i-understand", *resolve(serve(forger.site("a.test"))))
    done = kzmitm("campaign", "watch", out, "--once", "--metrics", where)
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1


def test_retry_is_a_run_that_tries_what_failed(kzmitm, write, serve, forger, tmp_path):
    out = tmp_path / "out"
    port = serve(forger.site("a.test"))
    words = (write(), "--out", out, "--i-understand", *resolve(port))
    first = kzmitm("campaign", "run", *words)
    assert kzmitm("campaign", "retry", "--failed", *words).code == first.code
    assert len(lines_of(out)) == 3
