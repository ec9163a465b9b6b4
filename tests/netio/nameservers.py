"""Small name servers on loopback: over UDP and TCP, and over HTTPS (HTTP/1.1 and HTTP/2)."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import h2.config
import h2.connection
import h2.events

from kzmitm.netio.links._local import plain_socket
from kzmitm.netio.vantage import VantageLink

Zone = Callable[[dns.message.Message], bytes | None]


def answering(records: dict[tuple[str, str], list[str]], *, rcode: int = 0, alias: str | None = None) -> Zone:
    """A zone with these records; other names do not exist, other types have no answer."""

    def zone(query):
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        if alias is not None:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", alias + "."))
        owner = question.name if alias is None else alias + "."
        if (name, kind) in records:
            response.answer.append(dns.rrset.from_text(owner, 300, "IN", kind, *records[name, kind]))
        elif not rcode and name not in {n for n, _ in records}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire(max_size=65535)

    return zone


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zone, *, truncate, seen):
        self.zone = zone
        self.seen = seen
        self.truncate = truncate

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.seen.append(addr[0])
        query = dns.message.from_wire(data)
        if self.truncate:
            response = dns.message.make_response(query)
            response.flags |= dns.flags.TC
            self.transport.sendto(response.to_wire(), addr)
        elif (wire := self.zone(query)) is not None:
            self.transport.sendto(wire, addr)


@contextlib.asynccontextmanager
async def name_server(
    zone: Zone,
    *,
    truncate: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
    seen: list[str] | None = None,
    link: VantageLink | None = None,
) -> AsyncIterator[int]:
    """A server on UDP and, for truncated answers, on the same port of TCP; yields the port.

    `seen` gets the addresses of who asked; the sockets are those of `link`.
    """
    seen = [] if seen is None else seen
    new_socket = plain_socket if link is None else link.new_socket

    async def over_tcp(reader, writer):
        seen.append(writer.get_extra_info("peername")[0])
        with contextlib.suppress(asyncio.IncompleteReadError):
            length = int.from_bytes(await reader.readexactly(2), "big")
            wire = zone(dns.message.from_wire(await reader.readexactly(length)))
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
        writer.close()

    listening, datagrams = new_socket(socket.AF_INET), new_socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind((host, port))
    port = listening.getsockname()[1]
    datagrams.bind((host, port))
    tcp = await asyncio.start_server(over_tcp, sock=listening)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(zone, truncate=truncate, seen=seen), sock=datagrams
    )
    try:
        yield port
    finally:
        transport.close()
        tcp.close()
        await asyncio.sleep(0)


async def http1(reader, writer, zone, status):
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")
        )
        body = zone(dns.message.from_wire(await reader.readexactly(length))) or b""
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()


async def http2(reader, writer, zone, status):
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    bodies: dict[int, bytes] = {}
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                body = zone(dns.message.from_wire(bodies.pop(event.stream_id))) or b""
                connection.send_headers(event.stream_id, [(":status", str(status))])
                connection.send_data(event.stream_id, body[:16000], end_stream=len(body) <= 16000)
        writer.write(connection.data_to_send())


@contextlib.asynccontextmanager
async def doh_server(
    zone: Zone,
    certificate: tuple,
    *,
    version: str = "h2",
    status: int = 200,
    host: str = "127.0.0.1",
    seen: list[str] | None = None,
    link: VantageLink | None = None,
) -> AsyncIterator[str]:
    """A DoH server (RFC 8484); yields its URL. `seen` and `link` as with `name_server`."""
    seen = [] if seen is None else seen
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols([version])
    speak = http2 if version == "h2" else http1
    tasks = set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        seen.append(writer.get_extra_info("peername")[0])
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await speak(reader, writer, zone, status)
        finally:
            writer.close()

    listening = (plain_socket if link is None else link.new_socket)(socket.AF_INET)
    listening.bind((host, 0))
    server = await asyncio.start_server(handle, sock=listening, ssl=context)
    try:
        yield f"https://{host}:{server.sockets[0].getsockname()[1]}/dns-query"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.001)
