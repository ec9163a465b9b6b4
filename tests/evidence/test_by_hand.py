"""Checking a result without kzmitm: the commands that its readme names, on what our commands wrote."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import zipfile
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from tsa_support import StampingAuthority, party, serving

from kzmitm.cli.main import main
from kzmitm.evidence import layout
from kzmitm.evidence.damage import Code
from kzmitm.evidence.signing.keys import key_from_seed
from kzmitm.evidence.signing.sshsig import sign
from kzmitm.evidence.verification.verify import Trust, verify_bundle

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
LEVELS = ("full", "partner", "public")
WITHOUT_US = ("env", "-i", "PATH=/usr/bin:/bin", "bash", "-c")
"""A shell that knows of no virtual environment."""
README = Path(__file__).parents[2] / "README.md"
MANIFEST, TAG_MANIFEST, SIGNATURE = layout.MANIFEST, layout.TAG_MANIFEST, layout.SIGNATURE


def kzmitm(*words: object):
    assert main([str(word) for word in words]) in (0, 1), words


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    """A server on loopback with a certificate of a state's authority, and what a scan must be told of it."""
    folder = tmp_path_factory.mktemp("forged")
    authority = party("State Root")
    leaf = party("video.test", authority, is_ca=False)
    (folder / "site.pem").write_bytes(leaf.key_pem + leaf.pem + authority.pem)
    (folder / "public.pem").write_bytes(party("Public Root").pem)
    (folder / "overlay" / "authorities").mkdir(parents=True)
    (folder / "overlay" / "authorities" / "state.toml").write_text(
        'id = "state"\nkind = "state_interception"\ncountry = "KZ"\n[names]\nen = "The State"\n'
        "[[certificates]]\n"
        f'role = "root"\nsha256 = "{authority.certificate.fingerprint(hashes.SHA256()).hex()}"\n'
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "site.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            try:
                with connection, context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1)
            except OSError:
                pass  # the scanner leaves once it has seen the chain

    thread = threading.Thread(target=answer)
    thread.start()
    yield [
        "video.test", "--i-understand", "--doh", "none", "--store", folder / "public.pem", "--fingerprints",
        folder / "overlay", "--connect-to", f"video.test:443:127.0.0.1:{listener.getsockname()[1]}",
    ]  # fmt: skip
    listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake a thread that waits in accept
    listener.close()
    thread.join()


@pytest.fixture(scope="module")
def made(forged, tmp_path_factory):
    """What `scan`, `stamp`, `countersign` and `share` write: an archive of each level."""
    folder = tmp_path_factory.mktemp("made")
    authority = StampingAuthority(folder / "tsa")
    archives = {level: folder / f"{level}.zip" for level in LEVELS}
    full, root = archives["full"], authority.folder / "root.pem"
    with (
        pytest.MonkeyPatch.context() as patch,
        serving(lambda handler, body: handler.reply(authority.reply(body))) as tsa,
    ):
        patch.setenv("KZMITM_HOME", str(folder / "home"))
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        kzmitm("scan", *forged, "--out", full)
        kzmitm("stamp", full, "--tsa", tsa.url, "--tsa-root", root, "--name", "tsa")
        kzmitm("countersign", full, "--name", "partner")
        for level in ("partner", "public"):
            kzmitm("share", full, "--level", level, "--out", archives[level], "--keep-timestamps")
    return SimpleNamespace(archives=archives, root=root)


def unpack(archive, folder, how="unzip"):
    """The folder of the bundle, unpacked by a program that is none of ours."""
    words = {
        "unzip": ["unzip", "-q", archive, "-d", folder],
        "zipfile": ["-m", "zipfile", "-e", archive, folder],
    }
    command = [sys.executable] if how == "zipfile" else []
    subprocess.run([*command, *words[how]], check=True, stdin=subprocess.DEVNULL)
    (inner,) = folder.iterdir()
    return inner


@pytest.fixture
def full(made, tmp_path):
    return unpack(made.archives["full"], tmp_path / "unpacked")


def told():
    """The commands of the readme that is in every bundle."""
    text = resources.files("kzmitm.evidence").joinpath("readme.txt").read_text(encoding="utf-8")
    return re.findall(r"^  (\S.*)$", text, re.MULTILINE)


def commands(made):
    """Those commands, with the names that they leave open filled in; only the timestamp's has any."""
    token = next(name for name in names_in(made.archives["full"]) if name.endswith(".tsr"))
    return [each.replace("attest-NAME.tsr", token).replace("ROOT.pem", str(made.root)) for each in told()]


def names_in(archive):
    with zipfile.ZipFile(archive) as opened:
        return [name.partition("/")[2] for name in opened.namelist()]


def run(command, folder):
    return subprocess.run([*WITHOUT_US, command], cwd=folder, capture_output=True, text=True, check=False)


def wrong_in(folder, made):
    """Which of the checks fail, by the program that makes them."""
    hashes_of, signature, identity, timestamp = (run(each, folder) for each in commands(made))
    found = set()
    if hashes_of.returncode:
        found.add("sha256sum -c")
    if signature.returncode or not signature.stdout.startswith(f'Good "{layout.NAMESPACE}" signature'):
        found.add("ssh-keygen")
    if identity.returncode or layout.bundle_name(identity.stdout) != folder.name:
        found.add("sha256sum")
    if timestamp.returncode or "Verification: OK" not in timestamp.stdout:
        found.add("openssl")
    return found


def test_there_are_four_commands_and_the_readme_of_the_project_tells_the_same(made):
    programs = [each.split()[0] for each in told()]
    assert programs == ["sha256sum", "ssh-keygen", "sha256sum", "openssl"]
    text = README.read_text(encoding="utf-8")
    section = text.partition("### Check a result by hand\n")[2].partition("\n#")[0]
    assert section.partition("```\n")[2].partition("```")[0].splitlines() == told()[:3]
    assert f"`{told()[3]}`" in section


@pytest.mark.parametrize("how", ["unzip", "zipfile"])
@pytest.mark.parametrize("level", LEVELS)
def test_what_is_whole_passes(level, how, made, tmp_path):
    folder = unpack(made.archives[level], tmp_path / "unpacked", how)
    assert wrong_in(folder, made) == set()
    assert (folder / layout.README.path).read_text(encoding="utf-8").count(told()[0]) == 1
    assert list((folder / layout.CERTIFICATES.path).iterdir())
    found = verify_bundle(made.archives[level], trust=Trust(), now=NOON)
    assert found.is_unaltered
    assert found.level == level
    assert found.signer.key.fingerprint in run(told()[1], folder).stdout
    checked = run(commands(made)[0], folder).stdout.splitlines()
    kept = [name for name in names_in(made.archives[level]) if layout.is_payload(name)]
    assert checked == [f"{name}: OK" for name in [*layout.TAGGED, *sorted(kept)]]


def test_a_countersignature_is_one_of_openssh(full):
    (path,) = full.glob("attest-partner-*.sig")
    command = (
        f"ssh-keygen -Y check-novalidate -n {layout.COUNTERSIGN_NAMESPACE} -s {path.name} < {TAG_MANIFEST}"
    )
    assert run(command, full).returncode == 0
    assert run(command.replace("countersign@", "bundle@"), full).returncode != 0


def flip(path):
    """Change a character of a file, in its middle."""
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)


@pytest.mark.parametrize("level", LEVELS)
def test_every_file_that_is_changed_fails(level, made, tmp_path):
    folder = unpack(made.archives[level], tmp_path / "unpacked")
    by_signature = {TAG_MANIFEST: {"ssh-keygen", "sha256sum"}, SIGNATURE: {"ssh-keygen", "openssl"}}
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        name, before = path.relative_to(folder).as_posix(), path.read_bytes()
        if name.startswith("attest-"):
            expected = {"openssl"} if name.endswith(".tsr") else set()
        else:
            expected = by_signature.get(name, {"sha256sum -c"})
        flip(path)
        assert wrong_in(folder, made) == expected, name
        path.write_bytes(before)
    assert wrong_in(folder, made) == set()


def forge(folder, *, until):
    """Change a verdict, and then what lists its hash, up to some file."""
    changed = layout.PUBLIC_SCAN.path
    flip(folder / changed)
    for manifest in (MANIFEST, TAG_MANIFEST):
        if until == changed:
            return
        sha256 = run(f"sha256sum {changed}", folder).stdout[:64]
        lines = (folder / manifest).read_text().splitlines()
        lines = [f"{sha256}  {changed}" if line.endswith(f"  {changed}") else line for line in lines]
        (folder / manifest).write_text("\n".join(lines) + "\n")
        changed = manifest


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (layout.PUBLIC_SCAN.path, {"sha256sum -c"}),
        (MANIFEST, {"sha256sum -c"}),
        (TAG_MANIFEST, {"ssh-keygen", "sha256sum"}),
    ],
)
def test_a_forger_who_goes_on_fails_further_on(until, expected, made, full):
    forge(full, until=until)
    assert wrong_in(full, made) == expected


def test_a_forger_with_a_key_shows_it_and_has_another_identity(made, full):
    before = run(told()[1], full).stdout
    forge(full, until=TAG_MANIFEST)
    key = key_from_seed(bytes(32))
    message = (full / TAG_MANIFEST).read_bytes()
    (full / SIGNATURE).write_bytes(sign(message, key.private, layout.NAMESPACE))
    assert wrong_in(full, made) == {"sha256sum", "openssl"}
    assert key.public.fingerprint in run(told()[1], full).stdout != before
    (full / SIGNATURE).write_bytes(sign(message, key.private, layout.COUNTERSIGN_NAMESPACE))
    assert "ssh-keygen" in wrong_in(full, made)


@pytest.mark.parametrize("name", [MANIFEST, TAG_MANIFEST, SIGNATURE])
def test_without_a_tag_file_there_is_nothing_to_pass(name, made, full):
    (full / name).unlink()
    assert wrong_in(full, made)


def test_a_token_of_another_authority_fails(made, full, tmp_path):
    other = StampingAuthority(tmp_path / "other")
    made = SimpleNamespace(archives=made.archives, root=other.folder / "root.pem")
    assert wrong_in(full, made) == {"openssl"}


def bagit_says(folder):
    words = [sys.executable, "-m", "bagit", "--validate", str(folder)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_whole_bundle_is_a_valid_bag(full):
    done = bagit_says(full)
    assert done.returncode == 0, done.stderr
    assert f"{full} is valid" in done.stderr
    flip(full / layout.PARTNER_SCAN.path)
    assert bagit_says(full).returncode == 1


@pytest.mark.parametrize("level", ["partner", "public"])
def test_a_reduced_bundle_is_an_incomplete_bag(level, made, tmp_path):
    done = bagit_says(unpack(made.archives[level], tmp_path / "unpacked"))
    assert done.returncode == 1
    assert "is invalid: Payload-Oxum validation failed" in done.stderr


# --- packed again by other programs

PACKERS = {
    "zip -rD": ["zip", "-qrD"],
    "zip -r": ["zip", "-qr"],
    "zip -r0X": ["zip", "-qr0X"],
    "7z": ["7z", "a", "-bd", "-y"],
    "bsdtar": ["bsdtar", "-a", "-cf"],
    "python -m zipfile": [sys.executable, "-m", "zipfile", "-c"],
}
HAS_FOLDERS = PACKERS.keys() - {"zip -rD"}


def repack(how, folder, archive):
    """Pack a folder again by a program that is none of ours."""
    if how == "shutil":
        shutil.make_archive(str(archive.with_suffix("")), "zip", folder.parent, folder.name)
        return
    if not shutil.which(PACKERS[how][0]):
        pytest.skip(f"{PACKERS[how][0]} is not installed")
    words = [*PACKERS[how], archive, folder.name]
    subprocess.run(words, cwd=folder.parent, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def verify(path, capsys):
    capsys.readouterr()
    code = main(["verify", str(path), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("KZMITM_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("how", [*PACKERS, "shutil"])
def test_what_was_packed_again_is_unaltered_or_to_be_unpacked(how, level, made, tmp_path, capsys):
    folder = unpack(made.archives[level], tmp_path / "unpacked")
    archive = tmp_path / "again.zip"
    repack(how, folder, archive)
    code, found = verify(archive, capsys)
    if how in HAS_FOLDERS or how == "shutil":
        assert code == 1
        (problem,) = found["problems"]
        assert problem["code"] == Code.ARCHIVE_SPECIAL_FILE
        assert "unpack the archive and verify the folder" in problem["detail"]
        code, found = verify(unpack(archive, tmp_path / "again"), capsys)
        assert (found["container"], found["repacked"]) == ("folder", False)
    else:
        assert (found["container"], found["repacked"]) == ("archive", True)
    assert (code, found["result"], found["level"]) == (3, "unaltered", level)
    whole = verify(made.archives[level], capsys)[1]
    assert (found["bundle_id"], found["signer"]) == (whole["bundle_id"], whole["signer"])
