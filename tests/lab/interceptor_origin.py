"""Servers for the tests of the interceptor: TLS that echoes, and TCP that tells how it ended.

Arguments: a folder with NAME.pem for each site (chain and key), then addresses of the TLS servers, then `raw`
and the address of the other one. Prints READY, then a line for each connection of the raw server.
"""

import asyncio
import ssl
import sys
from pathlib import Path

PORT = 443
BACKLOG = 4096


def context_for(file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def by_name(folder):
    contexts = {file.stem: context_for(file) for file in sorted(Path(folder).glob("*.pem"))}
    first = next(iter(contexts.values()))

    def choose(connection, name, _):
        connection.context = contexts.get((name or "").lower().rstrip("."), first)

    first.sni_callback = choose
    return first


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def echo(reader, writer):
    try:
        tls = writer.get_extra_info("ssl_object")
        peer = writer.get_extra_info("peername")[0]
        line = await reader.readline()
        if line:
            writer.write(f"{peer} {tls.selected_alpn_protocol()} {tls.version()}\n".encode())
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
    except (OSError, ssl.SSLError):
        writer.transport.abort()


async def watch_end(reader, writer):
    received = 0
    how = "FIN"
    try:
        while data := await reader.read(65_536):
            received += len(data)
    except ConnectionResetError:
        how = "RST"
    say(f"{how} {received}")
    writer.close()


async def main(folder, addresses):
    at = addresses.index("raw")
    context = by_name(folder)
    for ip in addresses[:at]:
        await asyncio.start_server(echo, ip, PORT, ssl=context, backlog=BACKLOG, ssl_handshake_timeout=60)
    for ip in addresses[at + 1 :]:
        await asyncio.start_server(watch_end, ip, PORT)
    say("READY")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
