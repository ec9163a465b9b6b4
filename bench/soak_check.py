"""Whether a campaign's folder holds one final result for every job, and what the site's own log says of each.

The files are read here by their description in docs/campaigns.md, and not by the code that wrote them; only
which jobs the plan has, and what a signature is, is asked of kzmitm.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import zstandard
from cryptography import x509

from kzmitm.campaign.plan import Plan, Share
from kzmitm.cli.campaign.opening import open_file
from kzmitm.evidence.signing.sshsig import verify
from kzmitm.pki.registry import parse_registry
from kzmitm.resources import fingerprint_files

MOST = 20
"""Complaints of one kind that are told."""


@dataclass(frozen=True)
class Expected:
    """What was to be done, where it is, and where the site and the others left their logs."""

    campaign: Path
    out: Path
    logs: Path
    rounds: int
    most_lost: int
    """Results at most of connections that never came to the site, as it or a proxy was away."""


@dataclass
class Found:
    """What is there, and what is amiss."""

    jobs: int = 0
    done: int = 0
    failed: int = 0
    connections: int = 0
    matched: int = 0
    """Results whose certificate the site made for exactly this connection."""
    broken: int = 0
    """Results without a certificate, of names whose connection the site broke."""
    lost: Counter[str] = field(default_factory=Counter)
    """Results without a certificate of which the site knows nothing, by vantage: the way was cut."""
    complaints: list[str] = field(default_factory=list)
    _told: Counter[str] = field(default_factory=Counter)

    def complain(self, kind: str, what: str) -> None:
        self._told[kind] += 1
        if self._told[kind] <= MOST:
            self.complaints.append(f"{kind}: {what}")

    def told(self) -> dict[str, object]:
        return {
            "jobs": self.jobs,
            "done": self.done,
            "failed": self.failed,
            "connections at the site": self.connections,
            "results with the certificate of their own connection": self.matched,
            "results of connections that the site broke": self.broken,
            "results of connections that never came to the site": dict(self.lost),
            "complaints": sum(self._told.values()),
        }


def check(expected: Expected) -> Found:
    """Compare everything with everything."""
    found = Found()
    plan = open_file(expected.campaign, parse_registry(fingerprint_files(()))).plan
    site = _site_log(expected.logs / "site.log", found)
    used: set[str] = set()
    for number in range(1, expected.rounds + 1):
        for share in plan.shares(number):
            _check_share(
                expected.out / f"rounds/{number:04d}/{share.vantage}", share, plan, site, used, found
            )
    if sum(found.lost.values()) > expected.most_lost:
        found.complain(
            "lost", f"{dict(found.lost)} never came to the site, at most {expected.most_lost} could"
        )
    _check_log(expected, found)
    _check_commands(expected, found)
    for path in sorted(expected.logs.glob("*.log")):
        text = path.read_text(errors="replace")
        # Who presses Ctrl-C before Python has loaded us hears of it from Python.
        if text.count("Traceback (") > text.count("\nKeyboardInterrupt"):
            found.complain("traceback", path.name)
    return found


def _site_log(path: Path, found: Found) -> dict[str, dict[str, str]]:
    """By name: what was done with its connections, by the serial number shown or their place in the log."""
    shown: dict[str, dict[str, str]] = defaultdict(dict)
    for number, line in enumerate(path.open()):
        told = json.loads(line)
        found.connections += 1
        shown[told["sni"]][told["serial"] or f"#{number}"] = told["done"]
    return shown


def _records(path: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    for line in path.read_bytes().splitlines():
        checksum, _, body = line.partition(b" ")
        if int(checksum, 16) != crc32(body):
            raise ValueError(f"{path}: a record with a wrong checksum")
        yield json.loads(body)


def _lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("[0-9]*.jsonl.zst")):
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            yield from reader.read().splitlines()


def _check_share(
    folder: Path, share: Share, plan: Plan, site: dict[str, dict[str, str]], used: set[str], found: Found
) -> None:
    name = f"round {share.round}, {share.vantage}"
    count = plan.jobs_per_share
    found.jobs += count
    try:
        rows = [row for each in _records(folder / "results.log") for row in each.get("results", ())]
        lines = list(_lines(folder))
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError, zstandard.ZstdError) as exc:
        found.complain("unreadable", f"{name}: {exc}")
        return
    states = {row[0]: row[1] for row in rows}
    if len(states) != len(rows):
        found.complain("told twice", f"{name}: {len(rows)} results of {len(states)} jobs")
    if set(states) != set(range(count)):
        found.complain("no result", f"{name}: {sorted(set(range(count)) - set(states))[:10]}")
    done = {number for number, state in states.items() if state == "done"}
    found.done, found.failed = found.done + len(done), found.failed + len(states) - len(done)
    _check_manifest(folder, manifest, name, (len(done), len(states) - len(done), count - len(states)), found)
    numbers = {plan.job(share, number).id: number for number in range(count)}
    signed = _receipts(folder)
    seen: Counter[int] = Counter()
    for line in lines:
        document = json.loads(line)
        number = numbers.get(document["annotations"]["campaign_job"], -1)
        seen[number] += 1
        target = plan.job(share, max(number, 0)).target
        if number < 0 or document["input"] != f"tlshandshake://{target.hostname}:{target.port}":
            found.complain("another job", f"{name}: {document['input']}")
            continue
        _check_line(document, share, site, used, found)
        if signed is not None:
            _check_receipt(line, signed.get(number), name, found)
    if set(seen) != done or set(seen.values()) - {1}:
        doubled = [number for number, times in seen.items() if times > 1]
        found.complain("lines", f"{name}: {len(done)} results, {len(lines)} lines, doubled {doubled[:10]}")


def _check_manifest(
    folder: Path,
    manifest: dict,
    name: str,
    counts: tuple[int, int, int],
    found: Found,  # type: ignore[type-arg]
) -> None:
    if manifest["jobs"] != dict(zip(("done", "failed", "left"), counts, strict=True)):
        found.complain("manifest", f"{name}: says {manifest['jobs']}, there are {counts}")
    told = {each["name"]: each["sha256"] for each in manifest["segments"]}
    there = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[0-9]*.jsonl.zst")
    }
    if told != there:
        found.complain("manifest", f"{name}: other segments or hashes than are there")


def _receipts(folder: Path) -> dict[int, tuple[str, str]] | None:
    path = folder / "receipts.log"
    if not path.exists():
        return None
    return {row[0]: (row[1], row[2]) for each in _records(path) for row in each.get("receipts", ())}


def _check_receipt(line: bytes, receipt: tuple[str, str] | None, name: str, found: Found) -> None:
    if receipt is None:
        found.complain("no receipt", name)
    elif verify(line, receipt[1].encode(), "kzmitm-work@v1").line != receipt[0]:
        found.complain("signature", name)


def _check_line(
    document: dict,
    share: Share,
    site: dict[str, dict[str, str]],
    used: set[str],
    found: Found,  # type: ignore[type-arg]
) -> None:
    """What the measurement says must be what the site did with one of its connections, and no other."""
    host = document["input"].removeprefix("tlshandshake://").partition(":")[0]
    known = site.get(host, {})
    keys = document["test_keys"]
    handshakes = keys.get("tls_handshakes") or ()
    shown = [chain[0]["data"] for each in handshakes if (chain := each.get("peer_certificates"))]
    for each in shown:
        serial = f"{x509.load_der_x509_certificate(base64.b64decode(each)).serial_number:x}"
        if known.get(serial) != "shown":
            found.complain("not of the site", f"{host}, round {share.round}, {share.vantage}: {serial}")
        elif serial in used:
            found.complain("counted twice", f"{host}, round {share.round}, {share.vantage}: {serial}")
        used.add(serial)
        found.matched += 1
    if shown:
        return
    connects = [each["status"] for each in keys.get("tcp_connect") or ()]
    if not any(each["failure"] for each in (*handshakes, *connects)):
        found.complain("no failure", f"{host}, round {share.round}, {share.vantage}: and no certificate")
    broken = [each for each, done in known.items() if each not in used and done != "shown"]
    if broken:
        used.add(broken[0])
        found.broken += 1
    else:
        found.lost[share.vantage] += 1


def _check_log(expected: Expected, found: Found) -> None:
    """Every round ended once, and the rounds came one after another."""
    events = [each for each in _records(expected.out / "campaign.log") if "event" in each]
    ended = [each["round"] for each in events if each["event"] == "round_finished"]
    if ended != list(range(1, expected.rounds + 1)):
        found.complain("rounds", f"finished were {ended}")


def _check_commands(expected: Expected, found: Found) -> None:
    """The commands that read a folder count what is there."""
    status = _command(found, "status", str(expected.out), "--json")
    told = json.loads(status)["shares"] if status else []
    counts = (sum(each["done"] for each in told), sum(each["failed"] for each in told))
    if counts != (found.done, found.failed):
        found.complain("status", f"tells {counts}")
    with tempfile.TemporaryDirectory(prefix="kzsoak-") as scratch:
        _check_share_of_another(expected, found, Path(scratch))


def _check_share_of_another(expected: Expected, found: Found, scratch: Path) -> None:
    """Packed, merged again, and read as an archive."""
    packed = scratch / "share.zip"
    _command(found, "pack", str(expected.out), "--sign-with", "soak", "--out", str(packed))
    merged = _command(
        found, "merge", str(packed), "--plan", str(expected.campaign), "--out", str(scratch / "whole"),
        "--store", str(expected.logs / "root.pem"), "--json",
    )  # fmt: skip
    taken = json.loads(merged)["taken"] if merged else 0
    if taken != found.done:
        found.complain("merge", f"took {taken} of {found.done}")
    read = _command(
        found, "analyze", str(expected.out), "--out", str(scratch / "rows"),
        "--store", str(expected.logs / "root.pem"), "--json", verb="ooni",
    )  # fmt: skip
    count = json.loads(read)["read"]["measurements"] if read else 0
    if count != found.done:
        found.complain("analyze", f"read {count} of {found.done}")


def _command(found: Found, *words: str, verb: str = "campaign") -> str:
    command = [sys.executable, "-m", "kzmitm", verb, *words]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode not in (0, 1, 3):
        found.complain("command", f"{verb} {words[0]} ended with {done.returncode}: {done.stderr[-200:]}")
        return ""
    return done.stdout
