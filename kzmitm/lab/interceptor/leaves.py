"""The forged leaves, ready to be presented: one key for each host, each leaf made once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from kzmitm.lab.certificates.forging import LeafRule, forge, new_key
from kzmitm.lab.certificates.pki import Credential
from kzmitm.pki.cache import LRU

MAX_LEAVES = 1024
"""Leaves and keys that are kept: many times the sites of the laboratory."""

SPARE_KEYS = 4
"""Keys made ahead of need: the sites that the first page of a browser brings along."""


class Leaves:
    """Makes leaves by a rule. Keys are made in a thread, as one takes up to half a second."""

    def __init__(self, issuer: Credential, rule: LeafRule) -> None:
        self._issuer = issuer
        self._rule = rule
        self._maker = ThreadPoolExecutor(1, "kzmitm-keys")
        self._spare: asyncio.Queue[asyncio.Future[rsa.RSAPrivateKey]] = asyncio.Queue()
        self._keys: LRU[str, asyncio.Future[rsa.RSAPrivateKey]] = LRU(MAX_LEAVES)
        self._contexts: LRU[tuple[str, bytes], SSL.Context] = LRU(MAX_LEAVES)

    def prepare(self) -> None:
        """Begin to make keys ahead of need."""
        for _ in range(SPARE_KEYS):
            self._make_spare()

    def _make_spare(self) -> None:
        loop = asyncio.get_running_loop()
        self._spare.put_nowait(loop.run_in_executor(self._maker, new_key, self._rule))

    async def context_for(self, host: str, genuine: x509.Certificate) -> SSL.Context:
        """A server's context with the leaf that stands in for `genuine` at `host`.

        Raises ValueError for a certificate that cannot be copied. ALPN follows `set_app_data` of the
        connection: the protocol, or None for none.
        """
        name = host, genuine.fingerprint(hashes.SHA256())
        context = self._contexts.get(name)
        if context is None:
            key = await asyncio.shield(self._key(host))
            context = self._contexts.get(name)  # others may have waited for the same key
        if context is None:
            forged = forge(genuine, issuer=self._issuer, rule=self._rule, key=key, with_root=True)
            context = _present(forged)
            self._contexts.put(name, context)
        return context

    def _key(self, host: str) -> asyncio.Future[rsa.RSAPrivateKey]:
        key = self._keys.get(host)
        if key is None:
            self._make_spare()
            key = self._spare.get_nowait()
            self._keys.put(host, key)
        return key

    def close(self) -> None:
        self._maker.shutdown(wait=False, cancel_futures=True)


def _present(credential: Credential) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    # Level 0 lets a leaf with 1024 bits through (openssl: SSL_CTX_set_security_level).
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(credential.certificate)
    context.use_privatekey(credential.key)
    for certificate in credential.chain:
        context.add_extra_chain_cert(certificate)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_select_callback(_select)
    return context


def _select(connection: SSL.Connection, _offered: list[bytes]) -> "bytes | SSL._NoOverlappingProtocols":
    """What the origin chose from the same offer."""
    chosen: bytes | None = connection.get_app_data()
    return chosen or SSL.NO_OVERLAPPING_PROTOCOLS
