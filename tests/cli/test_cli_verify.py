"""verify, share, countersign and purge as their users call them: words, exit codes, documents, files."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from cli_bundles import HEADER, NOON, ROW, files_of, resign, write
from jsonschema import Draft202012Validator

from kzmitm.cli.folders import keys_folder, known_signers_file, results_folder
from kzmitm.evidence import layout
from kzmitm.evidence.container import open_container
from kzmitm.evidence.journal import JournalWriter, Plan, Signing
from kzmitm.evidence.schema import schema_text


@pytest.fixture
def bundle(tmp_path):
    return write(tmp_path / "b.zip", [ROW], header=HEADER, finished_at=NOON)


def document(ended, name):
    Draft202012Validator(json.loads(schema_text(name))).validate(ended.json)
    assert list(ended.json)[:2] == ["schema", "version"]
    return ended.json


def fingerprint(kzmitm, bundle):
    return document(kzmitm("verify", bundle, "--json"), "verification")["signer"]["fingerprint"]


def test_an_unknown_signer_is_3_and_never_called_authentic(bundle, kzmitm):
    ended = kzmitm("verify", bundle)
    assert ended.code == 3
    assert ended.out.startswith("UNALTERED: ")
    assert "Signed by an unknown key, SHA256:" in ended.out
    assert "authentic" not in ended.out
    found = document(kzmitm("verify", bundle, "--json"), "verification")
    assert (found["result"], found["level"], found["container"]) == ("unaltered", "full", "archive")
    assert found["signer"]["status"] == "unknown"


def test_the_expected_signer_is_0_and_another_is_1(bundle, kzmitm):
    known = fingerprint(kzmitm, bundle)
    assert kzmitm("verify", bundle, "--signer", known).code == 0
    assert kzmitm("verify", bundle, "--signer", known.removeprefix("SHA256:")).code == 0
    other = kzmitm("verify", bundle, "--signer", "SHA256:" + "A" * 43, "--json")
    assert other.code == 1
    assert [p["code"] for p in document(other, "verification")["problems"]] == ["signer_changed"]


@pytest.mark.parametrize("text", ["SHA256:", "x", "MD5:" + "A" * 43, "SHA256:" + "A" * 44, "A" * 42])
def test_what_is_no_fingerprint_is_refused(text, bundle, kzmitm):
    ended = kzmitm("verify", bundle, "--signer", text)
    assert (ended.code, ended.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--remember", "me and you"), "not a name of a signer"),
        (("--tsa-root", __file__), "--tsa-root"),
        (("--tsa-root", "/nonexistent"), "--tsa-root"),
    ],
)
def test_a_mistake_is_told_before_anything_else(words, complaint, bundle, kzmitm):
    ended = kzmitm("verify", bundle, *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert complaint in ended.err


def test_a_signer_is_remembered_and_a_changed_key_is_a_hard_failure(bundle, kzmitm, monkeypatch):
    assert kzmitm("verify", bundle, "--remember", "almaty-7").code == 0
    again = kzmitm("verify", bundle)
    assert again.code == 0
    assert "Signed by almaty-7, SHA256:" in again.out
    assert known_signers_file().stat().st_mode & 0o777 == 0o600
    # Somebody takes the bundle, alters it, and signs it with a key of their own under the same name.
    name = own_name(bundle)
    monkeypatch.setattr("kzmitm.evidence.signing.keys.SigningKey.name", property(lambda _self: name))
    monkeypatch.setattr("cli_bundles.SEED", bytes(32))
    resign(bundle, files_of(bundle))
    changed = kzmitm("verify", bundle)
    assert changed.code == 1
    assert "signer_changed" in changed.out
    assert "ask again on another way" in changed.out


def own_name(bundle):
    """The name that the signer gives itself."""
    with open_container(bundle) as container:
        text = container.read(layout.BAG_INFO, max_bytes=1000).decode()
    return next(line.partition(": ")[2] for line in text.splitlines() if line.startswith("Bag-Group"))


def test_known_signers_may_lie_elsewhere_and_are_read_as_openssh_does(bundle, kzmitm, tmp_path):
    key = tmp_path / "partner"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers = tmp_path / "signers"
    assert kzmitm("countersign", bundle, "--name", "partner", "--key", key).code == 0
    public = " ".join((tmp_path / "partner.pub").read_text().split()[:2])
    signers.write_text(f'# ours\npartner namespaces="kzmitm-countersign@v1" {public}\n')
    found = document(kzmitm("verify", bundle, "--known-signers", signers, "--json"), "verification")
    assert [each["known_as"] for each in found["countersignatures"]] == ["partner"]
    signers.write_text("partner ssh-ed25519 " + kzmitm_line(kzmitm, bundle) + "\n")
    changed = kzmitm("verify", bundle, "--known-signers", signers)
    assert changed.code == 1
    assert "countersigner_changed" in changed.out
    assert kzmitm("verify", bundle, "--known-signers", tmp_path / "none").code == 2
    signers.write_text("what is this\n")
    assert "signers:1: no line of a signer" in kzmitm("verify", bundle, "--known-signers", signers).err


def kzmitm_line(kzmitm, bundle):
    """The base64 of the key that signed the bundle itself, as `--remember` writes it."""
    kzmitm("verify", bundle, "--remember", "x")
    return known_signers_file().read_text().split()[-1]


@pytest.mark.parametrize("name", ["", "A", "../x", "x y", "-", "x" * 130, "a--b"])
def test_a_countersigner_needs_a_name_that_can_be_one(name, bundle, kzmitm):
    before = bundle.read_bytes()
    assert kzmitm("countersign", bundle, "--name", name).code == 2
    assert bundle.read_bytes() == before


def test_countersigning_changes_nothing_that_is_signed(bundle, kzmitm):
    known = fingerprint(kzmitm, bundle)
    first = kzmitm("countersign", bundle, "--name", "lab")
    assert first.code == 0
    assert 'lab namespaces="kzmitm-countersign@v1" ssh-ed25519 ' in first.err
    assert kzmitm("countersign", bundle, "--name", "lab").code == 2  # one name, one signature
    assert kzmitm("countersign", bundle, "--name", "lab-2").code == 0
    ended = kzmitm("verify", bundle, "--signer", known)
    assert ended.code == 0
    assert ended.out.count("Countersigned by you") == 2


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_other_keys_are_refused(kind, bundle, kzmitm, tmp_path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key], check=True)
    assert "no Ed25519 key" in kzmitm("countersign", bundle, "--name", "x", "--key", key).err
    key.chmod(0o644)
    assert "others can read this key" in kzmitm("countersign", bundle, "--name", "x", "--key", key).err
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "locked"], check=True
    )
    locked = kzmitm("countersign", bundle, "--name", "x", "--key", tmp_path / "locked")
    assert (locked.code, locked.err.count("\n")) == (2, 1)
    assert kzmitm("countersign", bundle, "--name", "x", "--key", tmp_path / "none").code == 2


@pytest.mark.parametrize("level", ["public", "partner"])
def test_sharing_shows_file_by_file_and_leaves_out(level, bundle, kzmitm, tmp_path):
    out = tmp_path / "shared.zip"
    listed = kzmitm("share", bundle, "--level", level, "--out", out, "--dry-run")
    assert (listed.code, out.exists()) == (0, False)
    shared = kzmitm("share", bundle, "--level", level, "--out", out)
    assert shared.code == 0
    assert shared.out == listed.out
    kept, left = shared.out.split("It leaves out:")
    assert "data/full/environment.json" in left
    assert ("data/partner/measurements.jsonl" in kept) == (level == "partner")
    again = document(kzmitm("verify", out, "--json"), "verification")
    assert (again["result"], again["level"]) == ("unaltered", level)
    assert "data/full/environment.json" in again["withheld"]
    assert again["bundle_id"] == kzmitm("verify", bundle, "--json").json["bundle_id"]


def test_sharing_as_a_document(bundle, kzmitm, tmp_path):
    ended = kzmitm("share", bundle, "--level", "public", "--json")
    found = document(ended, "sharing")
    assert Path(found["out"]).parent == tmp_path
    assert Path(found["out"]).name.endswith("-public.zip")
    assert {file["path"] for file in found["files"] if file["kept"]} >= set(layout.TAG_FILES)


def test_what_was_left_out_cannot_be_shared(bundle, kzmitm, tmp_path):
    kzmitm("share", bundle, "--level", "public", "--out", tmp_path / "p.zip")
    again = kzmitm("share", tmp_path / "p.zip", "--level", "partner", "--out", tmp_path / "q.zip")
    assert again.code == 2
    assert "left out of it already" in again.err
    assert "withheld" in kzmitm("judge", tmp_path / "p.zip").err
    assert kzmitm("show", tmp_path / "p.zip").code == 3


def test_sharing_replaces_nothing(bundle, kzmitm, tmp_path):
    (tmp_path / "p.zip").write_text("mine")
    assert kzmitm("share", bundle, "--level", "public", "--out", tmp_path / "p.zip").code == 2
    assert (tmp_path / "p.zip").read_text() == "mine"
    assert kzmitm("share", bundle, "--level", "public", "--out", tmp_path / "no" / "p.zip").code == 2


def damage(bundle):
    octets = bytearray(bundle.read_bytes())
    octets[len(octets) // 2] ^= 1
    bundle.write_bytes(octets)


def test_an_altered_bundle_is_1_for_verify_and_used_by_nobody(bundle, kzmitm, tmp_path):
    damage(bundle)
    ended = kzmitm("verify", bundle)
    assert ended.code == 1
    assert ended.out.startswith("ALTERED: ")
    assert kzmitm("verify", bundle, "--remember", "x").code == 1
    assert not known_signers_file().exists()
    for words in (
        ("show", bundle),
        ("judge", bundle),
        ("share", bundle, "--level", "public"),
        ("countersign", bundle, "--name", "x"),
    ):
        refused = kzmitm(*words)
        assert refused.code == 2, words
        assert "kzmitm verify tells more" in refused.err
        assert refused.err.startswith(f"kzmitm: {bundle}: "), words
        assert (refused.out, refused.err.count("\n")) == ("", 1)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["b.zip"]


def test_what_is_wrong_in_a_folder_is_told_with_its_place(bundle, kzmitm, tmp_path):
    subprocess.run(["python3", "-m", "zipfile", "-e", bundle, tmp_path / "out"], check=True)
    place = next((tmp_path / "out").iterdir())
    (place / "bagit.txt").write_text("another")
    for words in (("show", place), ("judge", place), ("countersign", place, "--name", "x")):
        refused = kzmitm(*words)
        assert refused.code == 2, words
        assert refused.err == f"kzmitm: {place}: file_changed: bagit.txt; kzmitm verify tells more\n"


def test_a_countersignature_that_is_there_is_told_by_the_name_it_has(bundle, kzmitm, tmp_path):
    assert kzmitm("countersign", bundle, "--name", "x").code == 0
    with zipfile.ZipFile(bundle) as archive:
        (there,) = (Path(name).name for name in archive.namelist() if "attest-x-" in name)
    refused = kzmitm("countersign", bundle, "--name", "x")
    assert refused.code == 2
    assert refused.err == f"kzmitm: {bundle}: {there} is there already; give another --name\n"


def test_a_file_that_is_no_key_is_named_once_and_whole(bundle, kzmitm, tmp_path):
    path = tmp_path / "big.key"
    path.write_bytes(b"x" * 20_000)
    refused = kzmitm("countersign", bundle, "--name", "x", "--key", path)
    assert refused.code == 2
    assert refused.err == f"kzmitm: {path}: longer than 16384 octets; name the file of a private key\n"
    refused = kzmitm("countersign", bundle, "--name", "x", "--key", tmp_path)
    assert refused.err == f"kzmitm: {tmp_path}: not a plain file; name the file of a private key\n"


def test_verify_reads_a_folder_too(bundle, kzmitm, tmp_path):
    subprocess.run(["python3", "-m", "zipfile", "-e", bundle, tmp_path / "out"], check=True)
    for place in (tmp_path / "out", next((tmp_path / "out").iterdir())):
        found = kzmitm("verify", place, "--json")
        assert found.code == 3
        assert found.json["container"] == "folder"
        assert kzmitm("show", place).code == 3


def test_own_results_are_known_as_ones_own(kzmitm, tmp_path, serve, authority):
    root = authority("Test Root")
    port = serve(root.site("news.test"))
    words = (
        "scan", "news.test", "--i-understand", "--store", root.pem, "--doh", "none", "--connect-to",
        f"news.test:443:127.0.0.1:{port}", "--out", tmp_path / "r.zip",
    )  # fmt: skip
    first = kzmitm(*words, "--campaign", "spring")
    assert "the campaign spring: SHA256:" in first.err
    assert (keys_folder() / "spring.key").stat().st_mode & 0o777 == 0o600
    ended = kzmitm("verify", tmp_path / "r.zip")
    assert ended.code == 0
    assert "your own key of the campaign spring" in ended.out
    (tmp_path / "r.zip").unlink()
    assert "SHA256" not in kzmitm(*words, "--campaign", "spring").err  # shown once
    (tmp_path / "r.zip").unlink()
    assert kzmitm(*words, "--one-time-key").code == 0
    assert kzmitm("verify", tmp_path / "r.zip").code == 3
    assert [path.name for path in keys_folder().iterdir()] == ["spring.key"]
    assert kzmitm(*words, "--campaign", "../x").code == 2


def test_a_sealed_result_can_be_opened_by_its_key_only(kzmitm, tmp_path, serve, authority, home):
    root = authority("Test Root")
    port = serve(root.site("news.test"))
    key = tmp_path / "key"
    made = subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True, text=True)
    public = made.stderr.split()[-1]
    ended = kzmitm(
        "scan", "news.test", "--i-understand", "--store", root.pem, "--doh", "none", "--connect-to",
        f"news.test:443:127.0.0.1:{port}", "--seal-to", public, "--json",
    )  # fmt: skip
    assert ended.code == 0
    (sealed,) = results_folder().iterdir()
    assert sealed.suffix == ".age"
    assert "age -d -i KEY" in ended.err
    assert ended.json["targets"][0]["outcome"] == "clean"
    for verb in ("verify", "show", "judge"):
        refused = kzmitm(verb, sealed)
        assert (refused.code, "sealed" in refused.err) == (2, True)
    assert all(b"news.test" not in path.read_bytes() for path in home.rglob("*") if path.is_file())
    opened = tmp_path / "opened.zip"
    subprocess.run(["age", "-d", "-i", key, "-o", opened, sealed], check=True)
    assert kzmitm("verify", opened).code == 0
    refused = kzmitm("scan", "a.test", "--i-understand", "--seal-to", "age1nonsense")
    assert refused.code == 2


def test_purge_takes_keys_journals_and_parts_but_no_scan_that_runs(kzmitm, home):
    plan = Plan(header=HEADER, signing=Signing(campaign="x"))
    with JournalWriter.begin(results_folder(), plan):
        assert "is of a scan or campaign that is running" in kzmitm("purge", "--yes").err
        assert list(results_folder().iterdir())
    assert kzmitm("purge", "--yes").code == 0
    assert not home.exists()


def test_the_next_start_puts_an_interrupted_scan_in_order(kzmitm, tmp_path, home):
    plan = Plan(header=HEADER, signing=Signing(campaign="x"))
    with JournalWriter.begin(tmp_path, plan) as writer:
        writer.add(ROW[0], ROW[1])
    (tmp_path / ".part-0123456789abcdef").write_text("half")
    source = write(tmp_path / "b.zip", [ROW], header=HEADER, finished_at=NOON)
    ended = kzmitm("share", source, "--level", "public", "--out", tmp_path / "p.zip")
    assert "a scan that was interrupted is kept as" in ended.err
    assert not list(tmp_path.glob(".*"))
    (found,) = tmp_path.glob("bundle-*.zip")
    shown = kzmitm("show", found)
    assert shown.code == 3
    assert "stopped before its end" in shown.out
    assert os.listdir(home) == ["keys"]  # noqa: PTH208
