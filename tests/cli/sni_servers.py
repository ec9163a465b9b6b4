"""TLS servers that choose by the name in the hello: another certificate, or a reset."""

import socket
import ssl
import struct
import threading
from contextlib import suppress

import pytest


class Box:
    """Shows `default`, for some names another certificate, and cuts off those who ask for others."""

    def __init__(self, default, forged=None, cut=(), address="127.0.0.1"):
        self.asked = []
        self._cut = [name.encode() for name in cut]
        self._default = self._context(default)
        self._by_name = {name: self._context(pem) for name, pem in (forged or {}).items()}
        self._default.sni_callback = self._choose
        self._sockets = []
        self._threads = []
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    def _context(self, pem):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        context.set_alpn_protocols(["h2"])
        return context

    def _choose(self, tls, name, _context):
        self.asked.append(name)
        tls.context = self._by_name.get((name or "").lower().rstrip("."), self._default)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            self._start(self._answer, connection)

    def _answer(self, connection):
        with suppress(OSError):
            hello = connection.recv(4096, socket.MSG_PEEK)
            if any(name in hello for name in self._cut):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                return
            with self._default.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

    def close(self):
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def box():
    """Start a Box: `box(pem, forged={...}, cut=[...])`."""
    started = []

    def start(*args, **options):
        started.append(Box(*args, **options))
        return started[-1]

    yield start
    for each in started:
        each.close()
