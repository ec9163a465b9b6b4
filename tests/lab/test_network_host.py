"""The computer that hosts a network does not notice it, and no key of it ever gets out."""

import hashlib
import os
import resource
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from network_support import (
    OTHERS,
    PLACES,
    SHARED,
    Trace,
    eventually,
    files,
    lab_name,
    needs_network,
    needs_product,
)

from kzmitm.cli.clock import now
from kzmitm.lab.certificates.extensions import NETSCAPE_COMMENT
from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import (
    Credential,
    Leaf,
    PublicCA,
    certificate_builder,
    distinguished_name,
    ec_key,
    pem,
)
from kzmitm.lab.control.client import Lab, own_lab
from kzmitm.lab.network.network import SYSTEM_BUNDLES
from kzmitm.lab.network.session import NetworkSession

pytestmark = needs_network

COMMANDS = ("ip netns", "ip -br link", "ip -br address", "ip rule", "nft list ruleset", "iptables-save")
FOLDERS = ("/etc/ssl", "/usr/local/share/ca-certificates")
FILES = ("/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts", "/proc/self/mountinfo")
SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/icmp_ratelimit",
    "kernel/core_pattern",
)
KEY = b"PRIVATE KEY"


def host() -> dict[str, str]:
    """What a network could change and must not."""
    seen = {}
    for command in COMMANDS:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        seen[command] = "\n".join(line for line in lines if not line.startswith(("#", ":")))
    for folder in FOLDERS:
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        digest = hashlib.sha256()
        for path in paths:
            digest.update(str(path).encode() + (path.read_bytes() if os.access(path, os.R_OK) else b""))
        seen[folder] = digest.hexdigest()
    for name in (*FILES, *(f"/proc/sys/{setting}" for setting in SETTINGS)):
        path = Path(name)
        seen[name] = path.read_text() if path.exists() else ""
    return seen


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trace:
    trace = Trace(lab_name("host"))
    monkeypatch.setenv("PATH", trace.path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return trace


@pytest.fixture
def lab(trace: Trace) -> Iterator[Lab]:
    lab = own_lab(now())
    try:
        yield lab
    finally:
        lab.close()


def test_host_is_as_before(trace: Trace, tmp_path: Path):
    before, there = host(), files()
    lab = own_lab(now())
    try:
        session = NetworkSession(lab)
        for profile in ("antivirus", "kz-inline", "dns-hijack", "sslsplit"):
            needs_product(profile)
            active = session.switch_on(profile, {})
            session.scan(active.profile.scanned(active.settings)[:1])
            assert host() == before, profile
            session.switch_off()
    finally:
        lab.close()
    assert host() == before
    assert trace.processes() == []
    assert list(tmp_path.iterdir()) == []
    # What a laboratory leaves stays; tests beside this one have files of their own for a moment.
    eventually(lambda: files() <= there, "files are left")


def test_root_of_an_antivirus_is_in_the_store_inside_only(lab: Lab):
    bundle = next(path for path in SYSTEM_BUNDLES if path.is_file())
    before = bundle.read_bytes()
    lab.switch_on("antivirus", {})
    root = lab.status["root"].encode()
    inside = lab.run("client", ["cat", str(bundle)]).stdout.encode()
    assert inside == before + root
    assert bundle.read_bytes() == before
    trusting = ["curl", "--silent", "--fail", "https://www.weather.test/"]
    assert lab.run("client", trusting).returncode == 0
    lab.switch_off()
    assert lab.run("client", ["cat", str(bundle)]).stdout.encode() == before
    assert lab.run("client", trusting).returncode == 60  # curl(1): the certificate cannot be verified


def test_keys_are_in_memory_only(lab: Lab, trace: Trace, tmp_path: Path):
    needs_product("sslsplit")
    began = time.clock_gettime(time.CLOCK_REALTIME)
    lab.switch_on("sslsplit", {})
    assert KEY in (lab.outer_directory / "sslsplit-key.pem").read_bytes()  # it would be found
    memory = lab.outer_directory.stat().st_dev
    processes = trace.processes()
    assert {"nginx", "sslsplit", "dnsmasq", "unshare"} <= {process.name for process in processes}
    for process in processes:
        for path in open_for_writing(process.pid):
            assert path.stat().st_dev == memory, f"{process.name}: {path.readlink()}"
    assert [path for path in fresh_files(tmp_path, began) if KEY in path.read_bytes()] == []


def open_for_writing(pid: int) -> Iterator[Path]:
    """The regular files that a process has open to write in."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        info = Path(f"/proc/{pid}/fdinfo/{path.name}").read_text()
        flags = int(next(line.split()[1] for line in info.splitlines() if line.startswith("flags:")), 8)
        if flags & os.O_ACCMODE != os.O_RDONLY and stat.S_ISREG(path.stat().st_mode):
            yield path


def fresh_files(own: Path, began: float) -> Iterator[Path]:
    """What was written since then, but for what other tests keep there."""
    roots = [path for place in (*PLACES, *SHARED) if place.is_dir() for path in place.iterdir()]
    for root in (own, *(path for path in roots if not path.name.startswith(OTHERS))):
        for path in root.rglob("*") if root.is_dir() and not root.is_symlink() else [root]:
            try:
                status = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_mtime >= began - 1 and os.access(path, os.R_OK):
                yield path


def test_memory_is_never_swapped_and_no_core_is_written(lab: Lab, trace: Trace):
    mounts = Path(f"/proc/{lab.pid}/mountinfo").read_text().splitlines()
    kinds = [line.partition(" - ")[2].split()[0] for line in mounts if line.split()[4] == "/dev/shm"]
    assert kinds[-1] == "ramfs"
    assert resource.prlimit(lab.pid, resource.RLIMIT_CORE) == (0, 0)
    for process in trace.called("nginx.conf"):
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)


def test_directory_of_the_laboratory_is_nowhere_outside(lab: Lab):
    assert lab.outer_directory.is_dir()
    assert not lab.directory.exists()


# --- the roots are of use in the laboratory only


def forged(issuer: Credential, name: str) -> bytes:
    """What an interceptor outside would present, had it the key."""
    key = ec_key()
    builder = certificate_builder(
        subject=distinguished_name(CN=name),
        issuer=issuer.certificate.subject,
        key=key,
        validity=(now() - timedelta(hours=1), now() + timedelta(hours=1)),
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return pem(builder.sign(issuer.key, hashes.SHA256()))


def verdict(lab: Lab, root: bytes, intermediate: bytes, leaf: bytes) -> str:
    """What openssl says inside."""
    for name, content in (("t-root", root), ("t-int", intermediate), ("t-leaf", leaf)):
        (lab.outer_directory / f"{name}.pem").write_bytes(content)
    words = "openssl verify -no-CApath -no-CAstore -CAfile t-root.pem -untrusted t-int.pem t-leaf.pem"
    done = lab.run("client", ["sh", "-c", f"cd {lab.directory} && {words} 2>&1"])
    return done.stdout


@pytest.mark.parametrize("name", ["outside.example", "example.org", "lab.test.example", "kz"])
def test_look_alike_in_use_is_worthless_outside(lab: Lab, name: str):
    needs_product("sslsplit")
    lab.switch_on("sslsplit", {})
    folder = lab.outer_directory
    key = load_pem_private_key((folder / "sslsplit-key.pem").read_bytes(), None)
    intermediate = x509.load_pem_x509_certificate((folder / "sslsplit-ca.pem").read_bytes())
    issuer = Credential(intermediate, key)
    root = lab.status["root"].encode()
    assert verdict(lab, root, issuer.pem, forged(issuer, "social.lab.test")) == "t-leaf.pem: OK\n"
    assert "error 47 at 0 depth lookup: permitted subtree violation" in verdict(
        lab, root, issuer.pem, forged(issuer, name)
    )


@pytest.mark.parametrize("make", [PublicCA, LookAlikeCA], ids=["public", "look-alike"])
def test_roots_are_worthless_outside(lab: Lab, make: type):
    authority = make(now())
    issuer = authority.issuing if make is PublicCA else authority.intermediate
    for name, end in (("a.lab.test", "t-leaf.pem: OK\n"), ("outside.example", "verification failed\n")):
        said = verdict(lab, authority.root.pem, issuer.pem, forged(issuer, name))
        assert said.endswith(end), said
    if make is PublicCA:
        outside = authority.issue(Leaf(hostname="outside.example")).pem
        assert "permitted subtree violation" in verdict(lab, authority.root.pem, issuer.pem, outside)


def test_every_root_says_what_it_is_for(lab: Lab):
    lab.switch_on("kz-proxy", {})
    stored = (lab.outer_directory / "roots.pem").read_bytes()
    roots = x509.load_pem_x509_certificates(stored + lab.status["root"].encode())
    assert len(roots) == 3
    for root in roots:
        constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
        assert constraints.critical
        names = [str(each.value) for each in constraints.value.permitted_subtrees]
        assert "test" in names
        assert "0.0.0.0/0" not in names
        assert "LAB" in root.subject.rfc4514_string()
        comment = root.extensions.get_extension_for_oid(NETSCAPE_COMMENT).value.value
        assert b"LAB ONLY" in comment
        assert root.not_valid_after_utc - root.not_valid_before_utc <= timedelta(days=7)
