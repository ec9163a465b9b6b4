"""Writes tests/roots/fixtures/clean/: the roots of clean systems and programs, as the tests lay them out.

    .venv/bin/python tools/clean_images.py FOLDER

FOLDER holds bundles of roots (PEM, or a keystore of Java) and `images.toml` with an `[[image]]` for each:
`name`, `kind` (in whose places the tests lay it out), `version`, `bundle` (its file in FOLDER) and `source`
(repository, path and commit, or package, version and path). Where known also `octets` and `sha1` of the
bundle, which are checked; `leave_out`, the SHA-256 of roots that somebody had added to that system; `note`;
and `keep = true` where the tests need the bundle itself, as it is.

`roots.pem` has every root once, by hash; `images.json` says which an image has, in the order of its bundle.
Images that are there already stay, unless FOLDER has one of that name: a new one is added by its data alone.
"""

import argparse
import hashlib
import json
import ssl
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kzmitm.pki.parse import parse_certificate
from kzmitm.roots.jks import MAGICS, read_jks
from kzmitm.roots.pem import read_certificates

HERE = Path(__file__).parent.parent / "tests" / "roots" / "fixtures" / "clean"
DESCRIBED = ("name", "kind", "version", "source", "octets", "sha1", "note")
"""What an image keeps of its description, in this order."""
CHECKED = ("octets", "sha1")


def bundle(octets: bytes) -> tuple[bytes, ...]:
    """The roots of a bundle as DER, in its order."""
    if octets.startswith(MAGICS):
        return tuple(entry.der for entry in read_jks(octets)[0])
    return tuple(found.der for found in read_certificates(octets).certificates)


def digest(der: bytes) -> str:
    """How a root is called."""
    return hashlib.sha256(der).hexdigest()


def image(about: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """An image as images.json has it, and its roots; ends all if the bundle is not the one described."""
    octets = (folder / about["bundle"]).read_bytes()
    are = {"octets": len(octets), "sha1": hashlib.sha1(octets, usedforsecurity=False).hexdigest()}
    for key in CHECKED:
        if about.get(key, are[key]) != are[key]:
            sys.exit(f"{about['name']}: {key} is {are[key]}, not {about[key]}")
    roots = {digest(der): der for der in bundle(octets)}
    left_out = [roots.pop(each, None) for each in about.get("leave_out", ())]
    if None in left_out:
        sys.exit(f"{about['name']}: a root to leave out is not in it")
    row = {key: about[key] for key in DESCRIBED if key in about}
    if about.get("keep"):
        row["file"] = about["bundle"]
        (HERE / row["file"]).write_bytes(octets)
    return {**row, "left_out": len(left_out), "count": len(roots), "roots": list(roots)}, roots


def written() -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """The images and roots that are there."""
    if not (HERE / "images.json").is_file():
        return {}, {}
    images = json.loads((HERE / "images.json").read_bytes())["images"]
    roots = {digest(der): der for der in bundle((HERE / "roots.pem").read_bytes())}
    return {each["name"]: each for each in images}, roots


def block(der: bytes) -> str:
    """One root: its name as a comment, then its PEM."""
    return f"# {parse_certificate(der).subject}\n{ssl.DER_cert_to_PEM_cert(der)}"


def main() -> None:
    """Reads FOLDER and writes both files; the same input gives the same octets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    HERE.mkdir(parents=True, exist_ok=True)
    images, roots = written()
    for about in tomllib.loads((folder / "images.toml").read_text(encoding="utf-8"))["image"]:
        images[about["name"]], more = image(about, folder)
        roots |= more
    used = sorted({each for one in images.values() for each in one["roots"]})
    (HERE / "roots.pem").write_text("\n".join(block(roots[each]) for each in used), encoding="utf-8")
    document = {"images": [images[name] for name in sorted(images)]}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (HERE / "images.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(images)} images, {len(used)} roots")


if __name__ == "__main__":
    main()
