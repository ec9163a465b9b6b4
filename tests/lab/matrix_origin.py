"""Runs at the server of a network: one fixed certificate whatever is asked for, over TLS.

python matrix_origin.py ADDRESS PORT CHAIN KEY
"""

import asyncio
import contextlib
import ssl
import sys


async def answer(reader, writer):
    """Take what comes and close."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.read(1)
    writer.close()


async def serve(address, port, chain, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(answer, address, int(port), ssl=context)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
