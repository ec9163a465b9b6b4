"""Measurements that OONI's probes wrote: every form is read, nothing is lost, nobody is accused."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from archive_samples import Rows, both, document, enveloped, read, row
from judged_corpora import rows

from kzmitm import resources
from kzmitm.ooni.archive.analysis import Choice, Grounds, judge_folder
from kzmitm.ooni.archive.documents import decode_typed
from kzmitm.ooni.archive.parts import EXTRACT
from kzmitm.ooni.archive.planning import plan, sources_in
from kzmitm.ooni.archive.reading import documents
from kzmitm.ooni.archive.running import run_here
from kzmitm.ooni.archive.tolerant import object_in
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import pinned_store

sys.path.insert(0, str(Path(__file__).parents[1]))

from oonidata_here import oonidata_python

REAL = Path(__file__).with_name("real")
NAMES = sorted(path.name for path in REAL.glob("*.json*"))
READER = Path(__file__).with_name("handshakes_with_oonidata.py")


@cache
def lines_of(name):
    with (REAL / name).open("rb") as file:
        return [line for _, _, line in documents(file)]


@cache
def rows_of(name):
    """What is kept of a file with one measurement."""
    (line,) = lines_of(name)
    return read(line)


def chains_of(found):
    """The certificates of every handshake that was kept, by their SHA-256."""
    return [
        [sha256(der).hexdigest() for der in found.chains.get(each["chain"], ())] for each in found.handshakes
    ]


WHERE = {
    "browser-web-2023.json": ("2023-03-20 18:27:02", "CA", 577, "browser_web", "www.viber.com", 0),
    "collector-2018.jsonl": ("2018-11-01 15:33:20", "ZZ", 0, "dummy", "", 0),
    "dnscheck-2020.json": ("2020-12-02 12:36:37", "IT", 30722, "dnscheck", "dns.google", 2),
    "echcheck-2022.json": ("2022-10-02 14:51:22", "IN", 45609, "echcheck", "example.org", 2),
    "engine-2020-no-handshakes.json": (
        "2020-09-30 11:08:49", "VE", 8048, "web_connectivity", "www.venelogia.com", 0,
    ),
    "http-requests-2016.json": ("2016-07-06 00:01:00", "GB", 9105, "http_requests", "example.com", 0),
    "indonesia-2025.json": ("2025-05-27 23:31:08", "ID", 23693, "web_connectivity", "archive.org", 0),
    "iran-2020-private-address.json": (
        "2020-03-02 13:08:54", "IR", 197207, "web_connectivity", "fa.wikipedia.org", 0,
    ),
    "iran-2022-expired.json": ("2022-08-15 19:04:21", "IR", 197207, "web_connectivity", "yooz.ir", 1),
    "lte-2024-dns-to-impostor.json": (
        "2024-02-12 18:44:17", "IT", 137, "web_connectivity", "www.example.com", 2,
    ),
    "measurement-kit-2017.json": (
        "2017-07-25 17:55:45", "AU", 9443, "web_connectivity", "www.feminist.org", 0,
    ),
    "measurement-kit-2019.json": (
        "2019-07-20 20:18:30", "US", 20115, "web_connectivity", "www.collegehumor.com", 0,
    ),
    "measurement-kit-2020-refused.json": (
        "2020-09-30 11:08:49", "VE", 8048, "web_connectivity", "fsrn.org", 1,
    ),
    "meta-2019-dash.json": ("2019-09-30 21:27:15", "US", 17380, "dash", "", 0),
    "meta-2020-facebook-messenger.json": ("2020-03-04 18:37:43", "RU", 42610, "facebook_messenger", "", 0),
    "meta-2020-ooniprobe-2.1.json": (
        "2020-10-29 04:59:31", "RU", 51604, "web_connectivity", "www.pokerroom.com", 0,
    ),
    "meta-2026-facebook-messenger.json": ("2026-10-09 14:35:29", "RU", 12389, "facebook_messenger", "", 0),
    "no-test-keys-2021.json": ("2021-01-21 09:28:29", "US", 8075, "web_connectivity", "mail.google.com", 0),
    "ooniprobe-2.3-2018.json": (
        "2018-08-12 01:19:49", "MY", 4788, "web_connectivity", "www.religioustolerance.org", 0,
    ),
    "signal-2023.json": ("2023-05-30 18:08:35", "US", 7922, "signal", "", 1),
    "sni-blocking-2020.json": ("2020-01-28 15:27:18", "IT", 30722, "sni_blocking", "blocked.com", 1),
    "tlsping-2022.json": ("2022-06-22 13:35:52", "IT", 30722, "tlsping", "8.8.8.8", 2),
    "tor-2020-list.json": ("2020-01-10 09:32:14", "IT", 30722, "tor", "", 0),
    "tor-2020.json": ("2020-01-30 16:47:36", "IT", 30722, "tor", "", 0),
    "turkmenistan-2022-no-control.json": (
        "2022-05-24 01:20:29", "TM", 20661, "web_connectivity", "ajax.aspnetcdn.com", 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), WHERE.items(), ids=WHERE)
def test_when_where_and_what_was_measured(name, expected):
    (found,) = rows_of(name).measurements
    assert tuple(found[key] for key in ("time", "cc", "asn", "test", "host", "handshakes")) == expected


def test_every_file_is_told_of_once():
    manual = (REAL / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if manual.count(f"`{name}`") != 1] == []
    assert {*WHERE, "allot-2020.jsonl", "meta-not-there.json", "urlgetter-2022-no-scheme.jsonl"} == {*NAMES}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "meta-not-there.json"])
def test_both_readings_agree(name):
    for line in lines_of(name):
        told = object_in(line)
        fast, patient = read(line), read(enveloped(told))
        if not told.get("report_id"):  # then the name is made of the octets
            for found in (fast, patient):
                del found.measurements[0]["uid"]
        assert fast.kept == patient.kept


SLOW = {
    "collector-2018.jsonl", "dnscheck-2020.json", "echcheck-2022.json", "measurement-kit-2020-refused.json",
    "meta-2019-dash.json", "meta-2020-facebook-messenger.json", "meta-2020-ooniprobe-2.1.json",
    "meta-2026-facebook-messenger.json", "meta-not-there.json", "no-test-keys-2021.json",
    "sni-blocking-2020.json", "tlsping-2022.json", "tor-2020.json",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_fast_reading_takes_what_archives_are_full_of(name):
    assert [decode_typed(line) is None for line in lines_of(name)] == [name in SLOW] * len(lines_of(name))


HANDSHAKES = {
    "dnscheck-2020.json": [("8.8.4.4", 853, "dns.google", "", True, "", "", 2)] * 2,
    "echcheck-2022.json": [("93.184.216.34", 443, "example.org", "", False, "", "", 2)] * 2,
    "iran-2022-expired.json": [
        ("195.146.37.25", 443, "yooz.ir", "ssl_invalid_certificate", True, "", "", 1)
    ],
    "lte-2024-dns-to-impostor.json": [
        ("104.154.89.105", 443, "www.example.com", "ssl_unknown_authority", True, "",
         "ssl_unknown_authority", 1),
        ("93.184.216.34", 443, "www.example.com", "", True, "", "ok", 2),
    ],
    "measurement-kit-2020-refused.json": [
        ("", 0, "fsrn.org",
         "ssl_error: error:14007086:SSL routines:CONNECT_CR_CERT:certificate verify failed", True, "", "", 0)
    ],
    "signal-2023.json": [("142.251.46.211", 443, "storage.signal.org", "", True, "", "", 2)],
    "sni-blocking-2020.json": [
        ("37.218.245.90", 443, "blocked.com", "ssl_invalid_hostname", True, "other_name", "ok", 0)
    ],
    "tlsping-2022.json": [("8.8.8.8", 443, "8.8.8.8", "", True, "", "", 2)] * 2,
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), HANDSHAKES.items(), ids=HANDSHAKES)
def test_handshakes_with_their_addresses_names_and_certificates(name, expected):
    found = rows_of(name)
    keys = ("ip", "port", "name", "failure", "verified", "role", "control")
    kept = [
        (*(each[key] for key in keys), len(chain))
        for each, chain in zip(found.handshakes, chains_of(found), strict=True)
    ]
    assert kept == expected


def test_files_without_a_row_have_no_handshake():
    assert {name for name, told in WHERE.items() if told[-1]} == {*HANDSHAKES}


def test_handshakes_of_2020_without_names_of_a_run_with_options():
    told = [read(line).handshakes for line in lines_of("allot-2020.jsonl")]
    kept = [(each["ip"], each["name"], each["host"], each["failure"], each["verified"]) for (each,) in told]
    site = ("67.213.76.19", "", "www.womenonweb.org")
    assert kept == [(*site, "ssl_unknown_authority", True), (*site, "", False)]
    (ca,), (leaf, same_ca) = (chains_of(read(line))[0] for line in lines_of("allot-2020.jsonl"))
    assert ca == same_ca != leaf


SURROUNDINGS = {
    "indonesia-2025.json": ("", 1, "", "ok", "ok", "ok", True),
    "iran-2020-private-address.json": ("", 1, "generic_timeout_error", "ok", "ok", "", False),
    "iran-2022-expired.json": ("", 1, "", "ok", "ok", "ok", True),
    "measurement-kit-2017.json": ("", 1, "", "ok", "ok", "ok", True),
    "measurement-kit-2019.json": ("", 2, "", "ok", "ok", "ok", True),
    "meta-2020-facebook-messenger.json": ("", 5, "", "", "", "", None),
    "meta-2020-ooniprobe-2.1.json": ("", 1, "", "ok", "ok", "ok", True),
    "meta-2026-facebook-messenger.json": ("", 2, "connection_refused", "", "", "", None),
    "ooniprobe-2.3-2018.json": ("", 2, "", "ok", "ok", "ok", True),
    "turkmenistan-2022-no-control.json": ("", 1, "generic_timeout_error", "connection_refused", "", "", None),
}


@pytest.mark.parametrize(("name", "expected"), SURROUNDINGS.items(), ids=SURROUNDINGS)
def test_lookups_connects_and_the_control(name, expected):
    (found,) = rows_of(name).measurements
    keys = ("dns_failure", "addresses", "tcp_failure", "control", "control_dns", "control_tcp", "in_control")
    assert tuple(found[key] for key in keys) == expected


def test_an_answer_that_there_is_none_says_so():
    (line,) = lines_of("meta-not-there.json")
    assert Rows().add(line) == "an answer of OONI's API that there is no such measurement"


def test_an_answer_of_the_api_may_hold_the_measurement_as_it_is():
    (line,) = lines_of("meta-2020-ooniprobe-2.1.json")
    answer = json.loads(line)
    answer["raw_measurement"] = json.loads(answer["raw_measurement"])
    assert read(answer).kept == rows_of("meta-2020-ooniprobe-2.1.json").kept


OUTCOMES = {
    "allot-2020.jsonl": {("inconclusive", "unknown_and_no_control")},
    "dnscheck-2020.json": {("clean", "verified_by_the_probe")},
    "echcheck-2022.json": {("inconclusive", "named_after_a_public_ca")},
    "iran-2020-private-address.json": {("dns_hijack", "lookup_gives_a_private_address")},
    "iran-2022-expired.json": {("inconclusive", "named_after_a_public_ca")},
    "lte-2024-dns-to-impostor.json": {("dns_hijack", "control_refuses_this_address")},
    "measurement-kit-2020-refused.json": {("inconclusive", "no_certificate_kept")},
    "meta-2026-facebook-messenger.json": {("inconclusive", "connect_fails")},
    "signal-2023.json": {("clean", "verified_by_the_probe")},
    "sni-blocking-2020.json": {("inconclusive", "no_certificate_kept")},
    "tlsping-2022.json": {("clean", "verified_by_the_probe")},
    "turkmenistan-2022-no-control.json": {("inconclusive", "connect_fails")},
}
"""Of all others nothing can be said: no handshake was made, or none was written down."""


def judged(paths, out):
    for task in plan(sources_in(paths)):
        list(run_here([task], str(out / EXTRACT)))
    grounds = Grounds(
        parse_registry(resources.fingerprint_files([])), pinned_store(resources.truststore_files())
    )
    told = judge_folder(out, grounds, Choice())
    return told, rows(out), rows(out, "handshakes")


def test_nobody_is_accused(tmp_path):
    told, measurements, handshakes = judged([REAL], tmp_path)
    assert (told["read"]["bad"], told["read"]["measurements"]) == (1, len(WHERE) + 4)
    assert not [each for each in handshakes if each["outcome"] == "interception"]
    found = {}
    for each in measurements:
        name, verdict = each["source"].partition(":")[0], (each["outcome"], each["rule"].partition(".")[2])
        found.setdefault(name, set()).add(verdict)
    others = {*NAMES} - {*OUTCOMES, "meta-not-there.json"}
    assert found == OUTCOMES | {name: {("inconclusive", "nothing_measured")} for name in others}


def of_signal(failure, asn, version):
    """What probes wrote when they did not know Signal's new root yet (github.com/ooni/probe/issues/2344)."""
    (line,) = lines_of("signal-2023.json")
    made = json.loads(line)
    (shown,) = made["test_keys"]["tls_handshakes"]
    hosts = (
        "storage.signal.org",
        "cdn.signal.org",
        "cdn2.signal.org",
        "textsecure-service.whispersystems.org",
    )
    kept = shown["peer_certificates"][1:] if failure else shown["peer_certificates"]
    made["test_keys"]["tls_handshakes"] = [
        shown | {"failure": failure, "server_name": host, "peer_certificates": kept} for host in hosts
    ]
    return made | {"probe_asn": asn, "software_version": version, "report_id": f"{asn}{version}{failure}"}


@pytest.mark.parametrize("known_to_some", [False, True])
def test_an_application_with_a_root_of_its_own_is_no_interceptor(known_to_some, tmp_path):
    made = [
        of_signal("ssl_unknown_authority", asn, version)
        for asn in ("AS9198", "AS21299", "AS48503")
        for version in ("3.7.0", "3.6.0")
    ]
    made += [of_signal(None, "AS9198", "3.8.1")] if known_to_some else []
    path = tmp_path / "signal.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in made))
    _, _, handshakes = judged([path], tmp_path / "out")
    assert len(handshakes) == 4 * len(made)
    assert not [each for each in handshakes if each["outcome"] == "interception"]


def oonidata_sees(made):
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in made)
    done = subprocess.run(
        [oonidata_python(), str(READER)], input=lines, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_oonidata_sees_the_same_handshakes_and_certificates():
    names = [name for name in NAMES if name not in ("allot-2020.jsonl", "meta-not-there.json")]
    lines = [(name, line) for name in names for line in lines_of(name)]
    seen = oonidata_sees([object_in(line) for _, line in lines])
    found = [chains_of(read(line)) for _, line in lines]
    compared = {}
    for (name, _), theirs, ours in zip(lines, seen, found, strict=True):
        if theirs is not None:
            compared[name] = (theirs, ours)
    assert {name for name, (theirs, ours) in compared.items() if theirs and theirs == ours} == {
        "dnscheck-2020.json",
        "iran-2022-expired.json",
        "lte-2024-dns-to-impostor.json",
        "signal-2023.json",
    }
    assert not [name for name, (theirs, ours) in compared.items() if theirs and theirs != ours]


# Forms of files, and forms that measurements had, one thing each.


def test_a_postcan_as_the_collector_writes_it_now(tmp_path):
    """Envelopes say since 2025 whether the probe had credentials."""
    (line,) = lines_of("iran-2022-expired.json")
    post = json.dumps({"format": "json", "content": json.loads(line), "is_verified": "u"}).encode()
    path = tmp_path / "2022081519_IR_webconnectivity.n0.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        name = "2022081519_IR_webconnectivity/20220815190421.999962_IR_webconnectivity_68eb19b439326d60.post"
        about = tarfile.TarInfo(name)
        about.size = len(post)
        tar.addfile(about, io.BytesIO(post))
    with path.open("rb") as file:
        ((member, _, found),) = documents(file)
    assert member.endswith(".post")
    assert read(found).kept == rows_of("iran-2022-expired.json").kept


YAML = b"---\nbackend_version: 1.1.4\nprobe_cc: KZ\ntest_name: http_requests\n...\n---\ninput: http://a.kz\n...\n"
BOX = b"###########################################\n# OONI Probe Report for http_requests (0.2.4)\n" + YAML


@pytest.mark.parametrize("text", [YAML, BOX], ids=["plain", "box"])
def test_a_report_in_yaml_is_named_once(text):
    ((_, _, found),) = documents(io.BytesIO(gzip.compress(text)))
    assert Rows().add(found) == "a report in YAML, as before 2017: it tells of no certificate"


def test_an_envelope_around_yaml_is_named():
    post = {"format": "yaml", "content": YAML.decode()}
    assert (
        Rows().add(json.dumps(post).encode())
        == "a report in YAML, as before 2017: it tells of no certificate"
    )


def test_the_line_for_what_the_uploader_could_not_read_is_named():
    why = Rows().add(b"{}")
    assert why == "an empty object, as OONI's uploader writes for what it could not read"


def test_what_lz4_packed_says_how_to_open_it(tmp_path):
    path = tmp_path / "a.json.lz4"
    path.write_bytes(b"\x04\x22\x4d\x18\x60\x40\x82" + bytes(40))
    told, measurements, _ = judged([tmp_path], tmp_path / "out")
    assert not measurements
    assert told["read"]["problems"] == [
        {
            "source": "a.json.lz4",
            "line": 0,
            "why": "it is packed with LZ4, which is not read; unpack it with `lz4 -d`",
        }
    ]


EVENTS = [
    {"operation": "connect", "address": "192.0.2.1:443", "failure": None, "conn_id": 1, "t": 0.1},
    {"operation": "connect", "address": "192.0.2.2:443", "failure": None, "conn_id": 2, "t": 0.2},
    {"operation": "write", "failure": None, "conn_id": 1, "t": 0.3},
]


def old_row(**fields):
    made = row(**fields)
    for key in ("address", "transaction_id"):
        del made[key]
    return made


def test_connections_of_early_2020_are_told_apart_by_their_numbers():
    made = document(tls_handshakes=[old_row(conn_id=2), old_row(conn_id=1)], network_events=EVENTS)
    assert [each["ip"] for each in both(made)[1]] == ["192.0.2.2", "192.0.2.1"]


def test_a_number_that_no_event_has_gives_no_address():
    made = document(tls_handshakes=[old_row(conn_id=7)], network_events=EVENTS)
    assert [each["ip"] for each in both(made)[1]] == [""]


def test_without_numbers_each_lookup_counts_its_own_connections():
    """The events of one lookup say nothing of another's."""
    lookups = {
        f"https://192.0.2.{n}/": {
            "network_events": [
                {"operation": "connect", "address": f"192.0.2.{n}:443", "failure": None, "t": 0.1}
            ],
            "tls_handshakes": [old_row(t=9.0)],
        }
        for n in (1, 2)
    }
    made = document(lookups=lookups) | {"test_name": "dnscheck"}
    assert [each["ip"] for each in both(made)[1]] == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    "lookups",
    [None, [], "x", {}, {"a": None}, {"a": {"tls_handshakes": None}}, {"a": {"tls_handshakes": [5]}}],
)
def test_lookups_that_hold_nothing(lookups):
    assert not both(document(lookups=lookups) | {"test_name": "dnscheck"})[1]


def test_pings_had_lists_once():
    pings = [
        {"tls_handshake": [row(), row(failure=None)]},
        {"tls_handshakes": [row()]},
        {"tls_handshake": None},
    ]
    found = both(document(pings=pings) | {"test_name": "tlsping"})[1]
    assert [each["failure"] for each in found] == ["ssl_unknown_authority", "", "ssl_unknown_authority"]


RESOLVERS = {
    "nobody": ({}, 1),
    "system": ({"engine": "system"}, 1),
    "named": ({"resolver_hostname": "8.8.8.8", "resolver_port": 53}, 0),
    "udp": ({"engine": "udp", "resolver_hostname": None}, 0),
    "system-named": ({"engine": "system", "resolver_hostname": "8.8.8.8"}, 1),
    "no-text": ({"resolver_hostname": 8}, 1),
}


@pytest.mark.parametrize(("fields", "addresses"), RESOLVERS.values(), ids=RESOLVERS)
def test_lookups_that_name_no_program_are_the_systems_unless_they_name_a_resolver(fields, addresses):
    query = {"hostname": "example.kz", "failure": None, "answers": [{"ipv4": "192.0.2.1"}]} | fields
    ((found,), *_) = both(document(queries=[query]))
    assert found["addresses"] == addresses


SHELL = {
    "tcp_connect": None,
    "http_request": {"body_length": 0, "failure": None, "title": "", "headers": None, "status_code": 0},
    "dns": {"failure": None, "addrs": None},
}
"""What is left of a control that could not be asked."""


@pytest.mark.parametrize(
    ("control", "failure", "told"),
    [
        (SHELL, "connection_refused", ("connection_refused", "")),
        (SHELL, None, ("ok", "")),
        (
            SHELL | {"dns": {"failure": None, "addrs": ["192.0.2.1"]}},
            "connection_refused",
            ("connection_refused", ""),
        ),
        (SHELL | {"dns": {"failure": None, "addrs": ["192.0.2.1"]}}, None, ("ok", "ok")),
        (SHELL | {"dns": {"failure": "dns_nxdomain_error", "addrs": []}}, None, ("ok", "dns_nxdomain_error")),
    ],
)
def test_the_shell_of_a_control_that_failed_tells_nothing(control, failure, told):
    """Else every lookup that failed where the helper is blocked too would be a block of that site."""
    queries = [
        {"engine": "system", "hostname": "example.kz", "failure": "dns_nxdomain_error", "answers": None}
    ]
    ((found,), *_) = both(document(queries=queries, control=control, control_failure=failure))
    assert (found["control"], found["control_dns"]) == told
