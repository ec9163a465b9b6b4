"""What is said between process 1 of a laboratory and those who use it: a JSON line each way.

The socket is an abstract one (unix(7)): it has no entry in any file system and is gone with its last holder.
Whoever asks is told the process id of process 1 by the kernel, beside the answer (SCM_CREDENTIALS), and
whoever is asked is told the user; both refuse a stranger.
"""

import json
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.lab.errors import LaboratoryError
from kzmitm.wording import Wording, put_together

MAX_LINE = 1 << 20
"""Octets of a request or an answer; the largest holds the certificates of twenty sites."""
TIMEOUT_S = 60.0
"""Longest wait for an answer: a profile may start several programs, each within ten seconds."""

_CREDENTIALS = struct.Struct("iII")
"""struct ucred of unix(7): pid, uid, gid."""

ERRORS: Mapping[str, type[KzmitmError]] = {"usage": UsageError, "laboratory": LaboratoryError}


def address(name: str, uid: int) -> str:
    """The abstract address of a user's laboratory of this name."""
    return f"\0kzmitm-lab/{uid}/{name}"


def peer_uid(sock: socket.socket) -> int:
    """The user at the other end, as seen from this user namespace."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


class Channel:
    """The asking end. `pid` is process 1 as this process sees it, once it has answered."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._rest = b""
        self.pid = 0
        sock.settimeout(TIMEOUT_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """The answer to a request; raises what process 1 says was wrong, or LaboratoryError if it is gone."""
        try:
            self._socket.sendall(json.dumps({"do": do, **more}).encode() + b"\n")
            answer = json.loads(self._line())
        except (OSError, ValueError) as exc:
            raise LaboratoryError("the laboratory is gone", hint="kzmitm lab up") from exc
        if "error" in answer:
            kind = ERRORS.get(answer["kind"], LaboratoryError)
            raise kind(put_together(answer, "error"), hint=put_together(answer, "hint"))
        return dict(answer)

    def close(self) -> None:
        """Hang up; a laboratory that belongs to this process ends by that."""
        self._socket.close()

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            data, ancillary, _flags, _from = self._socket.recvmsg(
                65_536, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
            if not data:
                raise ConnectionError(Wording("end of file"))
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                    self._learn(*_CREDENTIALS.unpack(content[: _CREDENTIALS.size]))
            self._rest += data
            if len(self._rest) > MAX_LINE:
                raise ValueError(Wording("too long"))
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _learn(self, pid: int, uid: int, _gid: int) -> None:
        if uid != os.getuid():
            raise ConnectionError(Wording("a stranger answers"))
        self.pid = pid
