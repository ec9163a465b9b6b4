"""A queue's server on the command line: its options, and the link while something uses it."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.terminal import say
from kzmitm.errors import KzmitmError, UsageError
from kzmitm.netio.queue_access import Credentials, ServerAddress, parse_server, read_credentials
from kzmitm.report.language import N_, Words, _
from kzmitm.report.safe import harmless

if TYPE_CHECKING:  # nats-py is an extra
    from kzmitm.netio.nats_queue import Queue

WORDS = Words(
    {
        "lost": N_("the link to the server is lost; trying again"),
        "back": N_("the server is there again"),
        "closed": N_("the link to the server is closed"),
    }
)


def add_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """`--server`, `--creds` and `--ca`."""
    add = parser.add_argument
    add("--server", metavar="URI", type=filled, required=required,
        help="the campaign's server: tls://HOST:PORT, or nats://127.0.0.1:PORT on this computer")  # fmt: skip
    add("--creds", metavar="FILE", type=filled_path, required=required,
        help="as whom to come to it: the file that the campaign's owner gave you")  # fmt: skip
    add("--ca", metavar="FILE", type=filled_path,
        help="the authority (PEM) of the server's certificate, if it is none of the system's")  # fmt: skip


def server_of(args: argparse.Namespace) -> tuple[ServerAddress, Credentials]:
    """What the options name; raises UsageError."""
    if args.server is None or args.creds is None:
        raise UsageError("--server and --creds go together")
    try:
        import kzmitm.netio.nats_queue  # noqa: F401, PLC0415 (an extra)
    except ImportError:
        raise UsageError(
            "nats-py is not installed", hint="pip install 'kzmitm[campaign]', which brings it"
        ) from None
    return parse_server(args.server, ca_file=args.ca), read_credentials(args.creds)


@asynccontextmanager
async def linked(server: ServerAddress, credentials: Credentials, inbox: str) -> "AsyncIterator[Queue]":
    """The link, closed at the end; says when it is lost and when it comes back."""
    from kzmitm.netio.nats_queue import open_queue  # noqa: PLC0415 (an extra)

    closing = False

    def told(code: str) -> None:
        if closing:
            return
        what, _colon, why = code.partition(": ")
        if "active connections exceeded" in why:  # nats-server's words for max_connections of an account
            say(_("as many computers work for this place as the campaign allows; waiting for one to leave"))
        elif what == "unreachable":
            say(_("the server cannot be reached; trying again") + f": {harmless(why)}")
        elif what == "forbidden":
            say(_("the server does not allow it") + f": {harmless(why)}")
        else:
            say(_(WORDS.get(code, code)))

    queue = await open_queue(server, credentials, inbox=inbox, told=told)
    try:
        yield queue
    finally:
        closing = True
        await asyncio.shield(queue.close())


async def plain_errors(work: Coroutine[Any, Any, None]) -> None:
    """Do the work; an error of ours comes out of the group that it came in."""
    try:
        await work
    except BaseExceptionGroup as group:
        found: BaseException | None = group.subgroup(KzmitmError)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if found is None:
            raise
        raise found from None
