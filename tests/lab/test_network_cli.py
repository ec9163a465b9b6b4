"""A laboratory by hand: what each command ends with, says, and passes through."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from network_support import (
    complaint,
    document,
    environment,
    kzmitm,
    lab_name,
    named_lab,
    needs_network,
    run,
)

from kzmitm.lab.control.client import find_lab
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.profile import all_profiles
from kzmitm.lab.sites import SITES

pytestmark = needs_network

HOSTS = ["client", "access", "operator", "transit", "server"]


@pytest.fixture(scope="module")
def up() -> Iterator[str]:
    with named_lab(lab_name("cli")) as name:
        yield name


@pytest.fixture
def name(up: str) -> Iterator[str]:
    """A laboratory that is up, with nothing on afterwards."""
    yield up
    lab = find_lab(up)
    try:
        lab.switch_off()
    finally:
        lab.close()


NOBODY = [
    ["status"],
    ["status", "--json"],
    ["on", "rst"],
    ["on", "nobody"],
    ["off"],
    ["scan"],
    ["trace"],
    ["run", "client", "true"],
    ["down"],
]


@pytest.mark.parametrize("words", NOBODY, ids=" ".join)
def test_without_a_laboratory(words: list[str]):
    name = lab_name("nobody")
    said = complaint(kzmitm("lab", words[0], "--name", name, *words[1:]), 2)
    assert f"no laboratory is up by the name {name}; kzmitm lab up --name {name}" in said


def test_up_twice(name: str):
    said = complaint(kzmitm("lab", "up", "--name", name), 2)
    assert name in said
    assert "up already" in said
    assert document(kzmitm("lab", "status", "--name", name, "--json"))["kind"] == "network"


@pytest.mark.parametrize("wrong", ["", "a/b", "\u0430", "x" * 41, "a b", "a\nb"], ids=ascii)
def test_names_that_cannot_be(wrong: str):
    for verb in ("up", "status"):
        assert "--name" in complaint(kzmitm("lab", verb, "--name", wrong), 2)


def test_life_of_one():
    name = lab_name("life")
    done = kzmitm("lab", "up", "--name", name, "--json")
    try:
        assert document(done) == {
            "schema": "kzmitm.lab_status/1.0",
            "version": "1.0",
            "kind": "network",
            "profile": None,
            "settings": {},
            "sites": [site.hostname for site in SITES],
            "hosts": HOSTS,
        }
        said = document(
            kzmitm("lab", "on", "--name", name, "rst", "--set", "watched=bank.lab.test", "--json")
        )
        assert said["profile"] == "rst"
        assert said["settings"] == {"watched": "bank.lab.test", "hidden": ""}
        assert document(kzmitm("lab", "status", "--name", name, "--json")) == said
        plain = kzmitm("lab", "status", "--name", name)
        assert "rst" in plain.stdout
        assert "watched=bank.lab.test" in plain.stdout
        assert document(kzmitm("lab", "off", "--name", name, "--json"))["profile"] is None
    finally:
        done = kzmitm("lab", "down", "--name", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    complaint(kzmitm("lab", "status", "--name", name), 2)
    assert kzmitm("lab", "up", "--name", name).returncode == 0
    assert kzmitm("lab", "down", "--name", name).returncode == 0


MISTAKES = {
    "host": (["run", "nowhere", "true"], "nowhere"),
    "no command": (["run", "client"], "no command"),
    "no command after dashes": (["run", "client", "--"], "no command"),
    "no host": (["run"], "HOST"),
    "profile": (["on", "nobody"], "nobody"),
    "no profile": (["on"], "PROFILE"),
    "parameter": (["on", "rst", "--set", "colour=red"], "colour"),
    "value": (["on", "rst", "--set", "watched=example.org"], "example.org"),
    "form": (["on", "rst", "--set", "watched"], "watched"),
}


@pytest.mark.parametrize(("words", "about"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line_and_change_nothing(name: str, words: list[str], about: str):
    assert kzmitm("lab", "on", "--name", name, "nxdomain").returncode == 0
    assert about in complaint(kzmitm("lab", words[0], "--name", name, *words[1:]), 2)
    assert document(kzmitm("lab", "status", "--name", name, "--json"))["profile"] == "nxdomain"


ENDS = {
    "well": ("exit 0", 0),
    "with a code": ("exit 7", 7),
    "with the highest": ("exit 255", 255),
    "by TERM": ("kill -TERM $$", 128 + signal.SIGTERM),
    "by KILL": ("kill -KILL $$", 128 + signal.SIGKILL),
    "by SEGV": ("kill -SEGV $$", 128 + signal.SIGSEGV),
    "by INT": ("kill -INT $$", 128 + signal.SIGINT),
}


@pytest.mark.parametrize(("script", "code"), ENDS.values(), ids=ENDS)
def test_command_ends_as_it_ends(name: str, script: str, code: int):
    assert run(name, "sh", "-c", script).returncode == code


def test_command_that_does_not_exist(name: str):
    done = run(name, "no-such-program")
    assert done.returncode == 127
    assert done.stderr.count("\n") == 1
    assert "no-such-program" in done.stderr


def test_streams_words_and_folder_are_the_command_s(name: str, tmp_path: Path):
    done = run(name, "sh", "-c", "cat; echo seen >&2; pwd", input="héllo\n\n", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"héllo\n\n{tmp_path}\n", "seen\n")
    words = ["a b", "", "--name", "'\"$x", "--", "-h"]
    assert json.loads(run(name, "python3", "-c", PRINTING, *words).stdout) == words


PRINTING = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.mark.parametrize("host", HOSTS)
def test_each_host_is_another(name: str, host: str):
    links = json.loads(run(name, "ip", "-json", "link", host=host).stdout)
    assert "lo" in {link["ifname"] for link in links}
    assert len(links) == (2 if host in ("client", "server") else 3)


# --- scans


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {row["hostname"]: row["outcome"] for row in json.loads(done.stdout)["targets"]}


def test_scan_of_what_is_in_play(name: str):
    assert kzmitm("lab", "on", "--name", name, "kz-proxy", "--set", "watched=mail.lab.test").returncode == 0
    done = kzmitm("lab", "scan", "--name", name, "--", "--json")
    assert done.returncode == 1
    assert rows(done) == {"mail.lab.test": "interception", "news.lab.test": "clean"}


def test_scan_takes_its_own_options_without_targets(name: str):
    """As its help says: targets, then options of `kzmitm scan`; neither is needed for the other."""
    done = kzmitm("lab", "scan", "--name", name, "--json")
    assert done.returncode == 0, done.stderr
    assert set(rows(done).values()) == {"clean"}


def test_scan_of_what_is_asked_for(name: str, tmp_path: Path):
    home, out = tmp_path / "home", tmp_path / "results"
    words = ("bank.lab.test", "--json", "--out")
    done = kzmitm("lab", "scan", "--name", name, *words, str(out), env=environment(KZMITM_HOME=str(home)))
    assert done.returncode == 0, done.stderr
    assert rows(done) == {"bank.lab.test": "clean"}
    [bundle] = out.iterdir()
    assert bundle.match("bundle-*.zip")
    assert json.loads(done.stdout)["bundle"] == str(bundle)
    chosen = tmp_path / "chosen.zip"
    done = kzmitm("lab", "scan", "--name", name, *words, str(chosen), env=environment(KZMITM_HOME=str(home)))
    assert done.returncode == 0, done.stderr
    assert kzmitm("verify", str(chosen)).returncode == 3
    assert not home.exists()  # no key of the user's has anything to sign here


def test_options_of_a_scan_stand_where_they_like(name: str, tmp_path: Path):
    """A site behind an option is the one that is meant, and not one more; a list is one of targets."""
    done = kzmitm("lab", "scan", "--name", name, "--timeout", "2", "bank.lab.test", "--json")
    assert (done.returncode, rows(done)) == (0, {"bank.lab.test": "clean"}), done.stderr
    (tmp_path / "sites").write_text("bank.lab.test\n")
    done = kzmitm("lab", "scan", "--name", name, "--json", "--list", str(tmp_path / "sites"))
    assert (done.returncode, rows(done)) == (0, {"bank.lab.test": "clean"}), done.stderr


def test_scan_with_a_wrong_option(name: str):
    done = kzmitm("lab", "scan", "--name", name, "bank.lab.test", "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_files_where_one_stands_are_not_run(name: str, tmp_path: Path):
    """A class works in folders of its own, with files of any name."""
    for module in ("json", "random", "kzmitm"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('run by mistake')\n")
    command = [
        str(Path(module_command("kzmitm")[0]).parent / "kzmitm"),
        "lab",
        "scan",
        "--name",
        name,
        "bank.lab.test",
    ]
    if not Path(command[0]).exists():
        pytest.skip("needs the installed command")
    options = {"env": environment(), "cwd": tmp_path, "capture_output": True, "text": True}
    done = subprocess.run(command, check=False, timeout=60, **options)
    assert "by mistake" not in done.stderr
    assert done.returncode == 0, done.stderr


# --- traces


def located(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, list[str]]]:
    """Of each way: what was found, and the addresses of the hops before it and at it."""
    found = [each["location"]["finding"] for each in json.loads(done.stdout)["traces"]]
    ends = [[each["segment"][end] for end in ("before", "at")] if each["segment"] else [] for each in found]
    return [
        (each["device"], *(hop["addresses"][0]["ip"] for hop in hops))
        for each, hops in zip(found, ends, strict=True)
    ]


def test_trace_of_what_is_in_play(name: str):
    """Without a target it leads to what is struck; the box is where the laboratory put it."""
    assert kzmitm("lab", "on", "--name", name, "kz-inline", "--set", "watched=bank.lab.test").returncode == 0
    done = kzmitm("lab", "trace", "--name", name, "-4", "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["verdict"]["hostname"] == "bank.lab.test"
    assert located(done) == [("sni_interceptor", "10.77.0.1", "198.51.100.2")]


def test_trace_of_what_is_asked_for(name: str):
    done = kzmitm("lab", "trace", "--name", name, "news.lab.test", "-4", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"]["outcome"] == "clean"
    assert located(done) == [("endpoint",)]


@pytest.mark.parametrize("words", [["a.test", "b.test"], ["--no-such-option"], ["-4", "-6"]], ids=" ".join)
def test_trace_with_wrong_words(name: str, words: list[str]):
    complaint(kzmitm("lab", "trace", "--name", name, *words), 2)


# --- names

ASK = """
from dns.message import make_query
from dns.query import udp
answer = udp(make_query("social.lab.test", "A"), "203.0.113.53", timeout=10, source_port=40_000).answer
print(*sorted(record.address for found in answer for record in found))
"""


def test_names_are_answered_by_what_is_on_now(name: str):
    """A question from a port that was in use a moment ago is a new one to a network that changed."""

    def asked(profile: str) -> str:
        assert kzmitm("lab", "on", "--name", name, profile).returncode == 0
        done = run(name, sys.executable, "-P", "-c", ASK)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    genuine = asked("kz-inline")
    assert "203.0.113.66" not in genuine
    assert asked("dns-hijack") == "203.0.113.66"
    assert asked("kz-inline") == genuine


# --- more than one


def test_two_at_once(name: str):
    with named_lab(lab_name("second")) as second:
        assert document(kzmitm("lab", "on", "--name", second, "rst", "--json"))["profile"] == "rst"
        assert document(kzmitm("lab", "status", "--name", name, "--json"))["profile"] is None
        assert run(name, "sh", "-c", "nft list ruleset; iptables-save").stdout == ""
        first = run(name, "readlink", "/proc/self/ns/net").stdout
        assert run(second, "readlink", "/proc/self/ns/net").stdout != first
        assert kzmitm("lab", "down", "--name", second).returncode == 0
        assert document(kzmitm("lab", "status", "--name", name, "--json"))["kind"] == "network"


def test_profiles_are_listed():
    found = document(kzmitm("lab", "profiles", "--json"))
    assert found["schema"] == "kzmitm.lab_profiles/1.0"
    assert [profile["profile"] for profile in found["profiles"]] == list(all_profiles())
    for profile in found["profiles"]:
        assert profile["title"]
        assert profile["lesson"]
        assert profile["network"] or profile["loopback"]
        assert {"name", "default", "about", "choices"} <= set().union(*profile["parameters"])
