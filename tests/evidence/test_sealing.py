"""What we seal is opened by the real `age`, with keys of the real age-keygen and ssh-keygen."""

import base64
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from kzmitm.errors import UsageError
from kzmitm.evidence import sealing
from kzmitm.evidence.sealing import is_available, is_sealed, parse_recipient, read_recipients, seal

if not is_available():
    pytest.skip("pyrage is not installed", allow_module_level=True)

needs_age = pytest.mark.skipif(not shutil.which("age"), reason="age is not installed")
needs_ssh_keygen = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
P = 2**255 - 19
COMMENT = "aigerim@home-laptop"


def bech32(hrp, octets):
    """An encoder by BIP 173, so that keys which no tool would make can be made."""
    padding = -len(octets) * 8 % 5
    bits = int.from_bytes(octets, "big") << padding
    count = (len(octets) * 8 + padding) // 5
    data = [bits >> 5 * (count - 1 - i) & 31 for i in range(count)]
    check = 1
    for value in [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp] + data + [0] * 6:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= g if top >> i & 1 else 0
    check ^= 1
    return f"{hrp}1" + "".join(CHARSET[v] for v in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


def ssh(kind, fields):
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()}"


def x25519_pair(n=1):
    """A public key of age and its secret half."""
    secret = X25519PrivateKey.from_private_bytes(bytes([n]) * 32)
    public = bech32("age", secret.public_key().public_bytes_raw())
    return public, bech32("age-secret-key-", secret.private_bytes_raw()).upper()


def point(n):
    return n.to_bytes(32, "little")


AGE, AGE_SECRET = x25519_pair()
ED25519_OCTETS = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32).public_key().public_bytes_raw()
ED25519 = ssh("ssh-ed25519", [ED25519_OCTETS])
RSA = ssh("ssh-rsa", [b"\1\0\1", b"\0" + b"\xff" * 256])
# Points of the orders 1, 2, 4 and 8, some of them written as numbers above the prime.
ORDER_8_U = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
LOW_X25519 = [point(0), point(1), point(P - 1), point(P), point(P + 1), bytes.fromhex(ORDER_8_U)]
ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
LOW_ED25519 = [point(0), point(1), point(P - 1), point(P), point(P + 1), bytes.fromhex(ORDER_8)]


def made_by_keygen(folder, kind, options=()):
    path = folder / f"id_{kind}"
    command = ["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-C", COMMENT, "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text(), path


def opened(sealed, identity):
    command = ["age", "--decrypt", "-i", str(identity)]
    return subprocess.run(command, input=sealed, capture_output=True, check=True).stdout


def refused(call, value):
    with pytest.raises(UsageError) as caught:
        call(value)
    for line in (str(caught.value), caught.value.hint):
        assert line.isprintable()
        assert line
    return str(caught.value), caught.value.hint


@needs_age
@pytest.mark.parametrize("size", [0, 1, 65536, 3 << 20], ids=str)
def test_age_opens_what_is_sealed_to_a_key_of_its_own(tmp_path, size):
    subprocess.run(["age-keygen", "-o", tmp_path / "key"], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", tmp_path / "key"], check=True, capture_output=True).stdout
    octets = bytes(i * i % 251 for i in range(size))
    sealed = seal(octets, [parse_recipient(public.decode())])
    assert is_sealed(sealed)
    assert opened(sealed, tmp_path / "key") == octets


@needs_age
@needs_ssh_keygen
@pytest.mark.parametrize(
    ("kind", "options"), [("ed25519", []), ("rsa", ["-b", "2048"])], ids=["ed25519", "rsa"]
)
def test_age_opens_what_is_sealed_to_an_ssh_key(tmp_path, kind, options):
    public, identity = made_by_keygen(tmp_path, kind, options)
    recipient = parse_recipient(public)
    assert recipient.text == " ".join(public.split()[:2])
    sealed = seal(b"bundle", [recipient])
    assert opened(sealed, identity) == b"bundle"
    assert COMMENT.encode() not in sealed
    assert COMMENT not in repr(recipient)


@needs_age
@needs_ssh_keygen
def test_every_recipient_opens_it_and_no_other(tmp_path):
    public, ssh_identity = made_by_keygen(tmp_path, "ed25519")
    lines = [x25519_pair(1)[0], x25519_pair(2)[0], public]
    (tmp_path / "partners").write_text("\n".join(lines))
    sealed = seal(b"bundle", read_recipients(str(tmp_path / "partners")))
    for n in (1, 2, 3):
        (tmp_path / f"key{n}").write_text(x25519_pair(n)[1])
    for identity in (tmp_path / "key1", tmp_path / "key2", ssh_identity):
        assert opened(sealed, identity) == b"bundle"
    with pytest.raises(subprocess.CalledProcessError):
        opened(sealed, tmp_path / "key3")


def test_the_same_octets_are_never_sealed_alike_and_are_not_in_it():
    octets = b"the same octets"
    first, second = (seal(octets, [parse_recipient(AGE)]) for _ in range(2))
    assert first != second
    assert octets not in first


def test_nobody_is_no_recipient():
    with pytest.raises(ValueError, match="nobody"):
        seal(b"", [])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"age-encryption.org/v1\n-> X25519", True),
        (b"age-encryption.org/v1", False),
        (b"age-encryption.org/v2\n", False),
        (b"PK\3\4", False),
        (b"", False),
    ],
)
def test_a_sealed_file_is_known_by_its_beginning(head, expected):
    assert is_sealed(head) is expected


@pytest.mark.parametrize(
    ("given_text", "text"),
    [
        (f"  {AGE}\r\n", AGE),
        (AGE.upper(), AGE),
        (f"{ED25519} {COMMENT}", ED25519),
        (f"{ED25519} two words # and more", ED25519),
        (ED25519.replace(" ", "\t"), ED25519),
        (f"{RSA}  {COMMENT}", RSA),
    ],
)
def test_a_recipient_is_its_key_alone(given_text, text):
    assert parse_recipient(given_text) == parse_recipient(text)
    assert parse_recipient(given_text).text == text


SECRETS = {
    "age": AGE_SECRET,
    "age in lower case": AGE_SECRET.lower(),
    "age, cut": AGE_SECRET[:30],
    "age, in an identity file": f"# public key: {AGE}\n{AGE_SECRET}",
    "age, post-quantum": "AGE-SECRET-KEY-PQ-1QQQQQQQQ",
    "a plugin of age": "AGE-PLUGIN-YUBIKEY-1QQQQQQQQQQQ",
    "ssh": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
    "ssh, one line": "-----BEGIN RSA PRIVATE KEY-----",
    "PuTTY": "PuTTY-User-Key-File-3: ssh-ed25519",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("with_library", [True, False])
def test_a_secret_half_is_refused_and_not_repeated(tmp_path, monkeypatch, secret, with_library):
    path = tmp_path / "key"
    path.write_text(f"# mine\n{secret}\n")
    told = [refused(read_recipients, str(path))] if with_library else []
    if not with_library:
        monkeypatch.setitem(sys.modules, "pyrage", None)
    told += [refused(parse_recipient, secret), refused(read_recipients, secret)]
    for message, hint in told:
        assert "secret half" in message
        assert "public half" in hint
        for part in secret.split():
            assert len(part) < 20 or part not in message + hint


BAD = {
    "nothing": ("", "not a public key"),
    "a word": ("partner", "not a public key"),
    "age, cut": (AGE[:-1], "incomplete or mistyped"),
    "age, mistyped": (AGE.replace(AGE[10], "q" if AGE[10] != "q" else "p"), "incomplete or mistyped"),
    "age, mixed case": (AGE[:20] + AGE[20:].upper(), "incomplete or mistyped"),
    "age, not ASCII": ("age1" + "ы" * 58, "incomplete or mistyped"),
    "age, half a character": ("age1\ud800", "incomplete or mistyped"),
    "age, 31 octets": (bech32("age", bytes(range(31))), "incomplete or mistyped"),
    "age, 33 octets": (bech32("age", bytes(range(33))), "incomplete or mistyped"),
    "age, with a comment": (f"{AGE} {COMMENT}", "nothing after it"),
    "age, of a plugin": (bech32("age1yubikey", bytes(range(33))), "plugin's"),
    "age, post-quantum": (bech32("age1pq", bytes(range(200))), "post-quantum"),
    "two keys": (f"{AGE}\n{AGE}", "more than one line"),
    "ssh-ed25519 alone": ("ssh-ed25519", "missing"),
    "ssh-ed25519, cut": (ED25519[:-1], "incomplete"),
    "ssh-ed25519, cut by a group": (ED25519[:-4], "incomplete"),
    "ssh-ed25519, not Base64": (ED25519.replace("A", "*"), "incomplete"),
    "ssh-ed25519, not ASCII": ("ssh-ed25519 ы", "incomplete"),
    "ssh-ed25519, octets left": (f"{ED25519}AAAA", "incomplete"),
    "ssh-ed25519, a field left": (ssh("ssh-ed25519", [ED25519_OCTETS, b""]), "incomplete"),
    "ssh-ed25519, 31 octets": (ssh("ssh-ed25519", [ED25519_OCTETS[:31]]), "incomplete"),
    "ssh-ed25519, no point": (ssh("ssh-ed25519", [point(2)]), "incomplete"),
    "ssh-ed25519 that is ssh-rsa": (RSA.replace("ssh-rsa", "ssh-ed25519"), "incomplete"),
    "ssh-rsa, cut": (RSA[:-4], "incomplete"),
    "ssh-rsa, written in another way": (
        ssh("ssh-rsa", [b"\3", b"\0" + b"\xff" * 256])[:-3] + "x==",
        "mistyped",
    ),
    "ssh-rsa, 1024 bits": (ssh("ssh-rsa", [b"\1\0\1", b"\0" + b"\xff" * 128]), "unfit"),
    "ssh-rsa, 16384 bits": (ssh("ssh-rsa", [b"\1\0\1", b"\0" + b"\xff" * 2048]), "unfit"),
    "ssh-rsa, exponent 1": (ssh("ssh-rsa", [b"\1", b"\0" + b"\xff" * 256]), "unfit"),
    "ecdsa": ("ecdsa-sha2-nistp256 AAAA", "cannot encrypt"),
    "a security key": ("sk-ssh-ed25519@openssh.com AAAA", "cannot encrypt"),
    "ssh-dss": ("ssh-dss AAAA", "cannot encrypt"),
    "a certificate": ("ssh-ed25519-cert-v01@openssh.com AAAA", "cannot encrypt"),
    "options of authorized_keys": (f"no-pty {ED25519}", "not a public key"),
    "PGP": ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "not a public key"),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_a_bad_key_is_refused_in_one_line(text, expected):
    message, _ = refused(parse_recipient, text)
    assert expected in message
    assert COMMENT not in message


@pytest.mark.parametrize("octets", LOW_X25519, ids=bytes.hex)
def test_a_key_of_age_that_everybody_could_open_is_refused(octets):
    assert "everybody" in refused(parse_recipient, bech32("age", octets))[0]


@pytest.mark.parametrize("octets", LOW_ED25519, ids=bytes.hex)
@pytest.mark.parametrize("sign", [0, 0x80], ids=["plus", "minus"])
def test_an_ssh_key_that_everybody_could_open_is_refused(octets, sign):
    text = ssh("ssh-ed25519", [octets[:-1] + bytes([octets[-1] | sign])])
    message, _ = refused(parse_recipient, text)
    assert "everybody" in message or "unfit" in message


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    path = tmp_path / "partners"
    path.write_text(AGE)
    recipients = read_recipients(str(path))
    monkeypatch.setitem(sys.modules, "pyrage", None)
    assert not is_available()
    for call in (parse_recipient, read_recipients):
        message, hint = refused(call, AGE)
        assert "pyrage" in message
        assert "kzmitm[seal]" in hint
    assert not refused(read_recipients, str(path))[0].startswith(str(path))
    with pytest.raises(UsageError):
        seal(b"", recipients)


def test_importing_the_module_does_not_import_the_library():
    code = "import sys, kzmitm.evidence.sealing; sys.exit('pyrage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_value_may_be_a_key_itself():
    assert read_recipients(AGE) == (parse_recipient(AGE),)
    assert read_recipients(f"{ED25519} {COMMENT}") == (parse_recipient(ED25519),)


@pytest.mark.parametrize("value", [AGE[:-1], "ssh-ed25519", "ecdsa-sha2-nistp256 AAAA", f"{AGE}\n{AGE}"])
def test_what_looks_like_a_key_is_not_looked_for_as_a_file(value):
    assert "cannot read" not in refused(read_recipients, value)[0] or "\n" in value


def test_a_file_has_a_key_a_line_comments_and_doubles(tmp_path):
    path = tmp_path / "ssh-keys.txt"
    comment = "Әйгерім".encode("utf-16-le")
    lines = [
        b"\xef\xbb\xbf# partners",
        AGE.encode(),
        b"",
        ED25519.encode() + b" " + comment,
        AGE.upper().encode(),
    ]
    path.write_bytes(b"\r\n".join(lines))
    assert [r.text for r in read_recipients(str(path))] == [AGE, ED25519]


FILES = {
    "nothing in it": (b"", "holds no key"),
    "comments only": (b"# nobody\n\n", "holds no key"),
    "a bad line": (f"{AGE}\n\n{AGE[:-1]}\n".encode(), ":3: not a key of age"),
    "a secret half": (f"# x\n{AGE_SECRET}\n".encode(), ":2: AGE-SECRET-KEY-…: that is the secret half"),
    "a long line": (b"x" * (sealing.MAX_LINE + 1), ":1: line longer"),
    "a long file": (b"#\n" * (sealing.MAX_FILE // 2 + 1), "longer than"),
    "UTF-16": (AGE.encode("utf-16"), ":1: not a public key"),
    "octets": (bytes(range(256)), ":1: not a public key"),
}


@pytest.mark.parametrize(("content", "expected"), FILES.values(), ids=FILES)
def test_a_bad_file_is_refused_with_the_line(tmp_path, content, expected):
    path = tmp_path / "partners"
    path.write_bytes(content)
    message, _ = refused(read_recipients, str(path))
    assert message.startswith(str(path))
    assert expected in message


def test_a_crowd_is_refused(tmp_path):
    path = tmp_path / "partners"
    crowd = [bech32("age", point(2**200 + n)) for n in range(sealing.MAX_RECIPIENTS + 1)]
    path.write_text("\n".join(crowd))
    assert "more than" in refused(read_recipients, str(path))[0]
    path.write_text("\n".join(crowd[1:]))
    assert len(read_recipients(str(path))) == sealing.MAX_RECIPIENTS


@pytest.mark.parametrize("value", ["", " ", "no/such/file", ".", "x" * 5000, "a\0b"])
def test_what_is_neither_key_nor_file_is_refused(value):
    with pytest.raises(UsageError) as caught:
        read_recipients(value)
    assert caught.value.hint


def test_the_path_of_a_plugins_key_is_a_path(tmp_path):
    path = tmp_path / "age-plugin-yubikey-1.txt"
    path.write_text(AGE)
    assert read_recipients(str(path)) == (parse_recipient(AGE),)


def check_any_text(text):
    try:
        recipient = parse_recipient(text)
    except UsageError as exc:
        told = [str(exc), exc.hint]
    else:
        told = [recipient.text]
        words = " ".join(text.split()[:2])
        assert recipient.text in (words, words.lower())
        assert parse_recipient(recipient.text) == recipient
        assert is_sealed(seal(b"", [recipient]))
    assert all(line and line.isprintable() for line in told)


@given(
    st.one_of(
        st.text(),
        st.text(alphabet=CHARSET).map("age1".__add__),
        st.binary(min_size=30, max_size=34).map(lambda octets: bech32("age", octets)),
        st.binary(max_size=80).map(lambda octets: f"ssh-ed25519 {base64.b64encode(octets).decode()}"),
        st.binary(min_size=32, max_size=32).map(lambda octets: ssh("ssh-ed25519", [octets])),
        st.lists(st.binary(max_size=300), max_size=4).map(lambda fields: ssh("ssh-rsa", fields)),
    )
)
def test_any_text_is_a_recipient_or_refused(text):
    check_any_text(text)


@given(st.sampled_from([AGE, ED25519, RSA]), st.data())
def test_a_damaged_key_is_another_key_or_refused(text, data):
    at = data.draw(st.integers(0, len(text) - 1))
    piece = data.draw(st.text(max_size=3))
    cut = data.draw(st.integers(0, 3))
    check_any_text(text[:at] + piece + text[at + cut :])


@given(st.text(st.characters(exclude_categories=["Cc", "Zl", "Zp"])))
def test_no_comment_survives(comment):
    assume(not any(mark in comment.casefold() for mark in ("key-", "age-plugin-")))
    assert parse_recipient(f"{ED25519} x{comment}").text == ED25519


def test_a_key_on_which_the_library_panics_is_refused():
    with pytest.raises(UsageError, match="not a key of ssh-rsa"):
        parse_recipient("ssh-rsa AAAAB3NzaC1yc2EAAAAAAAOMXGkAAAAD654PAAAAAo4o")
