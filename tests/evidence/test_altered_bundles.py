"""One octet anywhere, in an archive or a folder, and the bundle is not what was signed: it is always seen."""

import os
import random
from functools import cache

import pytest
from bundle_samples import (
    BAG_INFO,
    BAGIT,
    COUNTERSIGN,
    KEY,
    MANIFEST,
    MEASUREMENTS,
    NAMESPACE,
    NOBODY,
    NOW,
    OTHER_KEY,
    PARTNER_KEY,
    README,
    SIGNATURE,
    TAG_MANIFEST,
    bag,
    build,
    entries,
    found,
    header_offsets,
    pack,
    payload,
    resign,
    root_of,
    sample,
    sample_files,
    unpack,
    verify_octets,
)

from kzmitm.evidence import layout
from kzmitm.evidence.attachments import attach
from kzmitm.evidence.signing.known_signers import KnownSigner, KnownSigners
from kzmitm.evidence.signing.sshsig import sign
from kzmitm.evidence.verification.verify import SignerStatus, Trust, verify_bundle

TAGS = (BAG_INFO, BAGIT, MANIFEST, TAG_MANIFEST, SIGNATURE)
PARTS = 8
"""Into which the offsets are dealt, so that workers share them."""
FLIPS = (0x01, 0x80)


def positions(octets: bytes, count: int = 24) -> list[int]:
    """First, last, middle, around newlines, and some by chance."""
    source = random.Random(len(octets))
    newlines = [i for i, each in enumerate(octets) if each == 10]
    chosen = {0, len(octets) - 1, len(octets) // 2, *newlines[:4], *newlines[-4:]}
    chosen |= {i - 1 for i in newlines[:3] if i}
    chosen |= {source.randrange(len(octets)) for _ in range(count)}
    return sorted(chosen)


class Altered:
    """A file on the disk, one octet of which is set at a time and set back."""

    def __init__(self, path, bundle=None):
        self._descriptor = os.open(path, os.O_RDWR)
        self._octets = path.read_bytes()
        self._bundle = bundle or path
        self.tried = 0

    def missed(self, changes):
        """The changes (offset, value) with which the bundle is still said to be unaltered."""
        missed = []
        for at, value in changes:
            if self._octets[at] == value:
                continue
            os.pwrite(self._descriptor, bytes([value]), at)
            self.tried += 1
            if verify_bundle(self._bundle, trust=NOBODY, now=NOW).is_unaltered:
                missed.append((at, value))
            os.pwrite(self._descriptor, self._octets[at : at + 1], at)
        return missed

    def close(self):
        os.close(self._descriptor)


@pytest.fixture
def altered():
    opened = []

    def start(path, bundle=None):
        opened.append(Altered(path, bundle))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@cache
def attached() -> dict[str, bytes]:
    """The usual bundle with a partner's countersignature."""
    files = sample_files()
    octets = sign(files[TAG_MANIFEST], PARTNER_KEY.private, COUNTERSIGN)
    return {**files, layout.attestation_name("attest-partner.sig", octets): octets}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.untraced
def test_each_octet_of_the_headers_of_an_archive(part, tmp_path, altered):
    path = tmp_path / "x.zip"
    path.write_bytes(pack(attached()))
    octets = path.read_bytes()
    assert found(verify_bundle(path, trust=NOBODY, now=NOW)) == []
    offsets = header_offsets(attached())[part::PARTS]
    file = altered(path)
    assert file.missed((at, octets[at] ^ flip) for at in offsets for flip in FLIPS) == []
    assert file.tried == len(offsets) * len(FLIPS)


def test_each_value_of_some_octets_of_the_headers(tmp_path, altered):
    """The first record of the directory, from its signature to its name, and the end."""
    path = tmp_path / "x.zip"
    path.write_bytes(sample())
    directory = len(sample()) - 22 - sum(len(m.central(0)) for m in entries(sample_files()))
    offsets = [*range(directory + 4, directory + 12), directory + 38, directory + 41, len(sample()) - 2]
    assert altered(path).missed((at, value) for at in offsets for value in range(256)) == []


@pytest.mark.parametrize("name", sorted(attached()))
@pytest.mark.untraced
def test_octets_of_the_content_of_an_archive(name, tmp_path, altered):
    path = tmp_path / "x.zip"
    path.write_bytes(pack(attached()))
    content = attached()[name]
    start = path.read_bytes().index(name.encode() + content) + len(name)
    changes = [(start + at, content[at] ^ flip) for at in positions(content) for flip in FLIPS]
    assert altered(path).missed(changes) == []


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", TAGS)
@pytest.mark.untraced
def test_each_octet_of_the_tag_files_of_a_folder(name, part, tmp_path, altered):
    place = unpack(sample_files(), tmp_path)
    content = sample_files()[name]
    file = altered(place / name, place)
    changes = [(at, content[at] ^ flip) for at in range(part, len(content), PARTS) for flip in FLIPS]
    assert file.missed(changes) == []
    assert file.tried


@pytest.mark.parametrize("name", sorted(set(attached()) - set(TAGS)))
@pytest.mark.untraced
def test_octets_of_the_payload_of_a_folder(name, tmp_path, altered):
    place = unpack(attached(), tmp_path)
    content = attached()[name]
    changes = [(at, content[at] ^ flip) for at in positions(content) for flip in FLIPS]
    changes += [(len(content) // 2, value) for value in range(256)]
    assert altered(place / name, place).missed(changes) == []


def _shifted(octets: bytes, at: int):
    yield octets[:at] + octets[at + 1 :]
    yield octets[:at] + b"\n" + octets[at:]
    yield octets[:at] + octets[at : at + 1] + octets[at:]


@pytest.mark.parametrize("name", sorted(attached()))
def test_an_octet_more_or_less_in_a_folder(name, tmp_path):
    place = unpack(attached(), tmp_path)
    content = attached()[name]
    for at in (0, 1, len(content) // 2, len(content) - 1, len(content)):
        for octets in _shifted(content, at):
            if octets == content:
                continue
            (place / name).write_bytes(octets)
            assert not verify_bundle(place, trust=NOBODY, now=NOW).is_unaltered, at
    for octets in (
        b"",
        content + b"\0",
        content * 2,
        b"\xef\xbb\xbf" + content,
        content.replace(b"\n", b"\r\n"),
    ):
        if octets != content:
            (place / name).write_bytes(octets)
            assert not verify_bundle(place, trust=NOBODY, now=NOW).is_unaltered


def test_an_octet_more_or_less_in_an_archive(tmp_path):
    octets = sample()
    for at in sorted(
        {*random.Random(3).sample(range(len(octets)), 60), *range(64), *range(len(octets) - 64, len(octets))}
    ):
        for other in _shifted(octets, at):
            assert not verify_octets(tmp_path, other).is_unaltered, at


def test_files_that_changed_places(tmp_path):
    files = sample_files()
    names = sorted(files)
    for first, second in zip(names, [*names[1:], names[0]], strict=True):
        swapped = {**files, first: files[second], second: files[first]}
        assert not verify_octets(tmp_path, pack(swapped, root_of(files))).is_unaltered
        renamed = entries(files)
        a, b = names.index(first), names.index(second)
        renamed[a].name, renamed[b].name = renamed[b].name, renamed[a].name
        assert not verify_octets(tmp_path, build(renamed)).is_unaltered


# --- other keys, other signatures


def known(*entries_of_it: tuple) -> Trust:
    return Trust(known=KnownSigners(tuple(KnownSigner((name,), key.public) for name, key in entries_of_it)))


def _resigned_by_another() -> bytes:
    """Changed, and signed again by somebody else under the old name."""
    files = {**payload(), README: b"evil"}
    other = bag(files, OTHER_KEY)
    info = other[BAG_INFO].replace(OTHER_KEY.name.encode(), KEY.name.encode())
    return resign(files, OTHER_KEY, bag_info=info)


def test_another_key_is_told_by_who_knows_the_right_one(tmp_path):
    octets = _resigned_by_another()
    seen = verify_octets(tmp_path, octets)
    assert (found(seen), seen.signer.status) == ([], SignerStatus.UNKNOWN)
    assert seen.signer.name == KEY.name
    for trust in (
        Trust(expected=KEY.public.fingerprint),
        known((KEY.name, KEY)),
        known(("almaty-7", OTHER_KEY), (KEY.name, KEY)),
    ):
        seen = verify_octets(tmp_path, octets, trust)
        assert found(seen) == [("signer_changed", SIGNATURE)]
        assert seen.signer.status is SignerStatus.CHANGED


def test_the_right_key_is_told(tmp_path):
    for trust, status, name in (
        (NOBODY, SignerStatus.UNKNOWN, ""),
        (Trust(expected=KEY.public.fingerprint), SignerStatus.EXPECTED, ""),
        (known((KEY.name, KEY)), SignerStatus.KNOWN, KEY.name),
        (known(("almaty-7", KEY), ("b", OTHER_KEY)), SignerStatus.KNOWN, "almaty-7"),
        (Trust(own={"x": KEY.public}), SignerStatus.OWN, "x"),
    ):
        seen = verify_octets(tmp_path, sample(), trust)
        assert (found(seen), seen.signer.status, seen.signer.known_as) == ([], status, name)


def test_an_expectation_that_is_no_fingerprint_is_never_met(tmp_path):
    for expected in ("SHA256:", "x", KEY.public.fingerprint[:-1], KEY.public.fingerprint.lower()):
        seen = verify_octets(tmp_path, sample(), Trust(expected=expected))
        assert found(seen) == [("signer_changed", SIGNATURE)]


def test_a_bundle_without_a_valid_signature_has_no_signer(tmp_path):
    octets = pack({**sample_files(), SIGNATURE: sample_files()[SIGNATURE].replace(b"U1NI", b"U1NJ")})
    seen = verify_octets(tmp_path, octets, Trust(expected=KEY.public.fingerprint))
    assert found(seen) == [("signature_invalid", SIGNATURE)]
    assert seen.signer is None


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_a_manifest_in_another_order_is_refused_though_signed(key, tmp_path):
    lines = bag(payload())[MANIFEST].splitlines(keepends=True)
    for order in (lines[::-1], lines[1:] + lines[:1], [lines[1], lines[0], *lines[2:]]):
        seen = verify_octets(tmp_path, resign(payload(), key, manifest=b"".join(order)))
        assert found(seen) == [("manifest_syntax", MANIFEST)]


def _signature(key, namespace: str, message: bytes | None = None) -> bytes:
    return sign(sample_files()[TAG_MANIFEST] if message is None else message, key.private, namespace)


SIGNATURES = {
    "of another bundle": lambda: bag({README: b"x"})[SIGNATURE],
    "over nothing": lambda: _signature(KEY, NAMESPACE, b""),
    "over the manifest": lambda: _signature(KEY, NAMESPACE, sample_files()[MANIFEST]),
    "for a countersignature": lambda: _signature(PARTNER_KEY, COUNTERSIGN),
    "for files": lambda: _signature(KEY, "file"),
    "for git": lambda: _signature(KEY, "git"),
    "for a longer namespace": lambda: _signature(KEY, NAMESPACE + "2"),
    "in lines of Windows": lambda: _signature(KEY, NAMESPACE).replace(b"\n", b"\r\n"),
    "with a blank": lambda: _signature(KEY, NAMESPACE).replace(b"AAAA", b"AA AA", 1),
    "twice": lambda: _signature(KEY, NAMESPACE) * 2,
    "without its armour": lambda: b"".join(_signature(KEY, NAMESPACE).splitlines()[1:-1]),
    "without its last newline": lambda: _signature(KEY, NAMESPACE)[:-1],
    "in one line": lambda: (
        b"-----BEGIN SSH SIGNATURE-----\n"
        + b"".join(_signature(KEY, NAMESPACE).splitlines()[1:-1])
        + b"\n-----END SSH SIGNATURE-----\n"
    ),
    "none": lambda: b"",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_another_signature_is_none(name, tmp_path):
    seen = verify_octets(tmp_path, pack({**sample_files(), SIGNATURE: SIGNATURES[name]()}))
    assert found(seen) == [("signature_invalid", SIGNATURE)]
    assert seen.signer is None


# --- what others attached


def test_a_countersignature_is_told(tmp_path):
    seen = verify_octets(tmp_path, pack(attached()))
    assert found(seen) == []
    assert [each.known_as for each in seen.attestations.countersignatures] == [""]
    seen = verify_octets(tmp_path, pack(attached()), known(("partner", PARTNER_KEY)))
    assert [each.known_as for each in seen.attestations.countersignatures] == ["partner"]


COUNTERSIGNATURES = {
    "the signature itself": lambda: sample_files()[SIGNATURE],
    "of a bundle": lambda: _signature(PARTNER_KEY, NAMESPACE),
    "over the signature": lambda: _signature(PARTNER_KEY, COUNTERSIGN, sample_files()[SIGNATURE]),
    "over another bundle": lambda: _signature(PARTNER_KEY, COUNTERSIGN, bag({README: b"x"})[TAG_MANIFEST]),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", COUNTERSIGNATURES)
def test_another_countersignature_is_none(name, tmp_path):
    octets = COUNTERSIGNATURES[name]()
    seen = verify_octets(tmp_path, pack({**sample_files(), "attest-partner.sig": octets}))
    assert found(seen) == [("countersignature_invalid", "attest-partner.sig")]
    named = layout.attestation_name("attest-partner.sig", octets)
    seen = verify_octets(tmp_path, pack({**sample_files(), named: octets}))
    assert found(seen) == [("countersignature_invalid", named)]
    assert not seen.attestations.countersignatures


def test_a_countersignature_in_the_name_of_a_partner(tmp_path):
    octets = _signature(OTHER_KEY, COUNTERSIGN)
    for name in ("attest-partner.sig", layout.attestation_name("attest-partner.sig", octets)):
        seen = verify_octets(
            tmp_path, pack({**sample_files(), name: octets}), known(("partner", PARTNER_KEY))
        )
        assert found(seen) == [("countersigner_changed", name)]


@pytest.mark.untraced
def test_each_octet_of_a_countersignature_whose_name_has_no_hash(tmp_path, altered):
    files = {**sample_files(), "attest-partner.sig": _signature(PARTNER_KEY, COUNTERSIGN)}
    place = unpack(files, tmp_path)
    content = files["attest-partner.sig"]
    file = altered(place / "attest-partner.sig", place)
    assert file.missed((at, content[at] ^ 1) for at in range(len(content))) == []


def test_what_was_attached_cannot_be_moved_to_another_bundle(tmp_path):
    other = bag({**payload(), README: b"other"})
    name = next(each for each in attached() if each.startswith("attest-"))
    seen = verify_octets(tmp_path, pack({**other, name: attached()[name]}))
    assert found(seen) == [("countersignature_invalid", name)]


def test_attaching_leaves_what_was_signed(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(sample())
    octets = _signature(PARTNER_KEY, COUNTERSIGN)
    attach(path, "attest-partner.sig", octets)
    assert path.read_bytes() == pack(attached())


def test_measurements_of_another_bundle(tmp_path):
    """Put in the place of those that were withheld."""
    files = {**sample_files(), MEASUREMENTS: payload(3)[MEASUREMENTS]}
    assert found(verify_octets(tmp_path, pack(files))) == [("file_changed", MEASUREMENTS)]
