"""Two certificates field by field, whatever the octets are."""

import console_lab as here
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import ec_key
from kzmitm.lab.console.comparison import compare, remarks
from kzmitm.lab.console.fields import MAX_PARTS, fields_of
from kzmitm.pki.extensions import SIGNED_CERTIFICATE_TIMESTAMPS

HOST = "social.lab.test"


@pytest.fixture(scope="module")
def genuine():
    return here.genuine(HOST).presented


@pytest.fixture(scope="module")
def forged():
    ca = LookAlikeCA(here.NOW)
    return ca.forge(here.genuine(HOST).certificate).presented


def by_field(rows):
    return {row.field: row for row in rows}


def odd_certificate(*, names=(HOST,), extension=None, common_name="x"):
    """A self-signed certificate with whatever a stranger may write into it."""
    key = ec_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(here.NOW).not_valid_after(here.NOW)
    san = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
    builder = builder.add_extension(san, critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(here.DER)


def test_what_was_forged_differs_and_what_was_copied_does_not(genuine, forged):
    rows = by_field(compare(forged, genuine))
    assert not rows["Subject"].differs
    assert not rows["Names it is for"].differs
    for field in (
        "Issuer",
        "Serial number",
        "Key",
        "SHA-256 of key",
        "Signature",
        "Extensions",
        "Valid from",
    ):
        assert rows[field].differs, field
    assert [part.text for part in rows["Exponent of the key"].presented] == ["3"]
    assert rows["Exponent of the key"].genuine == ()
    assert len(rows["Timestamps of logs (SCT)"].genuine) == 2
    assert rows["Timestamps of logs (SCT)"].presented == ()


def test_only_the_parts_that_the_other_lacks_are_marked(genuine, forged):
    extensions = by_field(compare(forged, genuine))["Extensions"]
    marks = {part.text: part.only_here for part in extensions.genuine}
    assert marks["Subject Alternative Name"] is False
    assert marks["Signed Certificate Timestamps"] is True


def test_how_it_was_forged_is_said(genuine, forged):
    said = remarks(forged, genuine, HOST)
    assert "its name is copied from the genuine certificate" in said
    assert "the exponent of its key is 3" in said
    assert remarks(genuine, genuine, HOST) == ()
    assert remarks((), genuine, HOST) == remarks(forged, (), HOST) == ()


def test_the_same_certificate_differs_nowhere(genuine):
    assert not any(row.differs for row in compare(genuine, genuine))


def test_one_certificate_alone_is_shown_without_marks(genuine):
    for rows in (compare((), genuine), compare(genuine, ())):
        assert rows
        assert not any(
            row.differs or part.only_here for row in rows for part in (*row.presented, *row.genuine)
        )
    assert compare((), ()) == ()


def test_names_of_strangers_are_harmless():
    rows = by_field(compare([odd_certificate(common_name="\u202egro.knab\x1b[2J")], ()))
    assert rows["Subject"].presented[0].text == r"CN = \u202egro.knab\x1b[2J"


def test_a_field_of_very_many_parts_is_cut():
    names = [f"n{number}.lab.test" for number in range(MAX_PARTS + 3)]
    parts = fields_of([odd_certificate(names=names)])["Names it is for"]
    assert len(parts) == MAX_PARTS + 1
    assert parts[-1] == "and 3 more"


@pytest.mark.parametrize(
    "value", [b"", b"\x04\x00", b"\x04\x04\x00\x02\x00\x09", b"\x30\x00", b"\x04\x06\x00\x04\x00\x02\x00\x00"]
)
def test_malformed_timestamps_are_said(value):
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(SIGNED_CERTIFICATE_TIMESTAMPS), value)
    said = fields_of([odd_certificate(extension=extension)])["Timestamps of logs (SCT)"]
    assert said in {("malformed",), ()}


@given(st.binary(max_size=200), st.integers(0, 1200), st.binary(min_size=1, max_size=3))
def test_garbage_is_shown_and_never_raises(garbage, place, octets):
    leaf = here.genuine(HOST).der
    bent = leaf[:place] + octets + leaf[place + len(octets) :]
    for came in (garbage, bent, leaf[:place]):
        for row in compare([came, garbage], [leaf]):
            assert all(part.text.isprintable() for part in (*row.presented, *row.genuine))
        remarks([came, garbage], [leaf], HOST)
