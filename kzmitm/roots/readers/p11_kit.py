"""What p11-kit says beyond the bundles and folders of the system: blocked roots above all.

GnuTLS asks it, and NSS where a distribution puts p11-kit in the place of Mozilla's list (Fedora, Arch,
openSUSE). On this computer the program `trust` is asked; else the files are read.
"""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from kzmitm.roots.certificate_files import FileRoots, Place, files_in, read_file, told, trust_of
from kzmitm.roots.linux_places import BROUGHT, Origins, added_roots, origins_in
from kzmitm.roots.p11_objects import read_objects
from kzmitm.roots.readers.linux_bundles import bundles
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Platform, Store, StoredRoot, StoreReading
from kzmitm.wording import Wording, joined, reason_of

PLATFORMS = frozenset({Platform.LINUX})

PROGRAMS = ("/usr/bin/trust", "/usr/local/bin/trust", "/run/current-system/sw/bin/trust")
"""Not looked up in PATH: this may be run as root."""
MAX_OUTPUT = 64 << 20
"""Octets of the program's answer; about 15 KB for every certificate."""
TIME_LIMIT = 5.0
"""Seconds for the program, which takes some hundredths; a module that asks a token may hang."""

_MODULES = ("/usr/share/p11-kit/modules", "/etc/pkcs11/modules", "/usr/lib/p11-kit/modules")
_PATHS = re.compile(rb"^x-init-reserved:[^\n]*\bpaths=['\"]?([^'\"\s]{1,4096})", re.MULTILINE)
MAX_MODULE = 1 << 16
"""Octets of a module's settings; they are ten lines."""

_KIND = "p11_kit"
_APPLICATION = Wording("p11-kit (GnuTLS, NSS)")


def read(system: System) -> Iterator[StoreReading]:
    """What p11-kit says that no bundle and no folder of an administrator tells."""
    program = _program(system)
    if program is None:
        yield from _files(system)
        return
    store = Store(kind=_KIND, application=_APPLICATION, path="pkcs11:")
    try:
        # All objects take three times as long, and say more only where something is beyond the bundles.
        held = _ask(program, system, "--filter=certificates")
        if _beyond(system, held.roots):
            held = _ask(program, system)
    except UnreadableError as exc:
        yield StoreReading(store=store, problem=str(exc))
        yield from _files(system)
        return
    yield StoreReading(store=store, roots=_beyond(system, held.roots), problem=held.problem)


def _ask(program: str, system: System, *options: str) -> FileRoots:
    """The certificates that p11-kit knows; raises UnreadableError."""
    held = read_objects(_answer([program, "dump", *options], system))
    roots = [
        StoredRoot(der=found.der, trust=trust, origin=Origin.UNKNOWN, purposes=purposes, label=found.label)
        for found in held.certificates
        for trust, purposes in (trust_of(found, Place.SOURCE),)
    ]
    return FileRoots(roots=tuple(roots), problem=held.problem)


def _program(system: System) -> str | None:
    is_here = system.is_live and system.root == Path("/")
    return next((path for path in PROGRAMS if is_here and system.is_file(path)), None)


def _answer(command: Sequence[str], system: System) -> bytes:
    """What a program writes, within limits of time and octets; raises UnreadableError."""
    process = _started(command, system)
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        _kill(process)

    timer = threading.Timer(TIME_LIMIT, stop)
    timer.start()
    try:
        with process:
            output = process.stdout.read(MAX_OUTPUT + 1) if process.stdout else b""
            if len(output) > MAX_OUTPUT:
                _kill(process)
    finally:
        timer.cancel()
    if is_late.is_set():
        raise UnreadableError(
            "{command} was stopped after {time_limit} seconds",
            command=command[0],
            time_limit=f"{TIME_LIMIT:g}",
        )
    if len(output) > MAX_OUTPUT:
        raise UnreadableError(
            "{command} wrote more than {max_output} MiB, so it was stopped",
            command=command[0],
            max_output=MAX_OUTPUT >> 20,
        )
    if process.returncode:
        raise UnreadableError(
            "{command} failed ({returncode})", command=command[0], returncode=process.returncode
        )
    return output


def _started(command: Sequence[str], system: System) -> subprocess.Popen[bytes]:
    """The program, in a session of its own so that its children end with it; raises UnreadableError."""
    environ = {name: system.environ[name] for name in ("HOME", "XDG_CONFIG_HOME") if name in system.environ}
    try:
        return subprocess.Popen(  # noqa: S603 (a path of ours, and nobody's words)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **environ},
            start_new_session=True,
        )
    except OSError as exc:
        raise UnreadableError("{command}: {why}", command=command[0], why=reason_of(exc)) from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and its children, which hold the pipe open, too; its number is ours until it was waited for."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _files(system: System) -> Iterator[StoreReading]:
    """The folders that p11-kit reads, but for those of an administrator."""
    folders = [(folder.path, folder.place) for folder in BROUGHT] + list(_folders_of_modules(system))
    for path, place in folders:
        roots: list[StoredRoot] = []
        problems: list[str] = []
        for name in files_in(system, path) if system.is_folder(path) else (path,):
            held = read_file(system, name, place, Origin.VENDOR, own=True)
            if held is None:
                continue
            roots += held.roots
            problems += [joined(": ", (name.rpartition("/")[2], held.problem))] if held.problem else []
        beyond = _beyond(system, roots) if roots else ()
        if beyond or problems:
            store = Store(kind=_KIND, application=_APPLICATION, path=path)
            yield StoreReading(store=store, roots=beyond, problem=told(problems))


def _folders_of_modules(system: System) -> Iterator[tuple[str, Place]]:
    """Folders of roots that the settings of a module name (pkcs11.conf(5)); a distribution's own has none."""
    for folder in _MODULES:
        for file in files_in(system, folder):
            try:
                text = system.read(file, max_octets=MAX_MODULE)
            except (FileNotFoundError, UnreadableError):
                continue
            for found in _PATHS.findall(text)[:1]:
                for path in os.fsdecode(found).split(":"):
                    if not path.startswith("/"):
                        continue
                    if not system.is_folder(path):
                        yield path, Place.ANCHORS
                        continue
                    yield path, Place.SOURCE
                    yield f"{path}/anchors", Place.ANCHORS
                    yield f"{path}/blocklist", Place.BLOCKLIST


def _beyond(system: System, roots: Sequence[StoredRoot]) -> tuple[StoredRoot, ...]:
    """Those that the bundles and the folders of an administrator do not tell in the same way."""
    known = {(root.der, root.trust) for _, _, held in bundles(system) for root in held.roots}
    known |= {(root.der, root.trust) for _, held, _ in added_roots(system) for root in held}
    fresh = [root for root in roots if (root.der, root.trust) not in known]
    if not fresh:
        return ()
    origins: Origins = origins_in(system)
    return tuple(origins.of(root) for root in fresh)
