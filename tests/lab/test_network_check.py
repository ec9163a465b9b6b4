"""`kzmitm lab check` with real networks: every profile, parameters nobody thought of, and every mistake."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from network_support import (
    by_its_schema,
    complaint,
    environment,
    kzmitm,
    needs_network,
    needs_product,
)

from kzmitm.cli.clock import now
from kzmitm.lab.check import Result, check_profile
from kzmitm.lab.opening import open_session
from kzmitm.lab.products import MITMDUMP_VARIABLE, find_products
from kzmitm.lab.profile import all_profiles
from kzmitm.lab.session import Session

pytestmark = needs_network

BUDGET_S = 90.0
"""For the whole table."""
IN_THE_NETWORK = [name for name, profile in all_profiles().items() if profile.network is not None]


def document(done: subprocess.CompletedProcess[str]) -> dict:
    assert "Traceback" not in done.stderr
    return by_its_schema(json.loads(done.stdout))


@pytest.mark.slow
def test_every_profile_is_told():
    done = kzmitm("lab", "check", "--json", timeout=2 * BUDGET_S)
    found = document(done)
    assert set(found) >= {"schema", "version", "kind", "seconds", "summary", "profiles"}
    assert (found["schema"], found["version"], found["kind"]) == ("kzmitm.lab_check/1.0", "1.0", "network")
    rows = found["profiles"]
    assert [row["profile"] for row in rows] == IN_THE_NETWORK
    missing = {name for name in IN_THE_NETWORK if find_products().lacks(all_profiles()[name].needs)}
    if os.environ.get("CI") == "true":
        assert missing == set()
    failed = {row["profile"]: row["reasons"] for row in rows if row["result"] != "pass"}
    assert set(failed) == missing, failed
    assert done.returncode == 0
    assert found["summary"] == {"pass": len(rows) - len(missing), "fail": 0, "skip": len(missing)}
    assert 0 < found["seconds"] < BUDGET_S
    for row in rows:
        assert set(row) >= {"profile", "expected", "got", "result", "reasons", "sites"}
        if row["result"] == "pass":
            assert row["got"] in row["expected"].split(" or ") or " and " in row["got"]
            assert row["reasons"] == []
            struck = {site["hostname"]: site for site in row["sites"]}
            assert struck, row["profile"]
            for site in struck.values():
                assert site["got"] in site["expected"].split(" or ")


FORGING = ("kz-inline", "kz-proxy", "mitmproxy", "squid", "sslsplit-selective")
BY_NAME = ("dns-hijack", "nxdomain", "rst", "rst-onpath")
OTHERS = "watched=bank.lab.test,shop.example.test"
SECRET = ('root=Құпия "Root"', "intermediate=C:\\new\\tab 'x' #{}$`%", "organization=АО «Ромашка» & Co")

CASES = {
    "other sites, forged": (FORGING, (OTHERS,)),
    "other sites, filtered": (BY_NAME, (OTHERS,)),
    "one site of another domain": (("kz-inline", "sslsplit-selective"), ("watched=a-b.c.test",)),
    "other names": ((*FORGING, "sslsplit"), SECRET),
    "other names of an office": (("corporate",), SECRET),
    "another country": (("kz-inline", "kz-proxy"), ("country=RU", "root=Russian Trusted Root CA")),
    "unknown root": ((*FORGING, "sslsplit"), ("known=no",)),
    "no ICMP, forged": ((*FORGING, "corporate", "antivirus"), ("hidden=all",)),
    "no ICMP, filtered": (
        ("none", "rst", "rst-onpath", "ip-block", "portal-reject"),
        ("hidden=all",),
    ),
    "no ICMP of one": (("kz-inline", "rst"), ("hidden=operator",)),
    "early 2019": (("kz-inline",), ("rule=2019-early",)),
    "2024": (("kz-inline",), ("rule=2024", OTHERS)),
    "expired intermediate": (("kz-inline",), ("expired-intermediate=yes",)),
    "expired and unknown": (
        ("kz-inline",),
        ("expired-intermediate=yes", "known=no", "hidden=access,transit"),
    ),
    "names beyond the basic plane": (("kz-proxy",), ("root=\U0001f510 \U0001d400",)),
    "unknown root of another name": (
        ("kz-inline", "sslsplit"),
        ("known=no", "root=Some Root", "intermediate=I1"),
    ),
    "longest names": (("kz-proxy", "sslsplit"), (f"root={'Қ' * 32}", f"intermediate={'W' * 64}")),
}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One network for all cases: each is switched off before the next."""
    with open_session(is_network=True, now=now(), products=find_products()) as session:
        yield session


def given_by(settings: tuple[str, ...]) -> dict[str, str]:
    return dict(setting.split("=", 1) for setting in settings)


@pytest.mark.parametrize(("profiles", "settings"), CASES.values(), ids=CASES)
def test_other_parameters(profiles: tuple[str, ...], settings: tuple[str, ...], session: Session):
    offers = {offer.profile.name: offer for offer in session.offers()}
    given = given_by(settings)
    for profile in profiles:
        needs_product(profile)
        checked = check_profile(session, offers[profile], given)
        assert (checked.result, checked.reasons) == (Result.PASS, ()), profile
        scanned = {finding.hostname for finding in checked.findings}
        assert scanned >= set(given.get("watched", "").split(",")) - {""}
        assert session.active() is None


def test_parameters_of_the_command():
    profiles = ("corporate", "sslsplit")
    for profile in profiles:
        needs_product(profile)
    words = [word for setting in SECRET for word in ("--set", setting)]
    done = kzmitm("lab", "check", "--json", "--jobs", "2", *profiles, *words)
    assert done.stdout, done.stderr
    found = {row["profile"]: row["reasons"] for row in document(done)["profiles"]}
    assert found == {name: [] for name in profiles}
    assert done.returncode == 0


MISTAKES = {
    "profile": (["nobody"], "nobody"),
    "parameter": (["rst", "--set", "colour=red"], "colour"),
    "parameter of one of two": (["none", "kz-inline", "--set", "rule=2024"], "rule"),
    "choice": (["kz-inline", "--set", "rule=1984"], "1984"),
    "site": (["rst", "--set", "watched=example.org"], "example.org"),
    "site of another script": (["rst", "--set", "watched=құпия.test"], "құпия"),
    "no site": (["rst", "--set", "watched="], "watched"),
    "only commas": (["kz-inline", "--set", "watched= , ,"], "watched"),
    "country": (["kz-inline", "--set", "country=kz"], "country"),
    "name longer than X.509 has room for": (["kz-proxy", "--set", f"root={'Қ' * 64}"], "root"),
    "name with a line": (["kz-inline", "--set", "root=a\nb"], "root"),
    "too many sites": (["rst", "--set", "watched=" + ",".join(f"s{i}.test" for i in range(33))], "32"),
    "no value": (["rst", "--set", "watched"], "watched"),
    "twice": (["rst", "--set", "watched=a.test", "--set", "watched=b.test"], "watched"),
    "no jobs": (["none", "--jobs", "0"], "--jobs"),
    "negative jobs": (["none", "--jobs", "-1"], "--jobs"),
    "many jobs": (["none", "--jobs", "1000"], "--jobs"),
    "jobs in words": (["none", "--jobs", "two"], "--jobs"),
}


@pytest.mark.parametrize(("words", "about"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line(words: list[str], about: str):
    assert about in complaint(kzmitm("lab", "check", "--json", *words), 2)


# --- products that are not installed


def without_sslsplit(folder: Path) -> str:
    """A PATH with all that the network needs, but for sslsplit."""
    for place in os.get_exec_path():
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name != "sslsplit" and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def lacking(product: str, folder: Path) -> dict[str, str]:
    if product == "mitmproxy":
        return {MITMDUMP_VARIABLE: "/nonexistent/mitmdump"}
    where = shutil.which("sslsplit")
    if where is not None and where.startswith(("/usr/sbin", "/sbin", "/usr/local/sbin")):
        pytest.skip("needs sslsplit elsewhere than among the programs of root")
    return {"PATH": without_sslsplit(folder)}


@pytest.mark.parametrize("product", ["mitmproxy", "sslsplit"])
@pytest.mark.parametrize(("ci", "code"), [({}, 0), ({"CI": "true"}, 70)], ids=["at home", "in CI"])
def test_missing_product_is_named(product: str, ci: dict[str, str], code: int, tmp_path: Path):
    lacks = lacking(product, tmp_path)
    done = kzmitm("lab", "check", "--json", "--jobs", "1", product, "none", env=environment(**lacks, **ci))
    assert done.returncode == code, done.stderr
    missing, none = document(done)["profiles"]
    assert (none["profile"], none["result"]) == ("none", "pass")
    assert (missing["profile"], missing["result"], missing["got"]) == (product, "skip", "")
    (reason,) = missing["reasons"]
    assert product in reason
    assert "install" in reason


def test_missing_product_is_named_to_people():
    done = kzmitm(
        "lab", "check", "mitmproxy", env=environment(**{MITMDUMP_VARIABLE: "/nonexistent/mitmdump"})
    )
    assert done.returncode == 0
    assert "skip" in done.stdout
    assert MITMDUMP_VARIABLE in done.stdout
