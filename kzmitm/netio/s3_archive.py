"""OONI's archive over anonymous HTTPS: pages of a listing, and files, each whole and checked or in part.

A file grows as `NAME.<tag>.part` beside its place, where `<tag>` tells the version on the server, so that a
download that was cut, killed or stopped goes on where it ended, and never puts two versions together. It is
renamed once its size, and its MD5 where the entity tag is one, are those of the listing.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from kzmitm.netio.patience import OctetLimit, Patience, ServiceError, TransientError
from kzmitm.netio.web import ask, network_error, raise_if_passing
from kzmitm.wording import Wording

if TYPE_CHECKING:
    import httpx

DEFAULT_ENDPOINT = "https://ooni-data-eu-fra.s3.eu-central-1.amazonaws.com"

ENOUGH_GAINED = 1 << 20
"""Octets that a connection brings before it is cut, after which the failure does not count: what is gained
is kept, and a file comes to its end."""
CHUNK = 1 << 20
MAX_WRONG = 2
"""Times that a file is loaded whole and has another MD5 than the archive says."""

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


class ChangedError(ServiceError):
    """The file is not the one that was listed any more; `etag` and `size` are those of the present one."""

    def __init__(self, etag: str, size: int) -> None:
        super().__init__(Wording("it was changed on the server"))
        self.etag = etag
        self.size = size


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file of the archive, and its place; `etag` is without quotes, `md5` None where it is not known."""

    key: str
    size: int
    etag: str
    md5: str | None
    place: Path

    @property
    def part(self) -> Path:
        """Where it grows."""
        tag = hashlib.sha256(f"{self.etag}\n{self.size}".encode()).hexdigest()[:8]
        return self.place.with_name(f"{self.place.name}.{tag}.part")


class S3Archive:
    """A bucket that anybody may read."""

    def __init__(
        self,
        client: "httpx.AsyncClient",
        endpoint: str,
        patience: Patience,
        limit: OctetLimit,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._patience = patience
        self._limit = limit
        self._now = now

    async def page(self, prefix: str, token: str | None, *, max_octets: int) -> bytes:
        """A page of the listing below a prefix (ListObjectsV2); raises ServiceError."""
        params = {"list-type": "2", "prefix": prefix}
        if token is not None:
            params["continuation-token"] = token

        async def once() -> bytes:
            request = self._client.build_request("GET", f"{self._endpoint}/", params=params)
            answer = await ask(self._client, request, max_octets=max_octets, now=self._now)
            if answer.status != 200:
                raise ServiceError(_refusal(answer.status, answer.headers.get("location", "")))
            return answer.body

        return await self._patience.persist(once)

    async def fetch(self, wanted: Wanted, on_octets: Callable[[int], None]) -> None:
        """Put a file in its place; raises ServiceError (ChangedError), and what came stays; OSError.

        `on_octets` is told of octets that are there (those of an earlier try at once), and, with a minus, of
        those that were thrown away.
        """
        wanted.place.parent.mkdir(parents=True, exist_ok=True)
        with _open_part(wanted.part) as file:
            download = _Download(self, wanted, file, on_octets)
            await self._patience.persist(download.attempt, has_gained=download.has_gained)
            await asyncio.to_thread(os.fsync, file.fileno())
        wanted.part.replace(wanted.place)
        for stale in wanted.place.parent.glob(f"{wanted.place.name}.*.part"):
            with suppress(OSError):
                stale.unlink()

    def request(self, wanted: Wanted, start: int) -> "httpx.Request":
        """For the octets from `start` on, of this version only."""
        headers = {"range": f"bytes={start}-", "if-range": f'"{wanted.etag}"'} if start else {}
        return self._client.build_request(
            "GET", f"{self._endpoint}/{quote(wanted.key, safe='/')}", headers=headers
        )

    async def send(self, request: "httpx.Request") -> "httpx.Response":
        response = await self._client.send(request, stream=True)
        try:
            raise_if_passing(response, self._now())
        except BaseException:
            await response.aclose()
            raise
        return response

    async def take(self, octets: int) -> None:
        """Wait until the limit lets them through."""
        await self._limit.take(octets)


def _open_part(path: Path) -> IO[bytes]:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    # Unbuffered: what was told to have come is there, however the process ends.
    return open(os.open(path, flags, 0o666), "r+b", buffering=0)  # noqa: PTH123 (a descriptor)


class _Download:
    """One file while it grows."""

    def __init__(
        self, archive: S3Archive, wanted: Wanted, file: IO[bytes], on_octets: Callable[[int], None]
    ) -> None:
        self._archive = archive
        self._wanted = wanted
        self._file = file
        self._on_octets = on_octets
        self._at = os.fstat(file.fileno()).st_size
        self._began_at = self._at
        self._wrong = 0
        on_octets(self._at)
        if self._at and (self._at > wanted.size or not wanted.etag):
            self._start_over()

    def has_gained(self) -> bool:
        return self._at - self._began_at >= ENOUGH_GAINED

    async def attempt(self) -> None:
        """The octets that are missing, and the proof that all are right."""
        import httpx  # noqa: PLC0415 - a tenth of a second that other verbs do not pay

        self._began_at = self._at
        if self._at < self._wanted.size or not self._wanted.size:
            try:
                response = await self._archive.send(self._archive.request(self._wanted, self._at))
                try:
                    self._check_head(response)
                    await self._append(response)
                finally:
                    await response.aclose()
            except httpx.HTTPError as exc:
                raise network_error(exc) from exc
        await self._check_content()

    def _check_head(self, response: "httpx.Response") -> None:
        """That what comes is the rest of the version that we want, or all of it."""
        status, wanted = response.status_code, self._wanted
        if status == 416 and self._at:
            self._start_over()
            raise TransientError("HTTP status 416")
        if status not in (200, 206):
            raise ServiceError(_refusal(status, response.headers.get("location", "")))
        size = _whole_size(response, self._at)
        etag = _strong_etag(response.headers.get("etag", ""))
        if wanted.etag and etag and etag != wanted.etag:
            raise ChangedError(etag, wanted.size if size is None else size)
        if size is not None and size != wanted.size:
            raise ServiceError(
                "it has {size} octets, and the listing says {size_2}", size=size, size_2=wanted.size
            )
        if status == 200 and self._at:  # the server passes over ranges
            self._start_over()

    async def _append(self, response: "httpx.Response") -> None:
        async for chunk in response.aiter_raw():
            if self._at + len(chunk) > self._wanted.size:
                raise ServiceError("more octets come than the {size} of the listing", size=self._wanted.size)
            await self._archive.take(len(chunk))
            self._file.seek(self._at)
            self._write(chunk)
        if self._at < self._wanted.size:
            raise TransientError("the connection ended before the file did")

    def _write(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:
            try:
                written = self._file.write(left)  # not always all of it: the disk may be nearly full
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, str(self._wanted.part)) from exc
            self._at += written
            self._on_octets(written)
            left = left[written:]

    async def _check_content(self) -> None:
        if self._wanted.md5 is None or await asyncio.to_thread(self._md5) == self._wanted.md5:
            return
        self._wrong += 1
        self._start_over()
        if self._wrong >= MAX_WRONG:
            raise ServiceError("its MD5 is not that of the listing")
        raise TransientError("its MD5 is not that of the listing")

    def _md5(self) -> str:
        self._file.seek(0)
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := self._file.read(CHUNK):
            digest.update(chunk)
        return digest.hexdigest()

    def _start_over(self) -> None:
        self._file.truncate(0)
        self._on_octets(-self._at)
        self._at = self._began_at = 0


def _whole_size(response: "httpx.Response", start: int) -> int | None:
    """The size of the whole file by the head of an answer; None where it says nothing."""
    if response.status_code == 200:
        text = response.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if found is None or int(found[1]) != start:
        raise ServiceError("it sends another part of the file than was asked for")
    return int(found[3])


def _strong_etag(header: str) -> str:
    """Without quotes; a weak one (RFC 9110, 8.8.3) tells nothing of octets."""
    return "" if header.strip().startswith("W/") else header.strip().strip('"')


def _refusal(status: int, location: str) -> str:
    if location:
        return Wording("it sends us on to {location}", location=location[:200])
    return Wording("HTTP status {status}", status=status)
