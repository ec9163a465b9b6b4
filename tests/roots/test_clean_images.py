"""No false alarm on clean systems: real lists of distributions and programs, laid out as they keep them.

Of every image, `roots` must find each root, know it as one that was public, and be silent; with one root more
it must speak, so that it is not silent because it read nothing. Where each image is from, `images.json` says;
`tools/clean_images.py` made it.
"""

import hashlib
import json
import re
from base64 import b64decode, urlsafe_b64encode
from functools import cache
from pathlib import Path

import pytest
from java_support import trusted
from roots_support import LAYOUTS, bundle, put, qaznet, root, ubuntu

from kzmitm.cli.main import main
from kzmitm.pki.cache import CertificateCache
from kzmitm.resources import truststore_files

CLEAN = Path(__file__).parent / "fixtures" / "clean"
IMAGES = json.loads((CLEAN / "images.json").read_bytes())["images"]
ONE_OF_EACH = list({image["kind"]: image for image in IMAGES}.values())

QAZNET = "00309c736dd661da6f1eb24173aa849944c168a43a15bffd192eecfdb6f8dbd2"
CNNIC = {
    "1c01c6f4dbb2fefc22558b2bca32563f49844acfc32b7be4b0ff599f9e8c7af7",
    "e28393773da845a679f2080cc7fb44a3b7a1c3792cb7eb7729fdcb6a8d99aea7",
}
"""Public until 2015, and kept apart by the registry for an incident: named, and no alarm."""

every_image = pytest.mark.parametrize("image", IMAGES, ids=[image["name"] for image in IMAGES])
one_of_each = pytest.mark.parametrize("image", ONE_OF_EACH, ids=[image["kind"] for image in ONE_OF_EACH])


def certifi(base, added, roots):
    packages = "/opt/app/lib/python3.11/site-packages"
    content = bundle((*roots, *added))
    put(base, f"{packages}/certifi/cacert.pem", content)
    told = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    line = f"certifi/cacert.pem,sha256={told},{len(content)}\n"
    put(base, f"{packages}/certifi-1.dist-info/RECORD", line)


def node(base, added, roots):
    """Node's own list is in its program; a file of it is what a variable can name."""
    put(base, "/usr/share/node/roots.pem", bundle((*roots, *added)))
    put(base, "/etc/environment", "NODE_EXTRA_CA_CERTS=/usr/share/node/roots.pem\n")


def java(base, added, roots):
    """The real keystore; what is added stands before its own entries, which end with a hash of the whole."""
    octets = (CLEAN / "cacerts").read_bytes()
    count = int.from_bytes(octets[8:12]) + len(added)
    entries = b"".join(trusted(f"added{number}", der) for number, der in enumerate(added))
    put(
        base,
        "/usr/lib/jvm/java-25-openjdk/lib/security/cacerts",
        octets[:8] + count.to_bytes(4) + entries + octets[12:],
    )


PLACES = {**LAYOUTS, "ubuntu": ubuntu, "certifi": certifi, "node": node, "java": java}


@cache
def certificates():
    """Every root of every image, by its hash."""
    blocks = re.findall(
        "-----BEGIN CERTIFICATE-----(.*?)-----END",
        (CLEAN / "roots.pem").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    return {hashlib.sha256(der).hexdigest(): der for der in map(b64decode, blocks)}


@pytest.fixture
def look(tmp_path, capsys, monkeypatch):
    """Lay an image out, run `kzmitm roots` on it, and give its exit code and what it wrote."""
    monkeypatch.setenv("KZMITM_HOME", str(tmp_path / "home"))
    system = tmp_path / "system"

    def run(image, added=(), words=("--json",)):
        if not system.exists():
            PLACES[image["kind"]](system, added, [certificates()[each] for each in image["roots"]])
        code = main(["roots", "--root", str(system), "--deep", *words])
        written = capsys.readouterr()
        assert written.err == ""
        return code, json.loads(written.out) if "--json" in words else written.out

    return run


@every_image
@pytest.mark.untraced
def test_a_clean_image_raises_no_alarm(look, image):
    code, found = look(image)
    assert (code, found["alarm"]) == (0, False)
    assert not [store["problem"] for store in found["stores"] if store["problem"]]
    assert {each["sha256"] for each in found["roots"]} == set(image["roots"])
    assert len(found["roots"]) == image["count"] == len(set(image["roots"]))
    for each in found["roots"]:
        is_kept_apart = each["sha256"] in CNNIC
        assert each["class"] in ({"incident"} if is_kept_apart else {"public", "formerly_public"}), each
        assert (each["match"], each["trust"], each["alarm"]) == ("certificate", "trusted", False)


@every_image
@pytest.mark.untraced
def test_of_a_clean_image_nothing_is_listed(look, image):
    code, text = look(image, words=())
    assert code == 0
    assert text.startswith("GOOD: no interception root is trusted")
    named = {each for each in image["roots"] if each in text}
    assert named == CNNIC & set(image["roots"])


@one_of_each
@pytest.mark.untraced
def test_the_same_image_with_the_interception_root_is_an_alarm(look, image):
    der = qaznet()
    if der is None:
        pytest.skip("needs the shared certificates beside the checkout")
    code, found = look(image, [der])
    assert (code, found["alarm"]) == (1, True)
    assert {each["sha256"] for each in found["roots"]} == {*image["roots"], QAZNET}
    assert [each["sha256"] for each in found["roots"] if each["alarm"]] == [QAZNET]


@one_of_each
@pytest.mark.untraced
def test_a_root_that_only_has_a_name_like_a_public_one_is_listed(look, image):
    """One was found in the list of an Ubuntu that somebody had been at, as a file among the package's own."""
    der = root("DigiCert Trusted Root G3")
    code, found = look(image, [der])
    assert code == 0
    (odd,) = [each for each in found["roots"] if each["class"] == "unknown_local"]
    assert odd["sha256"] == hashlib.sha256(der).hexdigest()
    assert odd["sha256"] in look(image, [der], words=())[1]


def test_what_is_said_of_earlier_years_is_what_certifi_had():
    lists = {image["name"]: image["roots"] for image in IMAGES}
    held = CertificateCache()
    for row in json.loads(truststore_files()["former.json"])["roots"]:
        found = held.parse(certificates()[row["sha256"]])
        assert (found.sha256, found.spki_sha256) == (row["sha256"], row["spki_sha256"])
        assert held.is_signed_by(found, found)
        assert row["sha256"] in lists[f"certifi-{row['first_release']}"]


def test_the_images_are_those_that_the_fixtures_say(tmp_path):
    assert {image["kind"] for image in IMAGES} == set(PLACES)
    assert set(certificates()) == {each for image in IMAGES for each in image["roots"]}
    (alpine,) = [image for image in IMAGES if image["kind"] == "alpine"]
    LAYOUTS["alpine"](tmp_path, roots=[certificates()[each] for each in alpine["roots"]])
    (java,) = [image for image in IMAGES if image["kind"] == "java"]
    for image, file in (
        (alpine, tmp_path / "etc/ssl/certs/ca-certificates.crt"),
        (java, CLEAN / java["file"]),
    ):
        octets = file.read_bytes()
        assert (len(octets), hashlib.sha1(octets, usedforsecurity=False).hexdigest()) == (
            image["octets"],
            image["sha1"],
        )
