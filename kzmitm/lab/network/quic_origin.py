"""The sites over QUIC (RFC 9000, 9114): aioquic in a process of its own, configured on standard input.

What redirects TCP leaves UDP alone, so that a genuine certificate here beside a forged one there tells
much. All sites share one certificate that names them all, as those of a CDN do: aioquic chooses none by name.
"""

import asyncio
import json
import sys
from importlib.util import find_spec
from typing import Any

from kzmitm.lab.network.processes import READY

PORT = 443
TITLE = "This is a site of the laboratory, over QUIC."


def has_quic() -> bool:
    """True if aioquic is installed."""
    return find_spec("aioquic") is not None


def document(*, chain_pem: bytes, key_pem: bytes, addresses: list[str]) -> bytes:
    """The configuration, one line for standard input: the keys are in no file."""
    told = {"chain": chain_pem.decode(), "key": key_pem.decode(), "addresses": addresses}
    return json.dumps(told).encode() + b"\n"


async def _serve(told: dict[str, Any]) -> None:
    from aioquic.asyncio.protocol import QuicConnectionProtocol  # noqa: PLC0415 - an extra
    from aioquic.asyncio.server import serve  # noqa: PLC0415
    from aioquic.h3.connection import H3_ALPN, H3Connection  # noqa: PLC0415
    from aioquic.h3.events import HeadersReceived  # noqa: PLC0415
    from aioquic.quic.configuration import QuicConfiguration  # noqa: PLC0415
    from aioquic.quic.events import ProtocolNegotiated, QuicEvent  # noqa: PLC0415
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    class Site(QuicConnectionProtocol):
        """One connection: every request gets the page."""

        _http: H3Connection | None = None

        def quic_event_received(self, event: QuicEvent) -> None:
            if isinstance(event, ProtocolNegotiated) and event.alpn_protocol in H3_ALPN:
                self._http = H3Connection(self._quic)
            if self._http is None:
                return
            for http_event in self._http.handle_event(event):
                if isinstance(http_event, HeadersReceived):
                    head = [(b":status", b"200"), (b"content-type", b"text/plain")]
                    self._http.send_headers(http_event.stream_id, head)
                    self._http.send_data(http_event.stream_id, f"{TITLE}\n".encode(), end_stream=True)
            self.transmit()

    leaf, *issuers = x509.load_pem_x509_certificates(told["chain"].encode())
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.certificate = leaf
    configuration.certificate_chain = issuers
    configuration.private_key = load_pem_private_key(told["key"].encode(), password=None)
    for address in told["addresses"]:
        await serve(address, PORT, configuration=configuration, create_protocol=Site)
    print(READY, flush=True)  # noqa: T201 - the word that process 1 waits for
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    asyncio.run(_serve(json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
