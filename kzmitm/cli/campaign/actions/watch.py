"""Show a campaign while it runs: how far every share is, how fast, what was found, how long it takes."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kzmitm.campaign.state import CampaignFolder
from kzmitm.cli.campaign.opening import open_folder
from kzmitm.cli.campaign.telling import exit_of, state_document
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import console, is_plain, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.report.campaign import duration, status_lines
from kzmitm.report.language import _
from kzmitm.report.line import Line
from kzmitm.wording import reason_of

EVERY_S = 2.0


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER|FILE", type=filled_path, help="the campaign's folder, or its file")
    add(
        "--metrics",
        metavar="[ADDR:]PORT",
        type=filled,
        help="serve Prometheus there (default address: 127.0.0.1)",
    )
    add("--once", action="store_true", help="show it once and end")
    parser.epilog = "Ends with the campaign, or with Ctrl-C; the campaign itself goes on."


def run(args: argparse.Namespace) -> int:
    _opened, folder = open_folder(args.folder, registry_of([]))
    with _metrics(args.metrics, folder):
        document = state_document(folder)
        if args.once or is_plain(sys.stdout):
            document = _plainly(folder, document, once=args.once)
        else:
            document = _live(folder, document)
    return exit_of(document, complete=_is_finished(document))


def _is_finished(document: Mapping[str, Any]) -> bool:
    return len(document["rounds_finished"]) == int(document["rounds"])


def _plainly(folder: CampaignFolder, document: dict[str, Any], *, once: bool) -> dict[str, Any]:
    """A few lines whenever something changed: for logs and screen readers."""
    told = None
    while True:
        shown = [str(line) for line in _lines(document, None)]
        if shown != told:
            print_lines(map(Line, shown))
            told = shown
        if once or _is_finished(document):
            return document
        time.sleep(EVERY_S)
        document = state_document(folder)


def _live(folder: CampaignFolder, document: dict[str, Any]) -> dict[str, Any]:
    """The same lines in their place, with the pace."""
    from rich.live import Live  # noqa: PLC0415 (only for terminals)
    from rich.text import Text  # noqa: PLC0415

    begun, done = time.monotonic(), _done(document)
    with Live(console=console(sys.stdout), refresh_per_second=4, transient=False) as live:
        while True:
            elapsed = time.monotonic() - begun
            pace = (_done(document) - done) / elapsed if elapsed > EVERY_S else None
            live.update(Text("\n".join(map(str, _lines(document, pace)))))
            if _is_finished(document):
                return document
            time.sleep(EVERY_S)
            document = state_document(folder)


def _done(document: Mapping[str, Any]) -> int:
    return sum(share["done"] + share["failed"] for share in document["shares"])


def _lines(document: Mapping[str, Any], pace: float | None) -> Iterator[Line]:
    yield from status_lines(document["shares"], paused=document["paused"])
    left = sum(share["left"] for share in document["shares"])
    if pace:
        text = _("{pace:.1f} a second, {left} left of what was begun, about {time}")
        yield Line(text.format(pace=pace, left=left, time=duration(left / pace)))


@contextmanager
def _metrics(where: str | None, folder: CampaignFolder) -> Iterator[None]:
    """Prometheus' metrics over HTTP, on this computer unless another address is given."""
    if where is None:
        yield
        return
    try:
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415 (an extra)
    except ImportError:
        raise UsageError(
            "--metrics needs the extra `campaign`", hint="pip install 'kzmitm[campaign]'"
        ) from None
    from kzmitm.campaign.metrics import CampaignCollector  # noqa: PLC0415

    address, _colon, port = where.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError("--metrics: not a port: {port}", hint="as in --metrics 9464", port=port[:20])
    registry = CollectorRegistry()
    state: Callable[[], Mapping[str, Any]] = lambda: state_document(folder)  # noqa: E731
    registry.register(CampaignCollector(state))
    try:
        server, thread = start_http_server(int(port), address or "127.0.0.1", registry)
    except OSError as exc:
        raise UsageError("--metrics: {where}: {why}", where=where, why=reason_of(exc)) from None
    say(
        _("metrics: http://{address}:{port}/metrics").format(
            address=address or "127.0.0.1", port=server.server_port
        )
    )
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
