"""The desk: takes one order at a time, has one thread carry it out, and knows what to tell meanwhile."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kzmitm.errors import KzmitmError
from kzmitm.lab.console.verdicts import JSON, told
from kzmitm.lab.console.views import laboratory, switched_on, to_scan
from kzmitm.lab.session import Session
from kzmitm.report.language import _
from kzmitm.report.safe import harmless

Order = Callable[[], None]
Listener = Callable[[], None]

END_TIMEOUT_S = 0.2
"""For the thread when the console ends; a scan that takes longer ends with the laboratory."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the page shows, apart from the laboratory itself; `version` grows with every change."""

    version: int = 0
    doing: str = ""
    """What is being done; empty if nothing is."""
    error: str = ""
    hint: str = ""
    active: JSON | None = None
    findings: Sequence[JSON] = ()
    """Of the last scan; () if there was none since something was switched."""
    scans: int = 0
    """How many scans have ended."""


class Desk:
    """Between the page and the session, which is only ever used by one thread of the desk."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._state = State(doing=_("looking at the laboratory"))
        self._closed = False
        self._ready = threading.Event()
        self.laboratory: Mapping[str, Any] = {}
        self._thread = threading.Thread(target=self._work, name="console", daemon=True)

    def open(self) -> None:
        """Start; returns when the laboratory was looked at."""
        self._thread.start()
        self._orders.put(self._look)
        self._ready.wait()

    def close(self) -> None:
        """Take no more orders and wake all who listen."""
        with self._lock:
            self._closed = True
        self._orders.put(None)
        self._tell()
        self._thread.join(END_TIMEOUT_S)

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_closed(self) -> bool:
        return self._closed

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """While this lasts, `listener` is called after every change, in another thread."""
        with self._lock:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def switch_on(self, profile: str, given: Mapping[str, str]) -> bool:
        """Order a profile on, and a scan after it; False if the desk is busy."""

        def order() -> None:
            active = self._session.switch_on(profile, given)
            self._change(active=switched_on(active))
            self._scan(to_scan(self._session, active))

        return self._take(_("switching on {}").format(harmless(profile, 40)), order, forget=True)

    def switch_off(self) -> bool:
        """Order away what is on, and a scan after it; False if the desk is busy."""

        def order() -> None:
            self._session.switch_off()
            self._change(active=None)
            self._scan(to_scan(self._session, None))

        return self._take(_("taking everything out of the way"), order, forget=True)

    def scan(self, hostnames: Sequence[str]) -> bool:
        """Order a scan of these sites, or of those that tell most; False if the desk is busy."""

        def order() -> None:
            self._scan(tuple(hostnames) or to_scan(self._session, self._session.active()))

        return self._take(_("scanning"), order)

    def _take(self, doing: str, order: Order, *, forget: bool = False) -> bool:
        with self._lock:
            if self._state.doing or self._closed:
                return False
            findings = () if forget else self._state.findings
            self._set(doing=doing, error="", hint="", findings=findings)
            self._orders.put(order)
        self._tell()
        return True

    def _look(self) -> None:
        self.laboratory = laboratory(self._session, self._session.offers())
        self._change(active=switched_on(self._session.active()))

    def _scan(self, hostnames: Sequence[str]) -> None:
        names = ", ".join(harmless(name, 60) for name in hostnames)
        self._change(doing=_("scanning {}").format(names))
        asked = list(hostnames)
        found = sorted(self._session.scan(hostnames), key=lambda finding: asked.index(finding.hostname))
        findings = [told(finding) for finding in found]
        self._change(findings=findings, scans=self._state.scans + 1)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            failure: dict[str, Any] = {}
            try:
                order()
            except KzmitmError as exc:
                failure = {"error": harmless(str(exc)), "hint": harmless(exc.hint)}
            except Exception as exc:  # a fault of ours must not end the class; it is told and logged
                logger.warning("an order of the console failed", exc_info=exc)
                failure = {"error": _("a fault of kzmitm: {}").format(harmless(repr(exc)))}
            with contextlib.suppress(Exception):  # it was told just now if the laboratory is gone
                failure["active"] = switched_on(self._session.active())
            self._change(doing="", **failure)
            self._ready.set()

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._set(**changes)
        self._tell()

    def _set(self, **changes: Any) -> None:
        self._state = replace(self._state, version=self._state.version + 1, **changes)

    def _tell(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            with contextlib.suppress(RuntimeError):  # its event loop ended at this moment
                listener()
