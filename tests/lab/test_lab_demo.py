"""The demo from end to end, as its users start it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.actions import demo as action
from kzmitm.cli.main import main
from kzmitm.lab.check import Row, misjudged
from kzmitm.lab.loopback.demo import placement
from kzmitm.lab.loopback.laboratory import needs_here
from kzmitm.lab.loopback.supervisor import PREFIX
from kzmitm.lab.parts.parameters import forged
from kzmitm.lab.products import Products, find_products, how_to_get
from kzmitm.lab.profile import CLEAN, LOOK_ALIKE, all_profiles, on_loopback
from kzmitm.lab.settings import Settings

BOTH = ("sslsplit", "mitmproxy")
PRODUCTS = find_products()


def products(*names: str) -> Products:
    return Products({name: Path(f"/opt/{name}") for name in names})


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "kzmitm", "lab", "demo", "--loopback", "--auto", *words]


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return os.environ | {"KZMITM_HOME": str(tmp_path / "home")} | more


@pytest.fixture(autouse=True)
def _interceptor(request: pytest.FixtureRequest) -> None:
    """Skip what runs an interceptor where none is installed; fail where they must be."""
    if "tmp_path" not in request.fixturenames:
        return
    if missing := PRODUCTS.lacks(BOTH):
        if os.environ.get("CI"):
            pytest.fail(f"needs {how_to_get(missing)}")
        pytest.skip(f"needs {how_to_get(missing)}")


def test_document_of_the_demo(tmp_path: Path):
    out = tmp_path / "bundle"
    done = subprocess.run(
        command("--json", "--out", str(out)),
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "kzmitm.scan/1.0"
    rows = {row["hostname"]: row for row in document["targets"]}
    assert rows["social.lab.test"]["outcome"] == "interception"
    assert rows["social.lab.test"]["confidence"] == "confirmed"
    assert rows["social.lab.test"]["authority"]["id"] == LOOK_ALIKE
    assert rows["news.lab.test"]["outcome"] == rows["bank.lab.test"]["outcome"] == "clean"
    assert rows["expired.lab.test"]["outcome"] == "origin_misconfigured"
    assert all(row["rule_ids"] for row in document["targets"])
    shown = subprocess.run(
        [sys.executable, "-m", "kzmitm", "show", "--json", str(out / "scan.zip")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(shown.stdout)["targets"] == document["targets"]
    assert sorted(path.name for path in out.iterdir()) == ["control.json", "roots.pem", "scan.zip"]
    assert not (tmp_path / "home").exists()  # no key of the user's has anything to sign here


def demo_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: Products, *words: str) -> int:
    """The demo in this process, with only some of the interceptors found."""
    monkeypatch.setenv("KZMITM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(action, "find_products", lambda: found)
    return main(["lab", "demo", "--loopback", "--auto", *words])


@pytest.mark.parametrize("only", BOTH)
def test_one_interceptor_is_enough(
    only: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    found = Products({only: PRODUCTS.programs[only]})
    assert demo_here(monkeypatch, tmp_path, found) == Exit.FOUND
    shown = capsys.readouterr().out
    assert "INTERCEPTION  social.lab.test  confirmed, by the laboratory's look-alike" in shown
    assert "LOGIN PORTAL  www.maps.test" in shown
    assert "Every site was judged as it should be" in shown
    [result] = (tmp_path / "home/results").iterdir()
    assert result.name.startswith("demo-")
    assert sorted(path.name for path in result.iterdir()) == ["control.json", "roots.pem", "scan.zip"]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["results"]  # and no keys


def test_no_interceptor_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert demo_here(monkeypatch, tmp_path, Products({}), "--json") == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "apt-get install sslsplit" in err
    assert "KZMITM_MITMDUMP" in err
    assert not (tmp_path / "home").exists()


def test_misjudged_site_fails_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    wrong = dict(all_profiles())
    wrong["expired"] = replace(wrong["expired"], expected=lambda _: CLEAN)
    monkeypatch.setattr("kzmitm.lab.loopback.laboratory.all_profiles", lambda: wrong)
    monkeypatch.setattr("kzmitm.lab.loopback.laboratory.profile_named", wrong.__getitem__)
    assert demo_here(monkeypatch, tmp_path, PRODUCTS, "--json") == Exit.FAULT
    out, err = capsys.readouterr()
    assert json.loads(out)["schema"] == "kzmitm.scan/1.0"
    assert "misjudged: expired.lab.test: outcome should be clean, and is origin_misconfigured" in err


def test_folder_that_exists_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert demo_here(monkeypatch, tmp_path, PRODUCTS, "--out", str(tmp_path)) == Exit.USAGE
    assert "exists already" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_nothing_is_left_when_the_demo_is_ended(number: signal.Signals, tmp_path: Path):
    process = subprocess.Popen(
        command(), env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("4."):  # the interceptors run by now
                break
        directory = private_directory(process.pid)
        assert len(users_of(directory)) > 3  # the supervisor and three interceptors
        process.send_signal(number)
        process.stdout.read()
        process.wait()
        deadline = time.monotonic() + 10
        while directory.exists() or users_of(directory):
            assert time.monotonic() < deadline
            os.sched_yield()


def private_directory(pid: int) -> Path:
    """The directory that the supervisor of this process watches."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            words = (stat.parent / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if parent == pid and any(word.endswith("supervisor.py") for word in words):
            return next(Path(word) for word in words if Path(word).name.startswith(PREFIX))
    raise AssertionError("no supervisor")


def users_of(directory: Path) -> list[str]:
    """The processes whose command line names the directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        found += [line] if str(directory) in line else []
    return found


def test_every_site_behind_an_interceptor_stays_behind_one():
    behind = {site for p in on_loopback().values() if p.intercepts for site in p.loopback.sites}
    for names in (BOTH, ("sslsplit",), ("mitmproxy",)):
        placed = placement(products(*names))
        assert sorted(site for sites in placed.values() for site in sites) == sorted(behind)
        assert all(not products(*names).lacks(needs_here(all_profiles()[name])) for name in placed)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({}, None),
        ({"outcome": "clean"}, "outcome should be interception, and is clean"),
        ({"confidence": "likely"}, "confidence should be confirmed, and is likely"),
        ({"scope": "unknown"}, "scope should be state, and is unknown"),
        ({"authority": None}, f"authority should be {LOOK_ALIKE}, and is none"),
        ({"forgers": []}, "forger should be sslsplit, and is none"),
        ({"hostname": "other.lab.test"}, "not measured"),
    ],
)
def test_misjudged_site_is_said(changed: Mapping[str, object], complaint: str | None):
    row: Row = {
        "hostname": "mail.lab.test",
        "outcome": "interception",
        "confidence": "confirmed",
        "scope": "state",
        "authority": {"id": LOOK_ALIKE},
        "forgers": [{"id": "sslsplit"}],
        **changed,
    }
    said = list(misjudged([row], {"mail.lab.test": forged(Settings({"known": "yes"}), "sslsplit")}))
    assert said == ([f"mail.lab.test: {complaint}"] if complaint else [])
