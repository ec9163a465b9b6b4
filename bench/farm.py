"""The server side of the benches: a small public PKI and nginx with one virtual host per name.

Half of the leaves are RSA-2048 under an RSA-2048 intermediate, half P-256 under a P-384 intermediate,
both under one RSA-4096 root; every certificate is distinct, keys come from a pool (making thousands of
RSA keys would take minutes and change nothing for the client).
"""

import contextlib
import datetime as dt
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_POOL = 16
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
NOT_BEFORE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NOT_AFTER = dt.datetime(2036, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Farm:
    """A running farm: `names` are its hosts, `ports` maps a TLS version to its port."""

    address: str
    ports: dict[str, int]
    names: tuple[str, ...]
    roots: Path

    def write_pairs(self, version: str, path: Path, count: int) -> Path:
        """A file of `count` lines "name address:port", repeating the hosts where there are fewer."""
        port = self.ports[version]
        with path.open("w") as file:
            for i in range(count):
                file.write(f"{self.names[i % len(self.names)]} {self.address}:{port}\n")
        return path


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bench Trust"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


@dataclass(frozen=True)
class _Authority:
    name: x509.Name
    key: CertificateIssuerPrivateKeyTypes
    pem: bytes


def _authority(
    common_name: str, key: CertificateIssuerPrivateKeyTypes, issuer: _Authority | None
) -> _Authority:
    name = _name(common_name)
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.name if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(
            x509.BasicConstraints(ca=True, path_length=None if issuer is None else 0), critical=True
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    certificate = builder.sign(signer, hashes.SHA256())
    return _Authority(name, key, certificate.public_bytes(serialization.Encoding.PEM))


def _leaf(host: str, public_key: object, issuer: _Authority) -> bytes:
    """A leaf with the nine extensions that a public CA gives, as PEM."""
    digital = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    base = "http://ca.bench.test"
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
        .issuer_name(issuer.name)
        .public_key(public_key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(digital, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)  # type: ignore[arg-type]
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(
                        x509.AuthorityInformationAccessOID.CA_ISSUERS,
                        x509.UniformResourceIdentifier(f"{base}/i.crt"),
                    )
                ]
            ),
            critical=False,
        )
        .add_extension(
            x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.UniformResourceIdentifier(f"{base}/i.crl")], None, None, None)]
            ),
            critical=False,
        )
        .add_extension(
            x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)]),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(SCT_LIST, b"\x04\x82\x00\xf0" + os.urandom(240)), critical=False
        )
    )
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _make_sites(folder: Path, count: int) -> tuple[str, ...]:
    """Write keys, chains (leaf and intermediate) and roots.pem; the names of the sites."""
    root = _authority("Bench Root", rsa.generate_private_key(65537, 4096), None)
    by_rsa = _authority("Bench Issuing R1", rsa.generate_private_key(65537, 2048), root)
    by_ec = _authority("Bench Issuing E1", ec.generate_private_key(ec.SECP384R1()), root)
    (folder / "roots.pem").write_bytes(root.pem)
    rsa_keys = [rsa.generate_private_key(65537, 2048) for _ in range(KEY_POOL)]
    ec_keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(KEY_POOL)]
    for i in range(KEY_POOL):
        _write_key(folder / f"rsa{i}.key", rsa_keys[i])
        _write_key(folder / f"ec{i}.key", ec_keys[i])
    names = tuple(f"h{i:05}.bench.test" for i in range(count))
    for i, name in enumerate(names):
        key = (rsa_keys if i % 2 else ec_keys)[i // 2 % KEY_POOL]
        issuer = by_rsa if i % 2 else by_ec
        (folder / f"{name}.pem").write_bytes(_leaf(name, key.public_key(), issuer) + issuer.pem)
    return names


_CONFIG = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit; {user}
events {{ worker_connections 16384; multi_accept on; }}
http {{
  access_log off; server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_session_cache off; ssl_session_tickets off; ssl_ecdh_curve X25519:prime256v1; lingering_close off;
{servers}
}}
"""
_SERVER = """\
  server {{ listen {address}:{port13} ssl http2{backlog}; server_name {name}; ssl_protocols TLSv1.3;
    ssl_certificate {folder}/{name}.pem; ssl_certificate_key {folder}/{key}.key; return 204; }}
  server {{ listen {address}:{port12} ssl http2{backlog}; server_name {name}; ssl_protocols TLSv1.2;
    ssl_certificate {folder}/{name}.pem; ssl_certificate_key {folder}/{key}.key; return 204; }}
"""


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as s:
        s.bind((address, 0))
        return int(s.getsockname()[1])


def _configure(folder: Path, names: tuple[str, ...], address: str, ports: dict[str, int]) -> None:
    servers = []
    for i, name in enumerate(names):
        key = f"{'rsa' if i % 2 else 'ec'}{i // 2 % KEY_POOL}"
        backlog = " backlog=8192" if i == 0 else ""
        servers.append(
            _SERVER.format(
                name=name,
                key=key,
                folder=folder,
                address=address,
                backlog=backlog,
                port13=ports["TLSv1.3"],
                port12=ports["TLSv1.2"],
            )
        )
    user = "user root;" if os.geteuid() == 0 else ""
    text = _CONFIG.format(folder=folder, servers="".join(servers), user=user)
    (folder / "nginx.conf").write_text(text)


@contextlib.contextmanager
def running_farm(
    folder: Path, count: int, *, address: str = "127.0.0.1", prefix: tuple[str, ...] = (), core: int = 0
) -> Iterator[Farm]:
    """nginx on one core while the context lasts; `prefix` goes before the command (ip netns exec …)."""
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        raise SystemExit("bench: nginx is missing (Debian: nginx-light)")
    folder.mkdir(parents=True, exist_ok=True)
    names = _make_sites(folder, count)
    ports = {"TLSv1.3": free_port(), "TLSv1.2": free_port()}
    _configure(folder, names, address, ports)
    command = [
        *prefix,
        "taskset",
        "-c",
        str(core),
        nginx,
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        str(folder / "error.log"),
    ]
    server = subprocess.Popen(command)
    try:
        _wait_for(folder / "nginx.pid", server)
        yield Farm(address, ports, names, folder / "roots.pem")
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(pid_file: Path, server: subprocess.Popen[bytes]) -> None:
    """nginx writes its pid file once all its sockets listen."""
    deadline = time.monotonic() + 60
    while not pid_file.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("bench: nginx did not start")
        time.sleep(0.02)
