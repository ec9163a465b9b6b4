"""At the public level nothing tells of the volunteer: every octet is searched for all that could.

The same search finds it all in the bundle that it was reduced from, else it would prove nothing.
"""

import base64
import getpass
import hashlib
import json
import locale
import os
import platform
import re
import socket
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from evidence_samples import CLEAN, FINISHED, INTERCEPTED, STARTED, Store, handshake, measurement
from journal_samples import (
    KEY,
    add,
    check_schemas,
    issue,
    members,
    plan,
    private_key,
    proof_of,
    proven,
    verified,
)

from kzmitm.evidence.assembly import readme
from kzmitm.evidence.container import open_container
from kzmitm.evidence.journal import JournalWriter, Signing, read_journal
from kzmitm.evidence.layout import Level
from kzmitm.evidence.recovery import write_bundle
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.evidence.schema import schema_text
from kzmitm.evidence.sharing import shared_files, write_shared
from kzmitm.model.observation import Alert, NetworkEvent
from kzmitm.model.target import Target, Vantage
from kzmitm.model.verdict import Cause, Confidence, Outcome, RuledOut, Scope, Verdict

HOST, USER = "aigerim-thinkpad", "aigerim.s"
ADDRESSES = ("10.77.66.55", "fd12:3456:789a::42", "100.64.91.92")
MAC = bytes.fromhex("02fc9a8b7c6d")
RESOLVERS = ("10.77.66.1", "2001:db8:53::53")
ZONE = "Asia/Qyzylorda"
LOCALE = "kk_KZ.UTF-8"
RELEASE = "6.1.0-28-qazaq-custom"
PROCESS = 987654321
SITE = "www0.example.test"
LEAF_SERIAL = 0x6A1B2C3D4E5F60718293A4B5C6D7E8F9
LEAF_FROM = datetime(2026, 1, 2, 1, 59, 48, tzinfo=UTC)
"""Minted an hour before the handshake."""


def minted():
    """What an interceptor forged for one connection."""
    issuer = x509.load_der_x509_certificate(issue("State CA", "State CA", is_ca=True))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SITE)])
    builder = x509.CertificateBuilder(
        issuer.subject, name, private_key(SITE).public_key(), LEAF_SERIAL, LEAF_FROM, LEAF_FROM + timedelta(7)
    )
    return builder.sign(private_key("State CA"), None).public_bytes(Encoding.DER)


LEAF = minted()
STATE = issue("State CA", "State CA", is_ca=True)
ANTIVIRUS = issue(f"Antivirus of {HOST}", f"Antivirus of {HOST}", serial=0x77AABBCCDD11223344, is_ca=True)
LOCAL_LEAF = issue("www1.example.test", f"Antivirus of {HOST}", serial=0x77AABBCCDD11223355)


def in_base64(octets):
    """How octets look inside of longer ones in base64, at each of three places."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + octets)
        middle = text[(shift * 8 + 5) // 6 : (shift + len(octets)) * 8 // 6]
        yield from (middle, middle.replace(b"+", b"-").replace(b"/", b"_"))


def octet_forms(octets):
    """Octets as they are, in hex of any kind, in base64, as a number."""
    yield octets
    for text in (
        octets.hex(),
        octets.hex().upper(),
        octets.hex(":"),
        octets.hex(":").upper(),
        octets.hex(" "),
    ):
        yield text.encode()
    yield octets.hex("-").encode()
    yield from in_base64(octets)
    if len(octets) >= 6:
        yield str(int.from_bytes(octets, "big")).encode()
        yield octets[::-1]


def text_forms(text):
    """A text in several spellings and codings."""
    for each in {text, text.lower(), text.upper(), json.dumps(text, ensure_ascii=False)[1:-1]}:
        octets = each.encode("utf-8", "replace")
        yield octets
        yield each.encode("utf-16-le", "replace")
        yield octets.hex().encode()
        yield from in_base64(octets)


def time_forms(moment):
    """A moment to the day or closer."""
    for form in (
        "%Y-%m-%d", "%H:%M:%S", "%Y%m%d", "%y%m%d%H%M", "%d.%m.%Y", "%d/%b/%Y", "%a, %d %b %Y", "%b %d %H:%M",
    ):  # fmt: skip
        yield moment.strftime(form).encode()
    local = moment + timedelta(hours=5)  # Qazaqstan
    yield local.strftime("%H:%M:%S").encode()
    seconds = int(moment.timestamp())
    yield from (
        str(seconds).encode(),
        f"{seconds:x}".encode(),
        seconds.to_bytes(4, "big"),
        seconds.to_bytes(4, "little"),
    )
    dos = (moment.year - 1980) << 25 | moment.month << 21 | moment.day << 16
    dos |= moment.hour << 11 | moment.minute << 5 | moment.second // 2
    yield dos.to_bytes(4, "little")


def certificate_forms(der):
    certificate = x509.load_der_x509_certificate(der)
    public = certificate.public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    for octets in (
        der,
        hashlib.sha256(der).digest(),
        hashlib.sha1(der).digest(),  # noqa: S324 (as others name certificates)
        hashlib.sha256(spki).digest(),
        hashlib.sha1(spki).digest(),  # noqa: S324
        key,
        certificate.signature,
        certificate.serial_number.to_bytes(20, "big").lstrip(b"\0"),
    ):
        yield from octet_forms(octets)
    yield certificate.public_bytes(Encoding.PEM)


def facts(words):
    """{what: its forms} of texts."""
    return {what: set(text_forms(text)) for what, text in words.items()}


def circumstances():
    """What the sample tells of the volunteer, by what it is."""
    found = facts(
        {
            "host": HOST,
            "user": USER,
            "home": f"/home/{USER}",
            "zone": ZONE,
            "locale": LOCALE,
            "release": RELEASE,
            "process": str(PROCESS),
            "proxy": "socks5://me:secret@10.9.8.7:1080",
            "network name": "Home of Aigerim",
            "campaign": "aigerim-almaty",
            "MAC": MAC.hex(":"),
            **{f"address {each}": each for each in (*ADDRESSES, *RESOLVERS)},
            "address of the site": "192.0.2.7",
        }
    )
    found["MAC"] |= set(octet_forms(MAC))
    for name, moment in (("started", STARTED), ("finished", FINISHED), ("minted", LEAF_FROM)):
        found[name] = set(time_forms(moment))
    for name, der in (("leaf", LEAF), ("local leaf", LOCAL_LEAF), ("antivirus", ANTIVIRUS)):
        found[name] = set(certificate_forms(der))
    found["proof"] = {form for octets in proof_parts() for form in octet_forms(octets)}
    found["name of the antivirus"] = set(text_forms(f"Antivirus of {HOST}"))
    return found


def proof_parts():
    proof = proof_of(SITE)
    return proof.client_random, proof.server_random, proof.signature, proof.transcript


def machine(tmp_path):
    """What this very computer knows of itself; texts so long that they are not there by chance."""
    own = readme().decode() + schema_text("scan") + " kzmitm default www0.example.test"  # words of ours
    texts = {
        "host": socket.gethostname(),
        "user": getpass.getuser(),
        "node": platform.node(),
        "release": platform.release(),
        "kernel": platform.version(),
        "machine-id": text_of("/etc/machine-id"),
        "boot-id": text_of("/proc/sys/kernel/random/boot_id"),
        "home": str(Path.home()),
        "folder": os.getcwd(),  # noqa: PTH109
        "temporary": str(tmp_path),
        "python": sys.executable,
        "prefix": sys.prefix,
        "zone": text_of("/etc/timezone"),
        "locale": ".".join(filter(None, locale.getlocale())),
        "cpu": next(iter(re.findall(r"model name\s*: (.+)", text_of("/proc/cpuinfo"))), ""),
        **{f"interface {each}": each for each in interface_addresses()},
        **{
            f"resolver {each}": each
            for each in re.findall(r"(?m)^nameserver (\S+)", text_of("/etc/resolv.conf"))
        },
        **{f"environment {name}": value for name, value in os.environ.items()},
    }
    return {
        what: text
        for what, text in texts.items()
        if len(text) > 5 and text not in own and not re.fullmatch(r"\d{1,7}|localhost|127\..*|::1", text)
    }


def text_of(path):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def interface_addresses():
    found = set(re.findall(r"(?s)(\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", text_of("/proc/net/fib_trie")))
    for line in text_of("/proc/net/if_inet6").splitlines():
        found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])))
    for path in Path("/sys/class/net").glob("*/address"):
        found.add(text_of(path))
    return found - {"127.0.0.1", "127.255.255.255", "::1", "00:00:00:00:00:00"}


def measured():
    """(measurement, verdict) with everything in it that could be."""
    vantage = Vantage("socks5://me:secret@10.9.8.7:1080", "socks5", "AS64500", "KZ", "Home of Aigerim")
    greeting = f"220 {HOST} knows {USER}".encode()
    events = (NetworkEvent("read", 0.25, 517), NetworkEvent("write", 0.26, 99, f"/home/{USER}: gone"))
    told = {"version": "TLSv1.3", "cipher_suite": "TLS_AES_128_GCM_SHA256", "events": events}
    forged = handshake(SITE, [LEAF, LEAF, STATE], proof=proof_of(SITE), **told)
    everything = f"{HOST} {USER} {' '.join(ADDRESSES)} {STARTED.isoformat()} {LEAF_SERIAL} {PROCESS}"
    scrubbed = RuledOut(Cause.LOCAL_ROOT, "local_root.not_found", everything)
    yield (
        replace(measurement(0, tls=[forged]), vantage=vantage, clock_offset_s=1.5, runtime_s=0.75),
        replace(INTERCEPTED, ruled_out=(scrubbed,)),
    )
    at_home = handshake("www1.example.test", [LOCAL_LEAF, ANTIVIRUS], **told)
    yield (
        replace(measurement(1, tls=[at_home]), vantage=vantage),
        Verdict(outcome=Outcome.INTERCEPTION, scope=Scope.LOCAL, confidence=Confidence.LIKELY),
    )
    words = f"unknown_failure: {HOST}: /home/{USER}/.config: {ADDRESSES[0]}"
    failed = handshake(
        "www2.example.test",
        failure=words,
        detail=words,
        first_bytes=greeting,
        alerts=(Alert(2, 40),),
        vantage_id="socks5://me:secret@10.9.8.7:1080",
    )
    m = measurement(2, tls=[failed])
    asked = replace(m.dns[0], engine="udp", resolver_address=RESOLVERS[0], failure=words)
    yield replace(m, dns=(asked,), vantage=vantage), Verdict(outcome=Outcome.BLOCKED, confidence=None)
    fixed = Target("www3.example.test", address=ADDRESSES[2])
    yield replace(proven(3), target=fixed, vantage=vantage), CLEAN


@pytest.fixture
def full(tmp_path, monkeypatch):
    """The bundle of the sample, made on a computer that is called as the sample says."""
    known = machine(tmp_path)
    for owner, name, value in (
        (socket, "gethostname", HOST), (platform, "node", HOST), (getpass, "getuser", USER),
        (os, "getpid", PROCESS),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, lambda value=value: value)
    monkeypatch.setattr(time, "tzname", (ZONE, ZONE))
    for name, value in (
        ("HOME", f"/home/{USER}"), ("USER", USER), ("LOGNAME", USER), ("HOSTNAME", HOST), ("LANG", LOCALE),
        ("LC_ALL", LOCALE), ("TZ", ZONE), ("SSH_CLIENT", f"{ADDRESSES[0]} 50505 22"),
        ("PWD", f"/home/{USER}/x"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    header = ScanHeader(
        started_at=STARTED,
        rules_version="7",
        registry_version="abc",
        store=Store(),
        vantage=Vantage("socks5://me:secret@10.9.8.7:1080", "socks5", "AS64500", "KZ", "Home of Aigerim"),
        options={"lists": ["default"], "timeout_s": 1.5, "judged_at": FINISHED, "path": f"/home/{USER}"},
    )
    environment = {
        "release": RELEASE,
        "resolvers": [*RESOLVERS],
        "circumstances": [HOST, ZONE, LOCALE, str(PROCESS), MAC.hex(":"), *ADDRESSES, "aigerim-almaty"],
        "machine": known,
    }
    chosen = plan(
        header=header,
        environment=environment,
        signing=Signing(campaign="aigerim-almaty"),
        target=f"{USER}.zip",
    )
    with JournalWriter.begin(tmp_path / USER / HOST, chosen) as writer:
        for m, verdict in measured():
            add(
                writer,
                m,
                verdict,
                explanation=f"Seen by {USER} on {HOST} at {STARTED}, leaf {LEAF_SERIAL:x}.",
            )
        writer.capture(MAC + LEAF + socket.inet_aton(ADDRESSES[0]))
        writer.finish(finished_at=FINISHED)
        path = write_bundle(read_journal(writer.medium), writer.medium.path, KEY)
    return path, facts(known)


def reduced(path, level):
    out = path.with_name(f"{level}.zip")
    with open_container(path) as container:
        write_shared(container, shared_files(container, level, timestamps=False), out)
    return out


def found_in(path, known):
    """Which of the facts stand anywhere in an archive, in any form."""
    places = [path.read_bytes(), *members(path).values(), *(name.encode() for name in members(path))]
    return {what for what, forms in known.items() if any(form in place for form in forms for place in places)}


def test_of_the_circumstances_nothing_is_found(full):
    path, _ = full
    known = circumstances()
    assert found_in(path, known) == set(known)  # the search finds what is there
    public = reduced(path, Level.PUBLIC)
    assert found_in(public, known) == set()
    assert verified(public).is_unaltered
    assert verified(path).is_unaltered


def test_of_this_computer_nothing_is_found(full):
    path, known = full
    assert {"python", "temporary", "release"} <= known.keys()
    assert found_in(path, known) == set(known)
    for level in (Level.PARTNER, Level.PUBLIC):
        assert found_in(reduced(path, level), known) == set()


def test_partners_get_what_was_measured_and_nothing_of_the_computer(full):
    path, _ = full
    known = circumstances()
    private = {"zone", "locale", "release", "campaign", "MAC"} | {f"address {RESOLVERS[1]}"}
    assert found_in(reduced(path, Level.PARTNER), known) == set(known) - private


def test_what_is_left_is_worth_publishing(full):
    path, _ = full
    public = reduced(path, Level.PUBLIC)
    files = members(public)
    (document,) = check_schemas(files)
    assert [(row["hostname"], row["outcome"], row["scope"]) for row in document["targets"]] == [
        (SITE, "interception", "state"),
        ("www1.example.test", "interception", "local"),
        ("www2.example.test", "blocked", None),
        ("www3.example.test", "clean", None),
    ]
    assert document["targets"][2]["handshake"]["failure"] == "unknown_failure"
    assert document["vantage"] == {"id": "", "kind": "socks5", "asn": "AS64500", "cc": "KZ"}
    assert document["week"] == "2026-W01"
    assert document["options"] == {"lists": ["default"], "timeout_s": "1.5"}
    state = hashlib.sha256(STATE).hexdigest()
    assert files[f"data/public/certs/{state}.der"] == STATE
    assert [each["sha256"] for each in document["targets"][0]["chain"]] == [state]
    assert document["targets"][1]["chain"] == []
    assert not any("/partner/" in name or "/full/" in name for name in files)


def test_the_archive_dates_and_names_nothing(full):
    """Neither times nor owners nor the file's own name are in its headers."""
    path, _ = full
    public = reduced(path, Level.PUBLIC)
    os.utime(public, (0, 0))
    again = reduced(path, Level.PARTNER)
    now = datetime.fromtimestamp(again.stat().st_mtime, UTC)
    for place in (public, again):
        octets = place.read_bytes()
        assert octets.count(b"\x00\x00\x21\x00") >= 2 * len(
            members(place)
        )  # 1980-01-01, as an archive must say
        assert now.strftime("%H:%M").encode() not in members(place)["bag-info.txt"]
        assert place.stem.encode() + b".zip" not in octets
