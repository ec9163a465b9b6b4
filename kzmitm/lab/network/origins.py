"""The web servers of the sites: nginx, with every site at every address, chosen by SNI."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kzmitm.lab.certificates.pki import Credential, pem
from kzmitm.lab.network.topology import BLOCK_PAGE, SITE_ADDRESSES

NAME = "nginx"
HTTPS, HTTP = 443, 80

Variants = Sequence[Sequence[Credential]]
"""What a site presents: at its n-th address the n-th item, of which TLS chooses what the client can use."""

_HEAD = """\
daemon off;
# One process as root of the namespace: there is no other user to change to.
user root root;
master_process off;
error_log stderr warn;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  default_type text/html;
  charset utf-8;
  ssl_protocols TLSv1.2 TLSv1.3;
  server_names_hash_bucket_size 128;
  client_body_temp_path {directory}/nginx-body;
  proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-fastcgi;
  uwsgi_temp_path {directory}/nginx-uwsgi;
  scgi_temp_path {directory}/nginx-scgi;
"""

PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width'><title>$host</title>"
    "<style>body{font:20px/1.5 system-ui,sans-serif;margin:12vh auto;max-width:32em;padding:0 1em;"
    "color:#123;background:#eef4fb}code{background:#fff;padding:.1em .4em;border-radius:.2em}</style>"
    "<h1>$host</h1><p>This is a site of the laboratory, and the page arrived."
    "<p>The server was asked by <code>$remote_addr</code>.\n"
)
"""What every site shows; the address tells who asked: the client, or an interceptor in its stead."""


def configuration(
    directory: Path, shown: Mapping[str, Variants], block_page: Credential
) -> tuple[str, Mapping[str, bytes]]:
    """The configuration of nginx, and the files that it names; the first site answers for unknown names."""
    files: dict[str, bytes] = {}
    parts = [_HEAD.format(directory=directory)]
    for number, (hostname, variants) in enumerate(shown.items()):
        for index in range(len(SITE_ADDRESSES)) if len(variants) > 1 else (None,):
            credentials = variants[(index or 0) % len(variants)]
            stems = tuple(f"origin-{number}-{index or 0}-{i}" for i in range(len(credentials)))
            for stem, credential in zip(stems, credentials, strict=True):
                files |= credential_files(stem, credential)
            where = tuple(_addresses() if index is None else SITE_ADDRESSES[index])
            parts.append(_server(directory, hostname, where, stems, is_default=number == 0))
    files |= credential_files("block-page", block_page)
    parts.append(_server(directory, "_", BLOCK_PAGE, ("block-page",), is_default=True))
    parts.append(_plain())
    return "".join(parts) + "}\n", files


def credential_files(stem: str, credential: Credential) -> dict[str, bytes]:
    """A certificate with its chain, and its key, as files."""
    chain = pem(credential.certificate) + credential.chain_pem
    return {f"{stem}.pem": chain, f"{stem}.key": credential.key_pem}


def _addresses() -> Iterator[str]:
    return (address for pair in SITE_ADDRESSES for address in pair)


def _server(
    directory: Path, hostname: str, addresses: Sequence[str], stems: Sequence[str], *, is_default: bool
) -> str:
    default = " default_server" if is_default else ""
    listens = "".join(f"    listen {_listening(a)}:{HTTPS} ssl http2{default};\n" for a in addresses)
    certificates = "".join(
        f"    ssl_certificate {directory}/{stem}.pem;\n    ssl_certificate_key {directory}/{stem}.key;\n"
        for stem in stems
    )
    page = BLOCKED_PAGE if stems == ("block-page",) else PAGE
    return (
        f"  server {{\n{listens}    server_name {hostname};\n{certificates}"
        f'    location / {{ return 200 "{page}"; }}\n  }}\n'
    )


BLOCKED_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Blocked</title>"
    "<style>body{font:20px/1.5 system-ui,sans-serif;margin:12vh auto;max-width:32em;padding:0 1em;"
    "background:#fbeeee}</style><h1>This site is blocked</h1><p>By order of nobody: this is a laboratory.\n"
)


def _plain() -> str:
    """The sites in the clear, which a portal answers for as well; a browser's test for one wants 204."""
    listens = "".join(f"    listen {_listening(a)}:{HTTP};\n" for a in (*_addresses(), *BLOCK_PAGE))
    return (
        f"  server {{\n{listens}    location = /generate_204 {{ return 204; }}\n"
        f'    location / {{ return 200 "{PAGE}"; }}\n  }}\n'
    )


def _listening(address: str) -> str:
    return f"[{address}]" if ":" in address else address
