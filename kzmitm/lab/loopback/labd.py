"""The laboratory on loopback as a process that stays: `kzmitm lab up` where namespaces are refused."""

import argparse
import signal
import socket
import sys
from datetime import datetime
from typing import Any

from kzmitm.errors import KzmitmError
from kzmitm.lab.control.daemon import Daemon, Orders, say_ready
from kzmitm.lab.loopback.session import LoopbackSession
from kzmitm.lab.products import find_products
from kzmitm.wording import parts


class Answers:
    """What is answered to those who use the laboratory."""

    def __init__(self, session: LoopbackSession) -> None:
        self._session = session
        self.orders: Orders = {
            "status": lambda _: self._status(),
            "on": self._on,
            "off": lambda _: self._off(),
            "scan_words": lambda order: {"words": self._session.words(order["hostnames"])},
        }

    def _status(self) -> dict[str, Any]:
        active = self._session.active()
        return {
            "kind": self._session.kind,
            "profile": active.profile.name if active else None,
            "settings": dict(active.settings.values) if active else {},
            "hosts": {"client": 0},
            "sites": [site.hostname for site in self._session.sites],
            "directory": str(self._session.lab.directory),
            "environment": {},
        }

    def _on(self, order: dict[str, Any]) -> dict[str, Any]:
        self._session.switch_on(order["profile"], order.get("given", {}))
        return self._status()

    def _off(self) -> dict[str, Any]:
        self._session.switch_off()
        return self._status()


def main() -> None:
    """Make the laboratory, say so or why not, serve until told to go."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--now", required=True, type=datetime.fromisoformat)
    parser.add_argument("--listen", type=int, required=True)
    args = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        session = LoopbackSession(args.now, find_products())
    except KzmitmError as exc:
        say_ready(parts(exc, exc.hint))
        sys.exit(1)
    with session:
        daemon = Daemon(Answers(session).orders, lambda: None)
        daemon.listen(socket.socket(fileno=args.listen))
        say_ready({"ready": True})
        daemon.serve()


if __name__ == "__main__":
    main()
