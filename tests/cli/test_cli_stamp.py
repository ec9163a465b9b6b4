"""stamp as its users call it, with a real authority on loopback: what is sent, said, kept and refused."""

import hashlib
import json
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cli_bundles import HEADER, NOON, ROW, write
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))
from tsa_support import StampingAuthority, serving, tlv, with_certificates_turned_round

from kzmitm.evidence import layout
from kzmitm.evidence.container import open_container
from kzmitm.evidence.schema import schema_text


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def bundle(tmp_path):
    return write(tmp_path / "b.zip", [ROW], header=HEADER, finished_at=NOON)


@pytest.fixture
def folder(bundle, tmp_path):
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")
    [inner] = (tmp_path / "unpacked").iterdir()
    return inner


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return StampingAuthority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def tsa(authority):
    with serving(lambda handler, body: handler.reply(authority.reply(body))) as server:
        server.root = authority.folder / "root.pem"
        yield server


def attached(path):
    with open_container(path) as container:
        return [name for name in container.names if name.startswith("attest-")]


def read(path, name):
    with open_container(path) as container:
        return container.read(name, max_bytes=1 << 20)


def unpacked(path, folder):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    [inner] = folder.iterdir()
    return inner


def test_a_result_is_stamped_and_the_timestamp_is_found_again(bundle, tsa, kzmitm, tmp_path):
    signature = read(bundle, layout.SIGNATURE)
    ended = kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", tsa.root)
    assert ended.code == 0, ended.err
    [name] = attached(bundle)
    assert name.startswith("attest-127-0-0-1-")
    assert name.endswith(".tsr")
    assert ".unchecked" not in name
    assert ended.out.startswith("STAMPED: existed at 20")
    assert ended.out.endswith(f"says CN=Stamp Signer ({name})\n")
    assert read(bundle, layout.SIGNATURE) == signature

    again = kzmitm("verify", bundle, "--tsa-root", tsa.root)
    assert again.out.startswith("UNALTERED")
    assert f"says CN=Stamp Signer ({name})" in again.out
    inner = unpacked(bundle, tmp_path / "by-hand")
    words = ["openssl", "ts", "-verify", "-in", name, "-data", layout.SIGNATURE, "-CAfile", tsa.root]
    assert b"Verification: OK" in subprocess.run(words, cwd=inner, capture_output=True, check=True).stdout


def test_only_a_hash_is_sent_and_that_is_said_before(bundle, authority, kzmitm, capsys):
    said = []

    def answer(handler, body):
        said.append(capsys.readouterr().err)
        handler.reply(authority.reply(body))

    with serving(answer) as tsa:
        kzmitm("stamp", bundle, "--tsa", tsa.url)
        [(_path, headers, body)] = tsa.requests
    assert "To 127.0.0.1 goes a hash of the result's signature, and nothing else." in said[0]
    assert "this computer's IP address" in said[0]
    assert "from the partner's network" in said[0]
    assert hashlib.sha256(read(bundle, layout.SIGNATURE)).digest() in body
    assert len(body) == 69
    assert not any("kzmitm" in value.lower() for value in headers.values())


def test_no_consent_is_needed_and_none_is_recorded(bundle, tsa, kzmitm, home):
    assert kzmitm("stamp", bundle, "--tsa", tsa.url).code == 3
    assert not home.exists()


def test_an_unknown_authority_is_kept_and_said_to_be_unknown(bundle, tsa, kzmitm):
    ended = kzmitm("stamp", bundle, "--tsa", tsa.url, "--name", "partner")
    assert ended.code == 3
    [name] = attached(bundle)
    assert name == f"attest-partner-{hashlib.sha256(read(bundle, name)).hexdigest()[:16]}.tsr"
    assert "its authority is not among the pinned roots; verify with --tsa-root" in ended.out
    assert f"openssl ts -verify -in {name} -data {layout.SIGNATURE} -CAfile root.pem" in ended.out
    assert (
        kzmitm("verify", bundle, "--tsa-root", tsa.root, "--json").json["timestamps"][0]["status"] == "valid"
    )


def test_what_cannot_be_read_is_kept_for_openssl(bundle, authority, kzmitm, tmp_path):
    turned = lambda handler, body: handler.reply(with_certificates_turned_round(authority.reply(body)))  # noqa: E731
    root = authority.folder / "root.pem"
    with serving(turned) as tsa:
        ended = kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", root)
    assert ended.code == 3
    [name] = attached(bundle)
    assert name.endswith(".unchecked.tsr")
    assert ended.out.startswith("UNCHECKED: kept, not checkable here: it breaks the rules of its encoding")
    inner = unpacked(bundle, tmp_path / "by-hand")
    (inner / "root.pem").write_bytes(root.read_bytes())
    command = ended.out.splitlines()[-1].split()
    assert command[0] == "openssl"
    assert b"Verification: OK" in subprocess.run(command, cwd=inner, capture_output=True, check=True).stdout
    assert kzmitm("verify", bundle, "--tsa-root", root).out.startswith("UNALTERED")


def test_without_the_library_it_is_kept_unchecked(bundle, tsa, kzmitm, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "rfc3161_client", None)
        ended = kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", tsa.root)
    assert ended.code == 3
    assert "pip install 'kzmitm[stamp]'" in ended.err
    [name] = attached(bundle)
    assert name.endswith(".unchecked.tsr")
    later = kzmitm("verify", bundle, "--tsa-root", tsa.root, "--json")
    assert later.json["timestamps"][0]["status"] == "valid"


def test_the_document(bundle, tsa, kzmitm):
    ended = kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", tsa.root, "--json")
    assert list(ended.json)[:2] == ["schema", "version"]
    assert ended.json["schema"] == "kzmitm.stamp/1.0"
    assert (ended.json["status"], ended.json["reason"]) == ("valid", "")
    assert ended.json["authority"] == "CN=Stamp Signer"
    assert [ended.json["file"]] == attached(bundle)
    assert ended.json["at"].endswith("Z")


def test_a_folder_is_stamped_as_well(folder, tsa, kzmitm):
    assert kzmitm("stamp", folder, "--tsa", tsa.url, "--tsa-root", tsa.root).code == 0
    [path] = folder.glob("attest-*.tsr")
    assert kzmitm("verify", folder, "--tsa-root", tsa.root).out.count(path.name) == 1


def test_a_timestamp_of_something_else_is_kept_nowhere(bundle, authority, kzmitm):
    before = bundle.read_bytes()
    with serving(lambda handler, _body: handler.reply(authority.reply(authority.query(b"else")))) as tsa:
        ended = kzmitm("stamp", bundle, "--tsa", tsa.url)
    assert ended.code == 2
    assert "what 127.0.0.1 sent is worthless: it is no timestamp of this result" in ended.err
    assert ended.out == ""
    assert bundle.read_bytes() == before


def test_a_refusal_is_told_in_harmless_words(bundle, kzmitm):
    before = bundle.read_bytes()
    said = tlv(0x30, tlv(0x0C, "no \x1b[2J money \u202e".encode()))
    refusal = tlv(0x30, tlv(0x30, b"\x02\x01\x02", said))
    with serving(lambda handler, _body: handler.reply(refusal)) as tsa:
        ended = kzmitm("stamp", bundle, "--tsa", tsa.url)
    assert ended.code == 2
    last = ended.err.splitlines()[-1]
    assert last == (
        r"kzmitm: 127.0.0.1 refused to make a timestamp (no \x1b[2J money \u202e); try another authority"
    )
    assert bundle.read_bytes() == before


@pytest.mark.parametrize("status", [404, 500])
def test_no_answer_is_3_and_changes_nothing(status, bundle, kzmitm):
    before = bundle.read_bytes()
    with serving(lambda handler, _body: handler.reply(b"", status=status)) as tsa:
        ended = kzmitm("stamp", bundle, "--tsa", tsa.url)
    assert (ended.code, ended.out) == (3, "")
    assert f"kzmitm: 127.0.0.1: it answers with HTTP status {status}; nothing was changed; " in ended.err
    assert bundle.read_bytes() == before


def test_what_the_network_did_is_told_in_words(bundle, kzmitm):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ended = kzmitm("--lang", "ru", "stamp", bundle, "--tsa", f"http://127.0.0.1:{port}/")
    assert ended.code == 3
    assert "kzmitm: 127.0.0.1: соединение отклонено; ничего не изменено" in ended.err


def test_silence_ends(bundle, kzmitm):
    with serving(lambda handler, _body: handler.server.over.wait(10)) as tsa:
        assert kzmitm("stamp", bundle, "--tsa", tsa.url, "--timeout", "0.1").code == 3


def test_where_an_authority_sends_us_is_told_in_harmless_words(bundle, kzmitm):
    moved = lambda handler, _body: handler.reply(b"", status=302, location="http://x/\x1b[2J")  # noqa: E731
    with serving(moved) as tsa:
        ended = kzmitm("stamp", bundle, "--tsa", tsa.url)
    assert ended.code == 3
    assert "\x1b" not in ended.err


def test_a_second_timestamp_needs_another_name(bundle, tsa, kzmitm):
    assert kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", tsa.root).code == 0
    ended = kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", tsa.root)
    assert ended.code == 2
    assert "--name" in ended.err
    assert len(tsa.requests) == 1
    assert kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", tsa.root, "--name", "again").code == 0
    assert len(attached(bundle)) == 2


def test_an_altered_result_is_not_stamped(folder, tsa, kzmitm):
    with (folder / layout.BAG_INFO).open("ab") as file:
        file.write(b"x")
    assert kzmitm("stamp", folder, "--tsa", tsa.url).code in (1, 2)
    assert not tsa.requests
    assert not list(folder.glob("attest-*"))


@pytest.mark.parametrize(
    "options",
    [
        ["--name", "A"], ["--name", ""], ["--name", "a--b"], ["--name", "../x"], ["--name", "a" * 60],
        ["--timeout", "0"], ["--timeout", "nan"], ["--timeout", "1e9"], ["--timeout=-1"],
        ["--tsa-root", "/nowhere"], ["--tsa", "ftp://127.0.0.1/"], ["--tsa", ""],
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_sent(options, bundle, tsa, kzmitm):
    ended = kzmitm("stamp", bundle, "--tsa", tsa.url, *options)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert not tsa.requests


def test_a_root_file_without_a_root(bundle, tsa, kzmitm, tmp_path):
    (tmp_path / "empty.pem").write_bytes(b"nothing")
    ended = kzmitm("stamp", bundle, "--tsa", tsa.url, "--tsa-root", tmp_path / "empty.pem")
    assert ended.code == 2
    assert "--tsa-root" in ended.err


@pytest.mark.parametrize("what", ["absent", "not a bundle"])
def test_what_is_no_result(what, tmp_path, tsa, kzmitm):
    path = tmp_path / "x.zip"
    if what != "absent":
        path.write_bytes(b"PK")
    assert kzmitm("stamp", path, "--tsa", tsa.url).code in (1, 2)
    assert not tsa.requests


@pytest.mark.parametrize(
    ("host", "name"),
    [("[::1]", "attest-1-"), ("LOCALHOST", "attest-localhost-"), ("[::]", "attest-tsa-")],
)
def test_names_after_hosts(host, name, bundle, tsa, kzmitm, authority):
    from kzmitm.cli.verbs import stamp  # noqa: PLC0415

    assert f"attest-{stamp._name(stamp.parse_authority(f'http://{host}/'))}-" == name
    long = stamp._name("a" * 200 + ".example")
    assert layout.ATTESTATION.fullmatch(f"attest-{long}.unchecked.tsr")
    assert len(f"attest-{long}.unchecked.tsr") <= layout.MAX_ATTESTATION_NAME


def test_a_file_of_opentimestamps_is_carried(kzmitm, bundle, tmp_path):
    with open_container(bundle) as container:
        stamped = container.read(layout.SIGNATURE, max_bytes=layout.MAX_TAG_FILE)
    head = bytes.fromhex("004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e892940108")
    (tmp_path / "mine.ots").write_bytes(head + hashlib.sha256(stamped).digest() + b"\xf0\x10rest")
    (tmp_path / "other.ots").write_bytes(head + bytes(32))
    told = kzmitm("stamp", bundle, "--token", tmp_path / "mine.ots", "--name", "told", "--json")
    Draft202012Validator(json.loads(schema_text("stamp"))).validate(told.json)
    kept = kzmitm("stamp", bundle, "--token", tmp_path / "mine.ots")
    assert kept.code == 3
    assert "ots verify attest-mine-" in kept.out
    refused = kzmitm("stamp", bundle, "--token", tmp_path / "other.ots")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert kzmitm("stamp", bundle, "--token", tmp_path / "none.ots").code == 2
    ended = kzmitm("verify", bundle)
    assert ended.code == 3
    assert "a timestamp that was not checked here (opentimestamps)" in ended.out


def test_a_token_that_one_has_is_attached_without_asking_anybody(kzmitm, bundle, authority, tmp_path):
    with open_container(bundle) as container:
        (tmp_path / "data").write_bytes(container.read(layout.SIGNATURE, max_bytes=layout.MAX_TAG_FILE))
    stamped = (tmp_path / "data").read_bytes()
    (tmp_path / "a.tsr").write_bytes(authority.reply(authority.query(stamped, "-cert")))
    kept = kzmitm("stamp", bundle, "--token", tmp_path / "a.tsr", "--tsa-root", authority.folder / "root.pem")
    assert kept.code in {0, 3}
    assert "attest-a-" in kept.out
    (tmp_path / "b.tsr").write_bytes(authority.reply(authority.query(b"something else", "-cert")))
    assert kzmitm("stamp", bundle, "--token", tmp_path / "b.tsr").code == 2
