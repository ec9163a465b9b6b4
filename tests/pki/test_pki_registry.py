"""The registry's files say what the facts say, and nothing half read gets through."""

import base64
import hashlib
import json
import tomllib
from datetime import UTC, date, datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_tools import CERTS, FACTS, MINIMAL, real_certificates, rsa_key, shipped, spki

from kzmitm.errors import FingerprintError
from kzmitm.model.certificate import Name, NameAttribute
from kzmitm.model.verdict import Scope
from kzmitm.pki.entries import KnownAuthority
from kzmitm.pki.kinds import HARMLESS_KINDS, INTERCEPTION_KINDS, SCOPES, Kind, scope_of
from kzmitm.pki.patterns import MAX_VALUE, name_text, pattern
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.schema import as_utc
from kzmitm.resources import fingerprint_files

MCS = "2740d956b1127b791aa1b3cc644a4dbedba76186a23638b95102351a834ea861"
"""What was misused under CNNIC's root; the roots themselves signed for sites, and stand with former ones."""
needs_facts = pytest.mark.skipif(not FACTS.is_dir(), reason="the facts (../shared/facts) are not here")


def plain(value):
    """JSON and TOML on common ground: no nulls, no empty values, times as text."""
    if isinstance(value, dict):
        items = ((key, plain(entry)) for key, entry in value.items())
        return {key: entry for key, entry in items if entry not in (None, {}, [], "")}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return " ".join(value.split()) if isinstance(value, str) else value


def decoded(folder):
    files = {path: content for path, content in fingerprint_files().items() if path.startswith(f"{folder}/")}
    return {path: tomllib.loads(content.decode()) for path, content in files.items()}


def facts(name):
    return json.loads((FACTS / f"{name}.json").read_text())


NARROWED = {
    "(^|, ?)O=ISCA(,|$)": ["(^|, ?)O=ISCA, ?(.*, ?)?C=KZ(,|$)", "(^|, ?)C=KZ, ?(.*, ?)?O=ISCA(,|$)"],
}
"""Patterns of the facts that also fit others: ISCA is the name of societies elsewhere, too."""


@needs_facts
def test_no_fact_of_the_authorities_is_lost():
    entries = {document["id"]: document for document in decoded("authorities").values()}
    wanted = {}
    for fact in facts("authorities"):
        for certificate in fact["certificates"]:
            del certificate["pem"]
        patterns = [NARROWED.get(each, [each]) for each in fact["subject_patterns"]]
        fact["subject_patterns"] = list(chain.from_iterable(patterns))
        wanted[fact["id"]] = plain(fact)
    entries = {key: entry for key, entry in entries.items() if entry["kind"] not in HARMLESS_KINDS}
    known = {certificate["sha256"] for certificate in wanted["cnnic-mcs"]["certificates"]}
    moved = [one for one in wanted["cnnic-mcs"]["certificates"] if one["sha256"] != MCS]
    wanted["cnnic-mcs"]["certificates"] = [
        one for one in wanted["cnnic-mcs"]["certificates"] if one not in moved
    ]
    for digest in known - {MCS}:
        assert shipped().by_sha256[digest].incident == "cnnic-mcs"
    for document in entries.values():
        document.pop("traits", None)
        for certificate in document.get("certificates", ()):
            certificate.pop("public_key", None)
            certificate.pop("private_key_public", None)
    assert {key: plain(document) for key, document in entries.items()} == wanted
    assert len(wanted) == 50


@needs_facts
def test_no_fact_of_the_incidents_is_lost():
    entries = {document["id"]: plain(document) for document in decoded("incidents").values()}
    assert entries == {fact["id"]: plain(fact) for fact in facts("incidents")}


@needs_facts
def test_no_fact_of_the_networks_is_lost():
    assert plain(tomllib.loads(fingerprint_files()["networks.toml"].decode())) == plain(facts("networks"))


@needs_facts
def test_no_fact_of_the_measured_intermediates_is_lost():
    (document,) = decoded("observations").values()
    assert document.pop("id") == "ooni-2024-intermediates"
    assert document.pop("authority") == "kz-isca"
    document["source"] = document.pop("sources")[0]
    assert plain(document) == plain(facts("ooni-2024-intermediates"))


def test_the_measured_intermediates_are_certificates_of_their_authority():
    (observed,) = shipped().observations.values()
    for entry in observed["intermediates"]:
        known = shipped().by_sha1[entry["sha1"]]
        assert known.authority == "kz-isca"
        assert known.document["serial"] == entry["serial_hex"]
        assert int(entry["serial_hex"], 16) == int(entry["serial_decimal"])
        assert known.not_before == entry["not_before"]
        assert (known.not_after - known.not_before).days == entry["validity_days"] == 75
        assert known.document.get("signed_by_sha256") == entry.get("signed_by", {}).get("root_sha256")


def test_every_hash_that_an_incident_names_is_known():
    for incident in shipped().incidents.values():
        for digest in incident.document.get("root_sha256", ()):
            assert digest in shipped().by_sha256
        for phase in incident.document.get("phases", ()):
            assert phase.get("root_sha256", digest_of_a_known()) in shipped().by_sha256


def digest_of_a_known():
    return next(iter(shipped().by_sha256))


@pytest.mark.skipif(not CERTS.is_dir(), reason="the real certificates (../shared/certs) are not here")
def test_keys_in_full_are_those_of_the_real_certificates():
    known = [shipped().by_sha256[certificate.sha256] for certificate in real_certificates()]
    with_key = [entry for entry in known if entry.public_key is not None]
    assert len(known) == 29
    assert len(with_key) == 28  # all but the leaf of 2020
    for entry in with_key:
        assert hashlib.sha256(entry.public_key).hexdigest() == entry.spki_sha256
    for certificate in real_certificates():
        entry = shipped().by_sha256[certificate.sha256]
        assert (entry.sha1, entry.spki_sha256) == (certificate.sha1, certificate.spki_sha256)
        assert int(entry.document["serial"], 16) == certificate.serial
        assert entry.subject == str(certificate.subject)


@needs_facts
def test_no_root_that_a_public_programme_trusts_is_called_anything():
    trusted = [root for root in facts("public-roots")["roots"] if root["trusted_by"]]
    assert len(trusted) > 100
    for root in trusted:
        for known in (shipped().by_sha256.get(root["sha256"]), shipped().by_spki.get(root["spki_sha256"])):
            assert known is None or shipped().authorities[known.authority].kind is Kind.FORMER_CA
        forward = ", ".join((root["subject"] or "").split(","))
        backward = ", ".join(reversed((root["subject"] or "").split(",")))
        for authority in shipped().authorities.values():
            for compiled in authority.patterns:
                assert not compiled.search(forward), (authority.id, forward)
                assert not compiled.search(backward), (authority.id, backward)


def test_every_shipped_file_says_where_it_is_from():
    for path, content in fingerprint_files().items():
        document = tomllib.loads(content.decode())
        assert document.get("sources") or document.get("evidence_note"), path


def test_ten_interception_roots_have_their_keys_in_full():
    roots = [
        entry
        for authority in shipped().authorities.values()
        if authority.kind is Kind.STATE_INTERCEPTION
        for entry in authority.certificates
        if entry.role == "root"
    ]
    assert len(roots) == 10
    assert all(entry in shipped().signers for entry in roots)
    assert {entry.signature_octets for entry in roots} == {512}


def test_the_key_that_chromium_took_for_a_certificate_is_found_either_way():
    (by_key,) = shipped().lookup("3472E4F1 6C570E0D:d388")
    assert by_key.label.startswith("key:3472e4f1")
    (by_certificate,) = shipped().lookup("235150de")
    assert by_certificate.label.startswith("certificate:235150de")
    assert by_key.certificate is by_certificate.certificate
    assert by_key.authority.id == "kz-isca"


@pytest.mark.parametrize(
    ("digits", "labels"),
    [
        ("certificate:235150de7df7", ["certificate:235150de"]),
        ("key:235150de7df7", []),
        ("key:3472e4f1", ["key:3472e4f1"]),
        ("bfd7f531eca8e3d65b4738167b160b7a95a8d894", ["certificate:bfd7f531"]),
        ("3472e4f", []),
        ("", []),
        ("no hash at all", []),
    ],
)
def test_lookup_keeps_hashes_of_certificates_and_of_keys_apart(digits, labels):
    assert [match.label[: match.label.index(":") + 9] for match in shipped().lookup(digits)] == labels


def test_kinds_have_scopes():
    assert set(SCOPES) == set(Kind)
    assert scope_of("state_interception") is Scope.STATE
    assert scope_of("isp_interception") is Scope.ISP
    assert scope_of("no_kind") is Scope.UNKNOWN
    assert Kind.STATE_PKI not in INTERCEPTION_KINDS


def test_watch_lists():
    lists = shipped().watchlists
    assert set(lists) == {"default", "kz-2019", "kz-2021-2024", "controls"}
    assert {entry.id for entry in lists.values() if entry.sensitive} == {"kz-2019", "kz-2021-2024"}
    assert len(lists["default"].names) <= 40
    assert set(lists["default"].names) < set(lists["kz-2019"].names)
    assert set(lists["kz-2019"].names) == set(shipped().incidents["kz-2019-qaznet"].domains)
    assert set(shipped().incidents["kz-2021-2024-isca"].domains) < set(lists["kz-2021-2024"].names)
    everything_reported = {name for incident in shipped().incidents.values() for name in incident.domains}
    assert not everything_reported & set(lists["controls"].names)


def test_no_sensitive_name_is_in_a_list_that_is_not_marked():
    groups = shipped().incidents["kz-2019-qaznet"].document["domains"]["groups"]
    exposing = {name for group in groups if group.get("sensitive") for name in group["domains"]}
    exposing |= set(shipped().incidents["kz-2021-2024-isca"].domains)
    for entry in shipped().watchlists.values():
        assert entry.sensitive or not exposing & set(entry.names)


def test_networks():
    networks = shipped().networks
    assert networks[9198].name == "Kazakhtelecom"
    assert networks[9198].share == 29.1
    assert networks[41798].share is None


def authority_file(text: str = "", identity: str = "xx") -> dict[str, bytes]:
    """A minimal authority whose top-level keys come first."""
    return {f"authorities/{identity}.toml": text.encode() + b"\n" + MINIMAL % identity.encode()}


def certificate_file(text: str) -> dict[str, bytes]:
    return {"authorities/xx.toml": MINIMAL % b"xx" + b'[[certificates]]\nrole = "root"\n' + text.encode()}


def trait_file(text: str) -> dict[str, bytes]:
    return {"authorities/xx.toml": MINIMAL % b"xx" + b'[[traits]]\nid = "t"\n' + text.encode()}


FORGER = b'id = "f"\nname = "F"\ntelling = ["exponent"]\n[require]\nexponent = 3\n'
WATCH = 'id = "w"\ntitle = "W"\nsensitive = false\nsources = ["s"]\n'
KEY = base64.b64encode(spki(rsa_key("registry"))).decode()

WRONG = {
    "toml": ({"authorities/xx.toml": b"= 1"}, "authorities/xx.toml", "TOML"),
    "utf-8": ({"authorities/xx.toml": b'id = "\xff"'}, "authorities/xx.toml", "TOML"),
    "folder": ({"authoritees/xx.toml": b""}, "authoritees/xx.toml", "folder"),
    "id": ({"authorities/yy.toml": MINIMAL % b"xx"}, "authorities/yy.toml: id", "'yy'"),
    "id form": ({"authorities/X_x.toml": MINIMAL % b"X_x"}, "authorities/X_x.toml: id", "lower-case"),
    "unknown key": (authority_file("colour = 1"), "xx.toml: colour", "known key"),
    "missing key": ({"authorities/xx.toml": b'id = "xx"\nkind = "adware"'}, "xx.toml: names", "missing"),
    "no table": (
        {"authorities/xx.toml": b'id = "xx"\nkind = "adware"\nnames = 1'},
        "xx.toml: names",
        "table",
    ),
    "kind": (
        {"authorities/xx.toml": (MINIMAL % b"xx").replace(b"state_interception", b"evil")},
        "xx.toml: kind",
        "one of",
    ),
    "sha256 length": (certificate_file('sha256 = "abcd"'), "xx.toml: certificates[0].sha256", "64 digits"),
    "sha256 case": (certificate_file(f'sha256 = "{"A" * 64}"'), "certificates[0].sha256", "lower-case"),
    "sha1 length": (certificate_file(f'sha1 = "{"a" * 64}"'), "certificates[0].sha1", "40 digits"),
    "serial": (certificate_file('serial = "xyz"'), "certificates[0].serial", "hexadecimal"),
    "boolean": (certificate_file('is_ca = "yes"'), "certificates[0].is_ca", "true or false"),
    "integer": (certificate_file("rsa_exponent = true"), "certificates[0].rsa_exponent", "integer"),
    "moment": (certificate_file('not_before = "2020-01-01"'), "certificates[0].not_before", "quotes"),
    "offset": (certificate_file("not_before = 2020-01-01T00:00:00"), "certificates[0].not_before", "offset"),
    "order": (
        certificate_file("not_before = 2020-01-02\nnot_after = 2020-01-01"),
        "certificates[0].not_after",
        "before not_before",
    ),
    "base64": (certificate_file('public_key = "%%"'), "certificates[0].public_key", "base64"),
    "no key": (certificate_file('public_key = "AAAA"'), "certificates[0].public_key", "SubjectPublicKeyInfo"),
    "other key": (
        certificate_file(f'spki_sha256 = "{"a" * 64}"\npublic_key = "{KEY}"'),
        "certificates[0].public_key",
        "SHA-256",
    ),
    "list": (authority_file("sources = 1"), "xx.toml: sources", "list"),
    "empty text": (authority_file('notes = " "'), "xx.toml: notes", "empty"),
    "long text": (authority_file(f'notes = "{"x" * 20_000}"'), "xx.toml: notes", "longer"),
    "partial date": (authority_file('first_seen = "May 2020"'), "xx.toml: first_seen", "YYYY"),
    "no date": (authority_file('first_seen = "2020-13"'), "xx.toml: first_seen", "no date"),
    "pattern": (authority_file('subject_patterns = ["("]'), "subject_patterns[0]", "regular expression"),
    "pattern length": (
        authority_file(f'subject_patterns = ["{"a" * 201}"]'),
        "subject_patterns[0]",
        "longer",
    ),
    "repeated group": (authority_file("subject_patterns = ['(a|b)+c']"), "subject_patterns[0]", "slow"),
    "back reference": (authority_file("subject_patterns = ['(a)\\1']"), "subject_patterns[0]", "slow"),
    "repetitions": (authority_file("subject_patterns = ['a.*b.*c']"), "subject_patterns[0]", "slow"),
    "repetitions in braces": (
        authority_file("subject_patterns = ['a{0,60000}b{0,60000}c']"),
        "subject_patterns[0]",
        "slow",
    ),
    "group behind a backslash": (
        authority_file("subject_patterns = ['(a|\\\\)*b']"),
        "subject_patterns[0]",
        "slow",
    ),
    "look-around": (authority_file("subject_patterns = ['(?=a)b']"), "subject_patterns[0]", "slow"),
    "no finite share": (
        {"networks.toml": b"[[networks]]\nasn = 1\nname = 'a'\nrole = 'r'\nshare = nan"},
        "networks[0].share",
        "number",
    ),
    "deep nesting": ({"authorities/xx.toml": b"a = " + b"[" * 5000}, "authorities/xx.toml", "TOML"),
    "endless number": ({"authorities/xx.toml": b"a = " + b"9" * 5000}, "authorities/xx.toml", "TOML"),
    "matches all": (authority_file("subject_patterns = ['a*']"), "subject_patterns[0]", "every name"),
    "trait of names": (trait_file('subject_has = ["C=KZ"]'), "xx.toml: traits[0]", "names only"),
    "whole name of a root": (trait_file('issuer_is = ["C=KZ", "CN=x"]'), "xx.toml: traits[0]", "names only"),
    "name that is not whole": (
        trait_file('self_issued = false\nissuer_is = ["CN=x"]'),
        "xx.toml: traits[0].issuer_is",
        "no whole name",
    ),
    "trait days": (trait_file("validity_days = [3]"), "traits[0].validity_days", "shortest"),
    "trait day": (trait_file('not_before_date = "2020-01-01"'), "traits[0].not_before_date", "quotes"),
    "trait moment": (
        trait_file("not_before_date = 2020-01-01T00:00:00Z"),
        "traits[0].not_before_date",
        "date",
    ),
    "forger": ({"forgers/f.toml": FORGER.replace(b"exponent = 3", b"colour = 3")}, "require.colour", "known"),
    "telling": (
        {"forgers/f.toml": FORGER.replace(b'["exponent"]', b'["key"]')},
        "f.toml: telling",
        "[require]",
    ),
    "telling none": (
        {"forgers/f.toml": FORGER.replace(b'["exponent"]', b"[]")},
        "f.toml: telling",
        "at least",
    ),
    "forger range": ({"forgers/f.toml": FORGER + b"duration_s = [2, 1]\n"}, "require.duration_s", "lowest"),
    "incident": (
        {
            "incidents/i.toml": b'id = "i"\nkind = "interception"\ncountry = "KZ"\ntitle = "t"\n'
            b'start = "2019"\nca_ids = ["no"]'
        },
        "i.toml: ca_ids",
        "not in the registry",
    ),
    "observation": (
        {"observations/o.toml": b'id = "o"\nauthority = "no"'},
        "o.toml: authority",
        "not in the registry",
    ),
    "networks": (
        {"networks.toml": b"[[networks]]\nasn = 1\nname = 'a'\nrole = 'r'\n" * 2},
        "networks.toml: networks[1].asn",
        "twice",
    ),
    "share": (
        {"networks.toml": b"[[networks]]\nasn = 1\nname = 'a'\nrole = 'r'\nshare = true"},
        "networks[0].share",
        "number",
    ),
    "watch names": ({"watchlists/w.toml": f"{WATCH}names = []".encode()}, "w.toml: names", "1 to"),
    "watch twice": ({"watchlists/w.toml": f'{WATCH}names = ["a.b", "a.b"]'.encode()}, "w.toml: names", "a.b"),
    "watch form": ({"watchlists/w.toml": f'{WATCH}names = ["A.b"]'.encode()}, "w.toml: names[0]", "a.b"),
    "watch host": (
        {"watchlists/w.toml": f'{WATCH}names = ["a b"]'.encode()},
        "w.toml: names[0]",
        "host name",
    ),
}


@pytest.mark.parametrize(("files", "where", "why"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_with_file_and_key(files, where, why):
    with pytest.raises(FingerprintError) as caught:
        parse_registry(files)
    assert where in str(caught.value)
    assert why in str(caught.value)
    assert "README" in caught.value.hint


@pytest.mark.parametrize("field", ["sha256", "sha1", "spki_sha256"])
def test_two_authorities_cannot_claim_one_hash(field):
    digest = "ab" * (20 if field == "sha1" else 32)
    entry = f'[[certificates]]\nrole = "root"\n{field} = "{digest}"\n'.encode()
    files = {f"authorities/{i}.toml": MINIMAL % i.encode() + entry for i in ("xx", "yy")}
    with pytest.raises(FingerprintError, match=rf"yy\.toml: certificates\[0\]\.{field}: {digest} .* xx"):
        parse_registry(files)


def test_certificates_of_one_authority_may_share_a_key():
    digest = hashlib.sha256(spki(rsa_key("registry"))).hexdigest()
    entries = f"""
[[certificates]]
role = "root"
spki_sha256 = "{digest}"
[[certificates]]
role = "root"
public_key = "{KEY}"
[[certificates]]
role = "root"
spki_sha256 = "{digest}"
"""
    registry = parse_registry({"authorities/xx.toml": MINIMAL % b"xx" + entries.encode()})
    (signer,) = registry.signers
    assert signer is registry.by_spki[digest]
    assert signer.signature_octets == 256


def test_an_empty_registry_is_one():
    registry = parse_registry({})
    assert not registry.authorities
    assert not registry.networks
    assert registry.lookup("a" * 64) == ()


def test_the_version_follows_every_change_and_no_order():
    files = dict(fingerprint_files())
    version = parse_registry(files).version
    assert len(version) == 16
    assert parse_registry(dict(reversed(files.items()))).version == version
    assert parse_registry(files).version == shipped().version == version
    changed = files | {"authorities/kz-isca.toml": files["authorities/kz-isca.toml"] + b"# more\n"}
    assert parse_registry(changed).version != version
    renamed = {
        ("authorities/zz.toml" if "av-avg" in path else path): content for path, content in files.items()
    }
    renamed["authorities/zz.toml"] = renamed["authorities/zz.toml"].replace(b"av-avg", b"zz")
    assert parse_registry(renamed).version != version


def test_an_overlay_replaces_by_id():
    files = fingerprint_files() | {"authorities/kz-qaznet.toml": MINIMAL % b"kz-qaznet"}
    entry = parse_registry(files).authorities["kz-qaznet"]
    assert isinstance(entry, KnownAuthority)
    assert (entry.name, entry.certificates) == ("Example", ())


def test_a_day_ends_with_its_last_second():
    assert as_utc(None) is None
    assert as_utc(date(2027, 3, 6)) == datetime(2027, 3, 6, tzinfo=UTC)
    assert as_utc(date(2027, 3, 6), end=True) == datetime(2027, 3, 6, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", [r"CN=a\(b\)+", r"CN=[*+(){}]x+", r"CN=(a|b)?c*", r"CN=\d{2}", r"CN=[]*]", r"(^|, ?)O=ISCA(,|$)"]
)
def test_patterns_that_stay_fast_are_taken(text):
    pattern(text, "here")


def test_shipped_patterns_pass_their_own_rules():
    for authority in shipped().authorities.values():
        for compiled in authority.patterns:
            pattern(compiled.pattern, "shipped")


@given(
    st.dictionaries(st.sampled_from(["authorities/a.toml", "forgers/b.toml", "x"]), st.binary(max_size=80))
)
def test_any_octets_give_a_registry_or_a_fingerprint_error(files):
    try:
        parse_registry(files)
    except FingerprintError as error:
        said = str(error)
        assert said


def test_the_text_of_a_name_is_bounded():
    many = Name(b"", tuple(NameAttribute("2.5.4.3", "x" * 10_000_000) for _ in range(40)))
    assert len(name_text(many)) < 17 * (MAX_VALUE + 10)
    assert name_text(many).endswith("…")
    assert (
        name_text(Name(b"", (NameAttribute("1.2.3", "v"), NameAttribute("2.5.4.6", "KZ")))) == "1.2.3=v, C=KZ"
    )
