"""The data files are found, overlays replace by path, and nothing else is read."""

import pytest

from kzmitm import resources
from kzmitm.errors import FingerprintError, UsageError
from kzmitm.resources import fingerprint_files, truststore_files


def test_the_registry_is_here_and_the_trust_store_is_not_part_of_it():
    files = fingerprint_files()
    assert "networks.toml" in files
    assert "authorities/kz-isca.toml" in files
    assert all(path.endswith(".toml") and not path.startswith("truststore") for path in files)
    assert "networks.toml" not in truststore_files()


def test_overlays_add_and_replace_in_order(tmp_path):
    for number in (1, 2):
        folder = tmp_path / str(number) / "authorities"
        folder.mkdir(parents=True)
        (folder / "kz-isca.toml").write_text(f"{number}")
        (folder / f"new{number}.toml").write_text("new")
        (folder / "notes.txt").write_text("not of the registry")
        (folder / "folder.toml").mkdir()
    files = fingerprint_files([tmp_path / "1", tmp_path / "2"])
    assert files["authorities/kz-isca.toml"] == b"2"
    assert {"authorities/new1.toml", "authorities/new2.toml", "networks.toml"} <= files.keys()
    assert len(files) == len(fingerprint_files()) + 2


def test_an_overlay_that_is_none_is_said(tmp_path):
    with pytest.raises(UsageError, match="not a directory"):
        fingerprint_files([tmp_path / "none"])
    with pytest.raises(UsageError, match="no registry file"):
        fingerprint_files([tmp_path])


def test_a_directory_with_too_many_files_is_refused(tmp_path, monkeypatch):
    shipped = len(fingerprint_files())
    monkeypatch.setattr(resources, "MAX_FILES", shipped)
    for number in range(shipped + 1):
        (tmp_path / f"{number}.toml").touch()
    with pytest.raises(UsageError, match="more than"):
        fingerprint_files([tmp_path])


def test_a_huge_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "networks.toml").write_bytes(b"#" * (4 << 20) + b"#")
    with pytest.raises(FingerprintError, match="larger"):
        fingerprint_files([tmp_path])


def test_a_file_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    (tmp_path / "authorities").mkdir()
    (tmp_path / "authorities" / "x.toml").symlink_to("/proc/self/mem")
    with pytest.raises(FingerprintError, match=r"x\.toml: "):
        fingerprint_files([tmp_path])


def test_installed_data_comes_before_the_checkout(tmp_path, monkeypatch):
    package = tmp_path / "kzmitm"
    (package / "_fingerprints").mkdir(parents=True)
    (package / "_fingerprints" / "networks.toml").write_text("# installed")
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    assert fingerprint_files() == {"networks.toml": b"# installed"}
    assert truststore_files() == {}
    store = package / "_fingerprints" / "truststore"
    (store / "folder").mkdir(parents=True)
    (store / "roots.pem").write_text("roots")
    assert truststore_files() == {"roots.pem": b"roots"}
