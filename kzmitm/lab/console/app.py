"""The requests that the page makes: what there is, what has changed, and the three orders."""

import asyncio
import contextlib
import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router

from kzmitm.errors import WordedError
from kzmitm.lab.console.desk import Desk
from kzmitm.lab.console.guard import Guard, line
from kzmitm.lab.console.page import page
from kzmitm.lab.console.words import words
from kzmitm.lab.settings import MAX_NAMES
from kzmitm.report.language import _, language_spoken

WAIT_S = 20.0
"""A question for what has changed is answered after this time at the latest, then the page asks again."""
BODY_TIMEOUT_S = 5.0
"""The page sends an order at once."""
MAX_BODY = 16_384
"""Octets of an order; every parameter of a profile filled takes two thousand."""


class RefusedError(WordedError):
    """An order that is none; its text is told."""

    def __init__(self, text: str, /, status: int = 400, **values: object) -> None:
        super().__init__(text, **values)
        self.status = status


class Console:
    """The handlers of the requests."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def page(self, _request: Request) -> Response:
        return Response(page(), media_type="text/html; charset=utf-8")

    async def words(self, _request: Request) -> Response:
        return JSONResponse({"language": language_spoken(), "words": words()})

    async def laboratory(self, _request: Request) -> Response:
        return JSONResponse(self._desk.laboratory)

    async def state(self, request: Request) -> Response:
        """The state; with `after=VERSION` not before it is newer, or WAIT_S have passed."""
        after = request.query_params.get("after", "")
        if after.isdecimal() and len(after) < 10:
            await self._newer_than(int(after))
        return JSONResponse(asdict(self._desk.state))

    async def _newer_than(self, version: int) -> None:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        with (
            contextlib.suppress(TimeoutError),
            self._desk.listening(lambda: _wake(loop, changed)),
        ):
            async with asyncio.timeout(WAIT_S):
                while self._desk.state.version <= version and not self._desk.is_closed:
                    await changed.wait()
                    changed.clear()

    async def order(self, request: Request) -> Response:
        """Take an order: 202, or 409 while another one is carried out."""
        try:
            body = await _body(request)
            taken = self._give(request.scope["path"].rpartition("/")[2], body)
        except RefusedError as exc:
            return line(_(str(exc)), exc.status)
        if not taken:
            return line(_("Something is still being done; order again when it has ended."), 409)
        return JSONResponse({"version": self._desk.state.version}, 202)

    def _give(self, order: str, body: dict[str, Any]) -> bool:
        match order, body:
            case "on", {"profile": str(profile), "given": dict(given)}:
                if not all(isinstance(value, str) for value in given.values()):
                    raise RefusedError("Every parameter is text.")
                return self._desk.switch_on(profile, given)
            case "off", {}:
                return self._desk.switch_off()
            case "scan", {"sites": list(sites)}:
                known = {site["hostname"] for site in self._desk.laboratory["sites"]}
                if len(sites) > MAX_NAMES or not all(isinstance(s, str) and s in known for s in sites):
                    raise RefusedError("These are no sites of the laboratory.")
                return self._desk.scan(sites)
            case _:
                raise RefusedError("This order lacks what it needs.")


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; raises RefusedError."""
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                received += chunk
                if len(received) > MAX_BODY:
                    raise RefusedError("An order has up to {most} octets.", 413, most=MAX_BODY)
        body = json.loads(received)
    except TimeoutError as exc:
        raise RefusedError("The order did not come to its end.", 408) from exc
    except (ClientDisconnect, ValueError, RecursionError) as exc:
        raise RefusedError("An order is a JSON object.") from exc
    if not isinstance(body, dict):
        raise RefusedError("An order is a JSON object.")
    return body


def console_app(desk: Desk, *, token: str, hosts: Collection[str]) -> Guard:
    """The console as an ASGI application."""
    console = Console(desk)
    routes = [
        Route("/", console.page, methods=["GET"]),
        Route("/words", console.words, methods=["GET"]),
        Route("/laboratory", console.laboratory, methods=["GET"]),
        Route("/state", console.state, methods=["GET"]),
        *(Route(f"/{order}", console.order, methods=["POST"]) for order in ("on", "off", "scan")),
    ]
    inner = Router(routes, redirect_slashes=False)
    return Guard(Router([Mount(f"/{token}", inner)], redirect_slashes=False), token=token, hosts=hosts)
