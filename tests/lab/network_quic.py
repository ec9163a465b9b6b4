"""Runs at the client of a network: fetches a page over HTTP/3 with aioquic and prints it.

python network_quic.py ADDRESS HOSTNAME ROOTS
"""

import asyncio
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated

PATIENCE_S = 10.0


class Browser(QuicConnectionProtocol):
    """One request; the body when it has come."""

    def __init__(self, quic, stream_handler=None):
        super().__init__(quic, stream_handler)
        self.http = None
        self.body = b""
        self.done = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        for got in self.http.handle_event(event) if self.http else ():
            if isinstance(got, DataReceived):
                self.body += got.data
                if got.stream_ended and not self.done.done():
                    self.done.set_result(self.body)


async def fetch(address, hostname, roots):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=hostname)
    configuration.load_verify_locations(cafile=roots)
    async with connect(address, 443, configuration=configuration, create_protocol=Browser) as browser:
        stream = browser._quic.get_next_available_stream_id()
        asked = {":method": "GET", ":scheme": "https", ":authority": hostname, ":path": "/"}
        head = [(name.encode(), value.encode()) for name, value in asked.items()]
        browser.http.send_headers(stream, head, end_stream=True)
        browser.transmit()
        return await asyncio.wait_for(browser.done, PATIENCE_S)


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(fetch(*sys.argv[1:])).decode())
