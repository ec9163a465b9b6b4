"""OONI's API: single measurements, rows of observations, and the submission of a measurement.

One request begins each second at most: the API is for looking things up, the archive for bulk.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from kzmitm.netio.patience import Pace, Patience, ServiceError
from kzmitm.netio.web import MAX_SAID, Answer, ask
from kzmitm.wording import Wording

if TYPE_CHECKING:
    import httpx

DEFAULT_API = "https://api.ooni.io"

INTERVAL_S = 1.0

ROWS = 2000
"""Of one answer: 5 MB of JSON. Rows are sorted by time only, so that pages may overlap: few are better."""
MAX_ANSWER = 64 << 20
"""Octets: a measurement with its bodies has up to some MB, 2,000 rows have five."""
MAX_RECEIPT = 1 << 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a collector answered with a status of success; both may be empty."""

    measurement_uid: str
    error: str


class RefusedError(ServiceError):
    """The service will not do it, and says so with a status that will not pass."""


class OONIAPI:
    """The API at a base URL."""

    def __init__(
        self,
        client: "httpx.AsyncClient",
        base: str,
        patience: Patience,
        pace: Pace,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._base = base
        self._patience = patience
        self._pace = pace
        self._now = now

    async def raw_measurement(self, uid: str) -> bytes:
        """The document, or `{}` if there is none; raises ServiceError."""
        return await self._get("/api/v1/raw_measurement", {"measurement_uid": uid})

    async def measurement_meta(self, uid: str) -> bytes:
        """An object whose `raw_measurement` is the document as a string; raises ServiceError."""
        return await self._get("/api/v1/measurement_meta", {"measurement_uid": uid, "full": "true"})

    async def observations(self, cc: str, test_name: str, day: date, until: date, offset: int) -> bytes:
        """Rows of the measurements that began from `day` up to `until`, oldest first; raises ServiceError."""
        return await self._get(
            "/api/v1/observations",
            {
                "probe_cc": cc,
                "test_name": test_name,
                "since": day.isoformat(),
                "until": until.isoformat(),
                "order_by": "measurement_start_time",
                "order": "ASC",
                "limit": str(ROWS),
                "offset": str(offset),
            },
        )

    async def submit(self, content: str) -> Receipt:
        """Give a measurement (its JSON) to be published; raises RefusedError, ServiceError.

        Asked again after failures of the network and of the server, as OONI's own engine does: an answer
        that was lost may then have the measurement published twice.
        """
        body = {
            "format": "json",
            "content": content,
            "nym": None,
            "zkp_request": None,
            "manifest_version": None,
            "protocol_version": None,
        }
        answer = await self._ask("POST", "/api/v1/submit_measurement", {}, body, MAX_RECEIPT)
        if not 200 <= answer.status < 300:
            raise RefusedError("HTTP status {status}{said}", status=answer.status, said=_said(answer.body))
        return _receipt(answer.body)

    async def _get(self, path: str, params: Mapping[str, str]) -> bytes:
        answer = await self._ask("GET", path, params, None, MAX_ANSWER)
        if answer.status != 200:
            raise RefusedError("HTTP status {status}{said}", status=answer.status, said=_said(answer.body))
        return answer.body

    async def _ask(
        self, method: str, path: str, params: Mapping[str, str], body: object, max_octets: int
    ) -> Answer:
        async def once() -> Answer:
            await self._pace.wait()
            request = self._client.build_request(method, self._base + path, params=params, json=body)
            return await ask(self._client, request, max_octets=max_octets, now=self._now)

        return await self._patience.persist(once)


def _receipt(body: bytes) -> Receipt:
    """A success is one whatever the answer holds: the measurement is stored."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return Receipt("", Wording("its answer cannot be read"))
    told = told if isinstance(told, dict) else {}
    uid, error = told.get("measurement_uid"), told.get("error")
    return Receipt(
        uid[:MAX_SAID] if isinstance(uid, str) else "",
        "" if error is None else str(error)[:MAX_SAID],
    )


def _said(body: bytes) -> str:
    text = body[: 4 * MAX_SAID].decode("utf-8", "replace").strip()
    return f": {text[:MAX_SAID]}" if text else ""
