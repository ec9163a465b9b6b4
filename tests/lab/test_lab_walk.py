"""The guided walk through the network, with the browser and without."""

import json
from pathlib import Path

from lab_tools import need_network, need_products, run

STEPS = (
    "1. Before",
    "2. Interception begins",
    "5. The scanner still sees it",
    "6. What is not this",
    "8. After",
)
BROWSER_STEPS = ("3. The browser without the root", "4. The root is installed", "7. The root is removed")
PICTURES = ["1-before", "3-warning", "4-no-warning", "7-warning-again", "8-after"]


def test_walk_with_pictures(tmp_path: Path):
    need_network()
    need_products("iptables", "chromium", "libnss3-tools", "mitmproxy")
    out = tmp_path / "run"
    done = run("lab", "demo", "--auto", "--out", str(out), home=tmp_path / "home")
    assert done.returncode == 1, done.stderr
    told = done.stdout
    places = [told.index(step) for step in sorted((*STEPS, *BROWSER_STEPS))]
    assert places == sorted(places)
    assert told.count("ERR_CERT_AUTHORITY_INVALID") == 2
    assert "INTERCEPTION  social.lab.test  confirmed" in told
    assert "Every site was judged as it should be" in told
    assert sorted(path.stem for path in (out / "pictures").iterdir()) == PICTURES
    assert {path.stat().st_mode & 0o077 for path in (out, *out.rglob("*"))} == {0}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (out / "pictures").iterdir())
    shown = run("show", str(out / "scan.zip"), home=tmp_path / "home")
    assert shown.returncode == 1
    left = ["control.json", "pictures", "roots.pem", "scan.zip"]
    assert sorted(path.name for path in out.iterdir()) == left
    assert "PRIVATE KEY" not in "".join(path.read_text("latin1") for path in out.rglob("*") if path.is_file())
    assert not (tmp_path / "home").exists()  # no key of the user's has anything to sign here


def test_walk_without_a_browser_or_mitmproxy_as_a_document(tmp_path: Path):
    """What is missing is left out, and said."""
    need_network()
    need_products("iptables")
    nowhere = {"KZMITM_MITMDUMP": "/nonexistent"}
    done = run("lab", "demo", "--no-browser", "--json", home=tmp_path / "home", **nowhere)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "kzmitm.scan/1.0"
    outcomes = {row["hostname"]: row["outcome"] for row in document["targets"]}
    assert outcomes == {"social.lab.test": "interception", "news.lab.test": "clean"}
    assert all(step in done.stderr for step in STEPS)
    assert not any(step in done.stderr for step in BROWSER_STEPS)
    assert "left out: a company's gateway that opens every connection (needs mitmproxy" in done.stderr
    left = ["control.json", "roots.pem", "scan.zip"]
    assert sorted(path.name for path in (tmp_path / "home/results").glob("demo-*/*")) == left
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["results"]  # and no keys


def test_folder_that_exists_is_refused(tmp_path: Path):
    done = run("lab", "demo", "--auto", "--out", str(tmp_path), home=tmp_path / "home")
    assert done.returncode == 2
    assert "exists already" in done.stderr


def test_no_window_without_a_display(tmp_path: Path):
    done = run("lab", "demo", "--headed", home=tmp_path, DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == 2
    assert "no display" in done.stderr
