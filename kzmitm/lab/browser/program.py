"""Which Chromium, with which flags, and the process of it, which ends for sure."""

import contextlib
import fcntl
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from kzmitm.lab.browser.pipe import CHUNK, BrowserError, Pipe
from kzmitm.report.safe import harmless
from kzmitm.wording import reason_of

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

WITHOUT = (
    # these look up names or call home by themselves too
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "DialMediaRouteProvider",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "Translate",
    # an upgrade to HTTPS that nobody asked for would turn a page in the clear into a failure of TLS
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
)
"""Features that are off (chrome://flags)."""

FLAGS = (
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    # the interceptors of the laboratory speak TLS over TCP; a browser that escapes by QUIC shows nothing
    "--disable-quic",
    # whatever would look up names or call home by itself: in the laboratory each would be a timeout
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--dns-prefetch-disable",
    "--metrics-recording-only",
    "--no-pings",
    "--no-proxy-server",
    "--disable-features=" + ",".join(WITHOUT),
    # no key ring, no crash reports, no graphics card: none is in the laboratory
    "--password-store=basic",
    "--disable-breakpad",
    "--disable-gpu",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--lang=en-US",
)
NO_SANDBOX = "--no-sandbox"
"""Chromium refuses to run as uid 0 with its sandbox, and the user of the laboratory's namespace is uid 0."""
HEADLESS = ("--headless=new", "--hide-scrollbars")

PASSED_ON = ("PATH", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")
"""Of the caller's environment. No proxies, no CHROMIUM_FLAGS, no session bus."""

FOLDERS = {
    "HOME": "",
    "TMPDIR": "tmp",
    "XDG_CONFIG_HOME": "config",
    "XDG_CACHE_HOME": "cache",
    "XDG_DATA_HOME": "data",
    "XDG_STATE_HOME": "state",
    "XDG_RUNTIME_DIR": "run",
}
"""Under the home that Chromium is given."""
PROFILE = "profile"

MAX_HOME = 107 - len("/tmp/org.chromium.Chromium.XXXXXX/SingletonSocket")  # noqa: S108 - below the home
"""Characters of a home: Chromium makes that socket under TMPDIR, and unix(7) allows 108 octets with a NUL."""

FIRST_FREE = 10
"""Our ends get numbers from here on, so that none is in the way where 3 and 4 must be."""
END_TIMEOUT_S = 2.0
"""Chromium ends 0.1 s after its pipe on an idle machine; then it is killed."""
LAST_WORDS = 300
"""Characters of what it wrote last that are passed on."""


def find_browser(environment: Mapping[str, str]) -> Path | None:
    """The Chromium on the PATH of `environment`; None if there is none."""
    path = environment.get("PATH", os.defpath)
    return next((Path(found) for name in PROGRAMS if (found := shutil.which(name, path=path))), None)


def environment_of(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """What Chromium may know of the caller, with every folder of its own under `home`."""
    passed = {name: environment[name] for name in PASSED_ON if name in environment}
    folders = {name: str(home / folder) for name, folder in FOLDERS.items()}
    if "/" not in passed.get("WAYLAND_DISPLAY", "/"):  # the name of a socket in the caller's own folder
        passed["WAYLAND_DISPLAY"] = str(
            Path(environment.get("XDG_RUNTIME_DIR", "/run")) / passed["WAYLAND_DISPLAY"]
        )
    return {"PATH": os.defpath, "LANG": "C.UTF-8"} | passed | folders


def command_line(program: Path, home: Path, *, headed: bool, flags: Sequence[str]) -> list[str]:
    """The words that start Chromium with an empty page; flags may still be added.

    Raises BrowserError for a home whose name is too long.
    """
    if len(str(home)) > MAX_HOME:
        raise BrowserError(
            "the browser's home has a name of more than {max_home} characters", max_home=MAX_HOME
        )
    mode = () if headed else HEADLESS
    return [str(program), *FLAGS, *mode, f"--user-data-dir={home / PROFILE}", *flags, "about:blank"]


class Process:
    """A running Chromium, leader of its own process group, and the pipe to it."""

    def __init__(self, argv: list[str], environment: Mapping[str, str]) -> None:
        """Start it; raises BrowserError if it cannot be executed."""
        commands, our_end = _pipe()
        answers, their_end = _pipe()
        life, their_life = _pipe()
        os.set_blocking(their_life, False)  # whatever is written there is lost and holds nobody up
        # A file without a name: Chromium's folders may be out of our sight.
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, their_life, 1),
            (os.POSIX_SPAWN_DUP2, self._words.fileno(), 2),
            (os.POSIX_SPAWN_DUP2, commands, 3),
            (os.POSIX_SPAWN_DUP2, their_end, 4),
        ]
        try:
            # subprocess keeps the numbers of descriptors as they are, and ours must become 3 and 4
            self.pid = os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsid=True)
        except OSError as exc:
            for end in (our_end, answers, life):
                os.close(end)
            self._words.close()
            raise BrowserError("{argv} did not start: {why}", argv=argv[0], why=reason_of(exc)) from exc
        finally:
            for end in (commands, their_end, their_life):
                os.close(end)
        self._life = life
        self.pipe = Pipe(our_end, answers)
        self._ended = False

    def last_words(self) -> str:
        """The end of what it wrote, in one line."""
        if self._words.closed:
            return ""
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - LAST_WORDS))
        return harmless(" ".join(self._words.read().decode(errors="replace").split()), LAST_WORDS)

    def end(self) -> None:
        """Ask it to end by closing the pipe, kill what is left of its group, and return when it is gone."""
        if self._ended:
            return
        self._ended = True
        try:
            self.pipe.hang_up(time.monotonic() + END_TIMEOUT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self._await_all()
            self._words.close()

    def _await_all(self) -> None:
        """Return when the last of its processes is gone.

        All hold its standard output, those too that left its group: the crash handlers end by themselves.
        """
        deadline = time.monotonic() + END_TIMEOUT_S
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000) and os.read(self._life, CHUNK):
            pass
        os.close(self._life)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are closed on exec and have numbers of at least FIRST_FREE."""
    ends = os.pipe()
    try:
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return read, write
