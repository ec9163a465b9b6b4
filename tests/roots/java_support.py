"""Keystores for tests: written by hand, made by keytool and kept in `fixtures/`, and what keytool says."""

import re
import shutil
import struct
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"
"""`keytool*` and `*.hive` as keytool 17 and hivexregedit 1.3 wrote them."""
DEBIAN = Path("/etc/ssl/certs/java/cacerts")
JKS, JCEKS = b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"
ADDED = datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)

needs_keytool = pytest.mark.skipif(shutil.which("keytool") is None, reason="keytool is not installed")


def text(value: str) -> bytes:
    octets = value.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")
    encoded = octets.encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")
    return struct.pack(">H", len(encoded)) + encoded


def sized(octets: bytes) -> bytes:
    return struct.pack(">I", len(octets)) + octets


def certificate(der: bytes, version: int = 2) -> bytes:
    return (text("X.509") if version > 1 else b"") + sized(der)


def head(kind: int, alias: str, added: datetime = ADDED) -> bytes:
    return struct.pack(">I", kind) + text(alias) + struct.pack(">Q", round(added.timestamp() * 1000))


def trusted(alias: str, der: bytes, added: datetime = ADDED, version: int = 2) -> bytes:
    return head(2, alias, added) + certificate(der, version)


def key(alias: str, *chain: bytes, secret: bytes = b"not a key") -> bytes:
    return head(1, alias) + sized(secret) + struct.pack(">I", len(chain)) + b"".join(map(certificate, chain))


def store(*entries: bytes, magic: bytes = JKS, version: int = 2, count: int | None = None) -> bytes:
    """A keystore; `count` may lie."""
    count = len(entries) if count is None else count
    return magic + struct.pack(">II", version, count) + b"".join(entries) + b"\0" * 20


@dataclass(frozen=True)
class Listed:
    alias: str
    kind: str
    ders: tuple[bytes, ...]
    day: str


def listed(path: Path) -> list[Listed]:
    """What keytool says of a keystore."""
    options = ["-J-Duser.language=en", "-J-Duser.country=US", "-J-Duser.timezone=UTC"]
    options += ["-J-Dfile.encoding=UTF-8", "-J-Dstdout.encoding=UTF-8", "-J-Dsun.stdout.encoding=UTF-8"]
    command = ["keytool", "-list", "-rfc", "-keystore", str(path), "-storepass", "changeit", *options]
    out = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL).stdout.decode()
    return [_listed(part) for part in re.split(r"^Alias name: ", out, flags=re.MULTILINE)[1:]]


def _listed(part: str) -> Listed:
    ders = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", part, re.DOTALL)
    day = re.search(r"^Creation date: (.*)$", part, re.MULTILINE)
    kind = re.search(r"^Entry type: (.*)$", part, re.MULTILINE)
    assert kind is not None
    alias = part.split("\n", 1)[0].strip()
    return Listed(alias, kind[1].strip(), tuple(map(b64decode, ders)), day[1].strip() if day else "")


def keytool(*words: str) -> None:
    subprocess.run(["keytool", *words], capture_output=True, check=True, stdin=subprocess.DEVNULL)


def imported(file: Path, kind: str, certificates: dict[str, Path], *options: str) -> Path:
    """A keystore that keytool makes."""
    for alias, path in certificates.items():
        where = ["-keystore", str(file), "-storetype", kind, "-storepass", "changeit"]
        keytool("-importcert", "-noprompt", *where, "-alias", alias, "-file", str(path), *options)
    return file
