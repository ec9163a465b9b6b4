"""Trust stores: the shipped snapshot, files of users, lookups."""

import ssl
from dataclasses import replace

import chain_factory as cf
import pytest
from chain_factory import intermediate, root

from kzmitm.errors import FingerprintError, UsageError
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.checks import Rules, issuer_faults
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.store import parse_store, pinned_store
from kzmitm.resources import truststore_files

ROOT, OTHER = root("O=One, CN=One"), root("O=Two, CN=Two")


def pem(*issued: cf.Issued) -> bytes:
    return "\n".join(f"# text {i}\n" + ssl.DER_cert_to_PEM_cert(c.der) for i, c in enumerate(issued)).encode()


def test_parse_store():
    content = pem(ROOT, OTHER, ROOT)
    store = parse_store(content, name="mine", version="7", date="2026-01-02")
    assert (store.name, store.version, store.date) == ("mine", "7", "2026-01-02")
    assert [a.der for a in store.anchors] == [ROOT.der, OTHER.der]
    assert len(store.sha256) == 64
    one = parse_certificate(ROOT.der)
    assert store.with_subject(one.subject) == (store.anchors[0],)
    assert store.with_key(one.spki_sha256) == (store.anchors[0],)
    assert store.with_key(None) == ()
    assert one in store
    assert parse_certificate(intermediate(ROOT).der) not in store
    assert store.organizations == {"one", "two"}


def test_anchors_of_one_name_are_all_found():
    twin = root("O=one,  CN=ONE")
    store = parse_store(pem(ROOT, twin), name="x", version="", date="")
    assert len(store.with_subject(parse_certificate(twin.der).subject)) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ],
)
def test_a_store_without_a_usable_certificate_is_refused(content):
    with pytest.raises(UsageError, match="no certificate that could be trusted"):
        parse_store(content, name="mine", version="", date="")


def test_one_bad_block_does_not_spoil_a_store():
    bad = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"
    assert len(parse_store(bad + pem(ROOT), name="x", version="", date="").anchors) == 1


def test_the_shipped_snapshot_is_what_its_description_says():
    store = pinned_store(truststore_files())
    assert len(store.anchors) > 100
    assert store.date.count("-") == 2
    assert all(a.parse_error is None for a in store.anchors)
    assert len({a.sha256 for a in store.anchors}) == len(store.anchors)


def test_every_shipped_anchor_could_anchor_a_path():
    cache = CertificateCache()
    for anchor in pinned_store(truststore_files()).anchors:
        assert issuer_faults(cache.anatomy(anchor), Rules(), is_anchor=True) == [], anchor.subject
        assert cache.is_signed_by(anchor, anchor)


@pytest.mark.parametrize("spoil", ["absent", "altered", "meta", "count"])
def test_a_damaged_snapshot_is_refused(spoil):
    files = truststore_files()
    match spoil:
        case "absent":
            del files["mozilla.toml"]
        case "altered":
            files["mozilla.pem"] += b"\n"
        case "meta":
            files["mozilla.toml"] = b"name = "
        case _:
            files["mozilla.toml"] = files["mozilla.toml"].replace(b"count = ", b"count = 9")
    with pytest.raises(FingerprintError, match="truststore/mozilla"):
        pinned_store(files)


def test_a_store_is_a_value():
    store = parse_store(pem(ROOT), name="x", version="", date="")
    assert store == replace(store)
    assert "anchors" in repr(store)
