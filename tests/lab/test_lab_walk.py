"""The guided walk through the network, with the browser and without."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from lab_tools import need_network, need_products, run

from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.profile import Place
from kzmitm.lab.scanning import location_of
from kzmitm.lab.session import Hop
from kzmitm.lab.walk import is_at
from kzmitm.model.location import Device, HopAddress, Location, Segment
from kzmitm.model.location import Finding as Found
from kzmitm.model.location import Hop as MetHop
from kzmitm.model.target import Endpoint

STEPS = (
    "1. Before",
    "2. Interception begins",
    "5. The scanner still sees it",
    "6. Where it happens",
    "7. What is not this",
    "9. After",
)
BROWSER_STEPS = ("3. The browser without the root", "4. The root is installed", "8. The root is removed")
PICTURES = ["1-before", "3-warning", "4-no-warning", "8-warning-again", "9-after"]
GATEWAY = Hop(name="operator", title="", place=Place.OPERATOR, addresses=("198.51.100.2", "fd77:12::2"))
LED_THERE = "198.51.100.2 is the operator's gateway, where the laboratory put the box."


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
    assert LED_THERE in told
    assert sorted(path.stem for path in (out / "pictures").iterdir()) == PICTURES
    assert {path.stat().st_mode & 0o077 for path in (out, *out.rglob("*"))} == {0}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (out / "pictures").iterdir())
    shown = run("show", str(out / "scan.zip"), home=tmp_path / "home")
    assert shown.returncode == 1
    left = ["control.json", "path.svg", "pictures", "roots.pem", "scan.zip"]
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
    assert LED_THERE in done.stderr
    left = ["control.json", "path.svg", "roots.pem", "scan.zip"]
    assert sorted(path.name for path in (tmp_path / "home/results").glob("demo-*/*")) == left
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["results"]  # and no keys


PLACES = {
    "there": ("198.51.100.2", Device.SNI_INTERCEPTOR, True),
    "a hop farther": ("198.51.100.6", Device.SNI_INTERCEPTOR, False),
    "a hop that keeps silent": ("", Device.SNI_INTERCEPTOR, False),
    "another device there": ("198.51.100.2", Device.SNI_DROP, False),
}


@pytest.mark.parametrize(("at", "device", "is_there"), PLACES.values(), ids=PLACES)
def test_where_a_trace_leads(at: str, device: Device, *, is_there: bool):
    met = MetHop(ttl=2, addresses=(HopAddress(at),) if at else ())
    finding = Found(device=device, segment=Segment(1, 2, MetHop(ttl=1), met))
    assert is_at(Location(endpoint=Endpoint("203.0.113.10", 443), finding=finding), GATEWAY) is is_there


def test_where_a_trace_leads_nowhere():
    finding = Found(device=Device.ENDPOINT)
    assert not is_at(Location(endpoint=Endpoint("203.0.113.10", 443), finding=finding), GATEWAY)


SAID_BADLY = {
    "a fault": (70, "{}", "the trace ended with 70: something"),
    "nothing": (1, "", "nothing that can be read"),
    "no trace": (3, '{"traces": []}', "nothing that can be read"),
    "no location": (1, '{"traces": [{"location": {}}]}', "nothing that can be read"),
    "another document": (0, "[]", "nothing that can be read"),
}


@pytest.mark.parametrize(("code", "stdout", "said"), SAID_BADLY.values(), ids=SAID_BADLY)
def test_trace_that_says_nothing(code: int, stdout: str, said: str):
    with pytest.raises(LaboratoryError, match=said):
        location_of(CompletedProcess([], code, stdout, "something\n"))


def test_folder_that_exists_is_refused(tmp_path: Path):
    done = run("lab", "demo", "--auto", "--out", str(tmp_path), home=tmp_path / "home")
    assert done.returncode == 2
    assert "exists already" in done.stderr


def test_no_window_without_a_display(tmp_path: Path):
    done = run("lab", "demo", "--headed", home=tmp_path, DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == 2
    assert "no display" in done.stderr
