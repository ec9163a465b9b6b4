"""Our signatures and keys against the real ssh-keygen: the same octets, and the same judgement."""

import base64
import hashlib
import os
import stat
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

import pytest
from bundle_samples import (
    BAG_INFO,
    COUNTERSIGN,
    KEY,
    NAMESPACE,
    OTHER_KEY,
    TAG_MANIFEST,
    bag,
    payload,
    sample_files,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.errors import UsageError
from kzmitm.evidence.bag import manifest, parse_bag_info, parse_manifest
from kzmitm.evidence.damage import DamagedError
from kzmitm.evidence.signing.keys import (
    campaign_key,
    check_campaign,
    key_from_seed,
    load_key,
    new_key,
    own_keys,
)
from kzmitm.evidence.signing.known_signers import KnownSigners, _parse, read_known_signers, remember
from kzmitm.evidence.signing.sshsig import (
    PublicKey,
    SignatureError,
    parse_public_key,
    sign,
    verify,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MESSAGES = (b"", b"x", b"hello\n", bytes(range(256)) * 300, sample_files()[TAG_MANIFEST])
SIGNED = sign(b"hello\n", KEY.private, NAMESPACE)


def keygen(*arguments: object, stdin: bytes = b"", check: bool = True):
    done = subprocess.run(["ssh-keygen", *map(str, arguments)], input=stdin, capture_output=True, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def key_file(tmp_path):
    """The key as a file of OpenSSH."""
    path = tmp_path / "key"
    path.write_bytes(KEY.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    return path


# --- signatures


@pytest.mark.parametrize("namespace", [NAMESPACE, COUNTERSIGN, "file", "a"])
def test_a_signature_is_theirs_octet_by_octet(namespace, key_file, tmp_path):
    for number, message in enumerate(MESSAGES):
        path = tmp_path / f"message-{number}"
        path.write_bytes(message)
        keygen("-q", "-Y", "sign", "-f", key_file, "-n", namespace, path)
        theirs = path.with_name(f"{path.name}.sig").read_bytes()
        assert sign(message, KEY.private, namespace) == theirs
        assert verify(message, theirs, namespace) == KEY.public


def test_they_accept_ours(tmp_path):
    signers = tmp_path / "signers"
    signers.write_text(f'almaty-7 namespaces="{NAMESPACE}" {KEY.public.line}\n')
    signature = tmp_path / "x.sig"
    for message in MESSAGES:
        signature.write_bytes(sign(message, KEY.private, NAMESPACE))
        base = ("-s", signature, "-n", NAMESPACE)
        keygen("-Y", "check-novalidate", *base, stdin=message)
        keygen("-Y", "verify", "-f", signers, "-I", "almaty-7", *base, stdin=message)
        assert keygen("-Y", "check-novalidate", *base, stdin=message + b"x", check=False).returncode
        for identity, namespace in (("other", NAMESPACE), ("almaty-7", COUNTERSIGN), ("almaty-7", "file")):
            arguments = ("-Y", "verify", "-f", signers, "-I", identity, "-s", signature, "-n", namespace)
            assert keygen(*arguments, stdin=message, check=False).returncode


def test_a_bundle_can_be_checked_by_hand(tmp_path):
    """As its readme says: with sha256sum and ssh-keygen alone."""
    for name, octets in sample_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(octets)
    command = ["sha256sum", "--check", "--strict", "manifest-sha256.txt", TAG_MANIFEST]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    signature = tmp_path / f"{TAG_MANIFEST}.sig"
    keygen(
        "-Y", "check-novalidate", "-n", NAMESPACE, "-s", signature, stdin=sample_files()[TAG_MANIFEST]
    )  # fmt: skip


@pytest.mark.parametrize(
    "namespace", [COUNTERSIGN, "file", "", NAMESPACE[:-1], NAMESPACE + "x", NAMESPACE.upper()]
)
def test_another_namespace_is_refused(namespace):
    with pytest.raises(SignatureError):
        verify(b"hello\n", SIGNED, namespace)
    with pytest.raises(SignatureError):
        verify(b"hello\n", sign(b"hello\n", KEY.private, namespace), NAMESPACE)


def test_signatures_of_other_kinds_are_refused(tmp_path):
    (tmp_path / "m").write_bytes(b"hello\n")
    for kind, more in (("rsa", ("-b", "2048")), ("ecdsa", ())):
        keygen("-q", "-t", kind, *more, "-N", "", "-f", tmp_path / kind)
        keygen("-q", "-Y", "sign", "-f", tmp_path / kind, "-n", NAMESPACE, tmp_path / "m")
        signature = tmp_path / "m.sig"
        with pytest.raises(SignatureError):
            verify(b"hello\n", signature.read_bytes(), NAMESPACE)
        signature.unlink()


def test_a_signature_with_another_hash_is_refused(key_file, tmp_path):
    """Theirs with SHA-256 is good, and a second form of ours: one is enough."""
    (tmp_path / "m").write_bytes(b"hello\n")
    options = ("-O", "hashalg=sha256")
    keygen("-q", "-Y", "sign", *options, "-f", key_file, "-n", NAMESPACE, tmp_path / "m")
    with pytest.raises(SignatureError):
        verify(b"hello\n", (tmp_path / "m.sig").read_bytes(), NAMESPACE)


P = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL = sorted({y for root in (0, 1, P - 1, ORDER_8, P - ORDER_8) for y in (root, root + P) if y < 2**255})


@pytest.mark.parametrize("y", SMALL, ids=range(len(SMALL)))
@pytest.mark.parametrize("sign_bit", [0, 1 << 255])
def test_a_key_under_which_everything_is_signed_is_none(y, sign_bit):
    raw = (y | sign_bit).to_bytes(32, "little")
    with pytest.raises(SignatureError, match="low order"):
        parse_public_key(PublicKey(raw).blob)
    # R of order 1 and S = 0 verify under the neutral element, whatever the message.
    blob = base64.b64decode(b"".join(SIGNED.splitlines()[1:-1]))
    forged = blob.replace(KEY.public.raw, raw)[:-64] + (1).to_bytes(32, "little") + bytes(32)
    text = base64.b64encode(forged).decode()
    lines = [text[i : i + 70] for i in range(0, len(text), 70)]
    armoured = "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])
    for message in (b"hello\n", b"evil"):
        with pytest.raises(SignatureError, match="low order"):
            verify(message, armoured.encode(), NAMESPACE)


def test_a_signature_with_s_beyond_the_order_is_refused():
    """The same signature once more (RFC 8032, 5.1.7), which some verifiers take."""
    order = 2**252 + 27742317777372353535851937790883648493
    blob = base64.b64decode(b"".join(SIGNED.splitlines()[1:-1]))
    s = int.from_bytes(blob[-32:], "little") + order
    text = base64.b64encode(blob[:-32] + s.to_bytes(32, "little")).decode()
    lines = [text[i : i + 70] for i in range(0, len(text), 70)]
    armoured = "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])
    with pytest.raises(SignatureError):
        verify(b"hello\n", armoured.encode(), NAMESPACE)


def test_each_octet_of_a_signature():
    for at in range(len(SIGNED)):
        for flip in (1, 0x20, 0x80):
            altered = bytearray(SIGNED)
            altered[at] ^= flip
            with pytest.raises(SignatureError):
                verify(b"hello\n", bytes(altered), NAMESPACE)


# --- keys


def test_ssh_keygen_reads_our_keys(tmp_path):
    key, is_new = campaign_key(tmp_path / "keys", "almaty-7")
    path = tmp_path / "keys" / "almaty-7.key"
    assert is_new
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert keygen("-y", "-f", path).stdout.decode().split()[:2] == key.public.line.split()
    assert keygen("-l", "-f", path).stdout.decode().split()[1] == key.public.fingerprint
    again, is_new = campaign_key(tmp_path / "keys", "almaty-7")
    assert (again.public, again.name, is_new) == (key.public, key.name, False)
    assert own_keys(tmp_path / "keys") == {"almaty-7": key.public}
    assert new_key().public != new_key().public


def test_nothing_in_a_key_tells_who_made_it(tmp_path):
    campaign_key(tmp_path, "x")
    told = keygen("-l", "-f", tmp_path / "x.key").stdout.decode()
    assert told.split()[2:] in (["no", "comment", "(ED25519)"], ["(ED25519)"])


def test_we_read_their_keys(tmp_path):
    keygen("-q", "-t", "ed25519", "-N", "", "-C", "user@host", "-f", tmp_path / "theirs.key")
    key = load_key(tmp_path / "theirs.key")
    assert key.public.line == " ".join((tmp_path / "theirs.key.pub").read_text().split()[:2])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: keygen("-q", "-t", "ed25519", "-N", "secret", "-f", p), "passphrase"),
        (lambda p: keygen("-q", "-t", "ecdsa", "-N", "", "-f", p), "no Ed25519"),
        (lambda p: keygen("-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", p), "no Ed25519"),
        (lambda p: p.write_bytes(b""), "no private key"),
        (lambda p: p.write_bytes(b"x" * 20_000), "longer"),
        (lambda p: p.write_text(KEY.public.line), "no private key"),
        (lambda p: p.symlink_to("/dev/null"), "cannot be read"),
        (os.mkfifo, "plain file"),
        (lambda p: p.mkdir(), "plain file"),
    ],
    ids=["passphrase", "ECDSA", "RSA", "empty", "long", "public", "link", "FIFO", "folder"],
)
def test_what_is_no_key_of_ours(make, why, tmp_path):
    path = tmp_path / "x.key"
    make(path)
    if path.is_file():
        path.chmod(0o600)
    with pytest.raises(UsageError, match=why):
        load_key(path)
    assert own_keys(tmp_path) == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o610, 0o602])
def test_a_key_that_others_can_read_is_refused(mode, key_file):
    key_file.chmod(mode)
    with pytest.raises(UsageError, match="others can read"):
        load_key(key_file)


@pytest.mark.parametrize(
    "name", ["", "A", "a.b", "../a", "a/b", "a b", "-a", "a-", "ä", "a\n", "x" * 41, "nul", "com1"]
)
def test_names_of_campaigns(name, tmp_path):
    with pytest.raises(UsageError):
        campaign_key(tmp_path, name)
    assert not list(tmp_path.iterdir())
    assert check_campaign("x" * 40) == "x" * 40


# --- known signers

LINES = {
    "plain": "almaty-7 {key}",
    "comment": "almaty-7 {key} someone@host",
    "comment with an apostrophe": "almaty-7 {key} it's mine",
    "comment with an open quote": "almaty-7 {key} 'open",
    "comment with an open double quote": 'almaty-7 {key} "open',
    "quoted name": '"almaty-7" {key}',
    "quoted names": '"b,almaty-7" {key}',
    "quoted name with a blank": '"al maty,almaty-7" {key}',
    "names": "b,almaty-7,c {key}",
    "tabs": "almaty-7\t{key}",
    "blanks before": "   almaty-7 {key}",
    "blanks between": 'almaty-7   namespaces="kzmitm-*"   {key}',
    "comment line": "# hello ssh-ed25519 AAAA\nalmaty-7 {key}",
    "empty line": "\n   \nalmaty-7 {key}",
    "another kind of key": "almaty-7 ssh-dss AAAA\nalmaty-7 {key}",
    "namespaces": 'almaty-7 namespaces="kzmitm-bundle@v1" {key}',
    "some namespaces": 'almaty-7 namespaces="file,kzmitm-bundle@v1" {key}',
    "namespaces with a blank": 'almaty-7 namespaces="a b,kzmitm-*" {key}',
    "pattern": 'almaty-7 namespaces="kzmitm-*" {key}',
    "pattern of one": 'almaty-7 namespaces="kzmitm?bundle@v1" {key}',
    "upper case": 'almaty-7 NameSpaces="kzmitm-*" {key}',
    "other namespace": 'almaty-7 namespaces="file" {key}',
    "longer namespace": 'almaty-7 namespaces="kzmitm-bundle@v10" {key}',
    "bracket is no pattern": 'almaty-7 namespaces="kzmitm[-]bundle@v1" {key}',
    "forbidden namespace": 'almaty-7 namespaces="*,!kzmitm-bundle@v1" {key}',
    "forbidden namespace first": 'almaty-7 namespaces="!kzmitm-*,*" {key}',
    "another is forbidden": 'almaty-7 namespaces="!file,*" {key}',
    "only forbidden": 'almaty-7 namespaces="!file" {key}',
    "valid": 'almaty-7 valid-after="20200101" {key}',
    "valid Z": 'almaty-7 valid-after="20200101Z",valid-before="20900101000000Z" {key}',
    "valid UTC": 'almaty-7 valid-after="202001010000UTC" {key}',
    "all options": 'almaty-7 namespaces="kzmitm-*",valid-after="20200101Z",valid-before="20900101Z" {key}',
    "too late": 'almaty-7 valid-before="20200101Z" {key}',
    "too early": 'almaty-7 valid-after="20900101Z" {key}',
    "authority": "almaty-7 cert-authority {key}",
    "other key": "almaty-7 {other}",
    "other name": "b {key}",
    "one of two lines": "almaty-7 {other}\nalmaty-7 {key}",
}


@pytest.mark.parametrize("name", LINES)
def test_we_know_whom_they_know(name, tmp_path):
    signers, signature = tmp_path / "signers", tmp_path / "x.sig"
    signers.write_text(LINES[name].format(key=KEY.public.line, other=OTHER_KEY.public.line) + "\n")
    signature.write_bytes(SIGNED)
    base = ("-Y", "verify", "-f", signers, "-I", "almaty-7", "-n", NAMESPACE, "-s", signature)
    options = ("-O", "verify-time=20260601000000Z")
    theirs = not keygen(*base, *options, stdin=b"hello\n", check=False).returncode
    ours = "almaty-7" in read_known_signers(signers).names_of(KEY.public, NAMESPACE, NOW)
    assert ours == theirs
    assert (KEY.public in read_known_signers(signers).keys_of("almaty-7", NAMESPACE, NOW)) == theirs


REFUSED = {
    "unknown option": 'almaty-7 foo="x" {key}',
    "no quotes": "almaty-7 namespaces=kzmitm-* {key}",
    "no quotes around a time": "almaty-7 valid-after=20200101 {key}",
    "option twice": 'almaty-7 namespaces="a",namespaces="kzmitm-*" {key}',
    "options with a blank between": 'almaty-7 namespaces="a" namespaces="kzmitm-*" {key}',
    "open quote": 'almaty-7 namespaces="kzmitm-* {key}',
    "no value": "almaty-7 namespaces {key}",
    "value for a flag": 'almaty-7 cert-authority="x" {key}',
    "no time": 'almaty-7 valid-after="2020" {key}',
    "no date": 'almaty-7 valid-after="20201332" {key}',
    "words for a time": 'almaty-7 valid-after="tomorro1" {key}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_they_refuse_is_refused(name, tmp_path):
    signers, signature = tmp_path / "signers", tmp_path / "x.sig"
    signers.write_text(REFUSED[name].format(key=KEY.public.line) + "\n")
    signature.write_bytes(SIGNED)
    base = ("-Y", "verify", "-f", signers, "-I", "almaty-7", "-n", NAMESPACE, "-s", signature)
    assert keygen(*base, stdin=b"hello\n", check=False).returncode
    with pytest.raises(UsageError, match=":1:"):
        read_known_signers(signers)


@pytest.mark.parametrize(
    "line",
    [
        "almaty-7",
        "almaty-7 ssh-ed25519",
        "ssh-ed25519 AAAA",
        "almaty-7 ssh-ed25519 !!!!",
        "almaty-7 ssh-ed25519 AAAA",
        "almaty-7 ssh-ed25519 " + base64.b64encode(PublicKey(bytes(32)).blob).decode(),
        '"almaty-7 ssh-ed25519 AAAA',
    ],
)
def test_a_line_that_tells_no_signer_is_told(line, tmp_path):
    path = tmp_path / "signers"
    path.write_text(f"# ours\n{line}\n")
    with pytest.raises(UsageError, match=":2:"):
        read_known_signers(path)


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x0c", "\x85", "\x1c", "\r"])
def test_a_comment_ends_where_the_line_does(separator, tmp_path):
    path = tmp_path / "signers"
    path.write_bytes(f"# hello{separator}evil {KEY.public.line}\n".encode())
    assert read_known_signers(path) == KnownSigners()


def test_who_was_remembered_is_known_here_and_there(tmp_path):
    path, signature = tmp_path / "new" / "signers", tmp_path / "x.sig"
    remember(path, ["other"], OTHER_KEY.public, COUNTERSIGN)
    with path.open("ab") as file:
        file.write(b"# by hand, without newline")
    remember(path, [KEY.name, "almaty-7"], KEY.public, NAMESPACE)
    assert read_known_signers(path).names_of(KEY.public, NAMESPACE, NOW) == (KEY.name, "almaty-7")
    assert not read_known_signers(path).names_of(OTHER_KEY.public, NAMESPACE, NOW)
    signature.write_bytes(SIGNED)
    base = ("-Y", "verify", "-f", path, "-n", NAMESPACE, "-s", signature)
    keygen(*base, "-I", "almaty-7", stdin=b"hello\n")
    keygen(*base, "-I", KEY.name, stdin=b"hello\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name in ("", "a b", 'a"', "a,b", "a\n", "*", "!a", "#a", "x" * 65, "ä"):
        with pytest.raises(UsageError):
            remember(path, [name], KEY.public, NAMESPACE)


# --- anything at all


@given(st.binary(max_size=1200))
@settings(max_examples=200, deadline=None)
def test_no_octets_are_a_signature(octets):
    with pytest.raises(SignatureError):
        verify(b"hello\n", octets, NAMESPACE)


@cache
def _blob() -> bytes:
    return base64.b64decode(b"".join(SIGNED.splitlines()[1:-1]))


@given(st.integers(0, len(_blob())), st.integers(0, 40), st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_other_blob_is_a_signature(at, cut, octets):
    blob = _blob()[:at] + octets + _blob()[at + cut :]
    text = base64.b64encode(blob).decode()
    lines = [text[i : i + 70] for i in range(0, len(text), 70)]
    armoured = "\n".join(
        ["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]
    ).encode()
    if blob == _blob():
        assert verify(b"hello\n", armoured, NAMESPACE) == KEY.public
        return
    with pytest.raises(SignatureError):
        verify(b"hello\n", armoured, NAMESPACE)


def _mutations(octets: bytes):
    """Octets of which some were replaced, taken out or put in."""
    return st.tuples(st.integers(0, len(octets)), st.integers(0, 80), st.binary(max_size=80)).map(
        lambda each: octets[: each[0]] + each[2] + octets[each[0] + each[1] :]
    )


@given(_mutations(bag(payload())["manifest-sha256.txt"]) | st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_a_manifest_has_one_form(octets):
    try:
        listed = parse_manifest(octets, "manifest-sha256.txt")
    except DamagedError:
        return
    assert manifest(listed) == octets


@given(_mutations(sample_files()[BAG_INFO]) | st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_bag_info_has_one_form(octets):
    try:
        fields = parse_bag_info(octets)
    except DamagedError:
        return
    assert "".join(f"{key}: {value}\n" for key, value in fields.items()).encode() == octets


@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                "a",
                '"',
                " ",
                ",",
                "=",
                "namespaces",
                "valid-after",
                "20200101",
                "ssh-ed25519",
                KEY.public.line,
                "!",
                "#",
            ]
        ),
        max_size=12,
    ).map("".join)
)
@settings(max_examples=400, deadline=None)
def test_any_line_is_a_signer_or_told(line):
    try:
        found = _parse(line, "x:1")
    except UsageError:
        return
    if found is not None:
        assert len(found.key.raw) == 32
        found.signs(NAMESPACE, NOW)


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_file_of_signers_is_read_or_told(tmp_path_factory, octets):
    path = tmp_path_factory.getbasetemp() / "signers"
    path.write_bytes(octets)
    with suppress(UsageError):
        assert isinstance(read_known_signers(path), KnownSigners)


def test_a_file_of_signers_that_is_none(tmp_path):
    assert read_known_signers(tmp_path / "none") == KnownSigners()
    (tmp_path / "long").write_bytes(b"#" * (1 << 20 | 1))
    os.mkfifo(tmp_path / "fifo")
    for name in ("long", "fifo"):
        with pytest.raises(UsageError):
            read_known_signers(tmp_path / name)


def test_names_of_keys_follow_from_them_and_tell_nothing():
    assert KEY.name == key_from_seed(bytes(range(32))).name
    assert KEY.name != OTHER_KEY.name
    assert KEY.name.removeprefix("signer-") not in (
        hashlib.sha256(KEY.public.raw).hexdigest()[:16],
        hashlib.sha256(KEY.public.blob).hexdigest()[:16],
    )
