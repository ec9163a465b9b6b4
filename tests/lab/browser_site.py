"""A TLS site on loopback with a certificate of the laboratory's public CA, and a browser that finds it."""

import functools
import http.server
import os
import shutil
import ssl
import tempfile
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kzmitm.lab.browser import Browser, find_browser
from kzmitm.lab.certificates.pki import Leaf, PublicCA, pem

HOST = "social.lab.test"
PAGE = b"""<!doctype html><title>Social</title><h1>Hello</h1><input id=name>
<button id=b onclick="this.textContent='pressed'">press</button>"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_words):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a browser that refuses the certificate goes in the middle of the handshake


def program():
    """The browser, or a skip that fails in CI (tests/conftest.py)."""
    found = find_browser(os.environ)
    if found is None or shutil.which("certutil") is None:
        pytest.skip("needs the packages chromium and libnss3-tools")
    return found


@contextmanager
def site(tmp_path):
    """The port of a site that answers for HOST, and the root above it in PEM."""
    ca = PublicCA(datetime.now(UTC))  # noqa: TID251 - Chromium judges by the true time
    leaf = ca.issue(Leaf(hostname=HOST))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(pem(leaf.certificate) + leaf.chain_pem)
    key.write_bytes(leaf.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server = Server(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield server.server_address[1], pem(ca.root.certificate)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def short_home():
    """A home with a name that is short enough for a socket below it, which tmp_path's is not."""
    with tempfile.TemporaryDirectory(prefix="kzb-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "home"


def browser_for(port, home, prefix=(), **more):
    """A browser that finds every name of the laboratory at this port, and nothing else."""
    rules = f"--host-resolver-rules=MAP *.lab.test 127.0.0.1:{port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    return Browser(prefix, home, os.environ, program=program(), flags=[rules], **more)
