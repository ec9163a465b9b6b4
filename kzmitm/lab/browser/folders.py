"""The browser's folders, which may be out of our sight behind a prefix, and files for the caller."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from kzmitm.lab.browser.pipe import BrowserError
from kzmitm.report.safe import harmless
from kzmitm.wording import reason_of

TIMEOUT_S = 15.0
"""mkdir and id take a millisecond; the rest is for a busy computer."""


def make_folders(prefix: Sequence[str], folders: Sequence[Path], environment: Mapping[str, str]) -> None:
    """Make folders behind `prefix`, for their owner only; raises BrowserError."""
    _said(prefix, ["mkdir", "-p", "-m", "700", *map(str, folders)], environment)


def is_root_behind(prefix: Sequence[str], environment: Mapping[str, str]) -> bool:
    """True if a command behind `prefix` runs as uid 0; raises BrowserError."""
    return _said(prefix, ["id", "-u"], environment) == "0"


def _said(prefix: Sequence[str], words: Sequence[str], environment: Mapping[str, str]) -> str:
    argv = [*prefix, *words]
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise BrowserError(
            "the browser's place could not be made ready: {why}", why=harmless(str(exc))
        ) from exc
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise BrowserError("the browser's place could not be made ready: {said}", said=harmless(said))
    return done.stdout.decode("ascii", "replace").strip()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is never seen half written; raises BrowserError."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
        temporary.replace(path)
    except OSError as exc:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise BrowserError(
            "{path} could not be written: {why}", path=harmless(str(path)), why=reason_of(exc)
        ) from exc
