"""What the demo's browser trusts: roots in its NSS database, which belongs to its home and to nobody else."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kzmitm.lab.browser.folders import make_folders
from kzmitm.lab.browser.pipe import BrowserError
from kzmitm.lab.browser.program import environment_of
from kzmitm.report.safe import harmless
from kzmitm.wording import Wording

CERTUTIL = "certutil"
PACKAGE = "libnss3-tools"
DATABASE = ".pki/nssdb"
"""Where Chromium looks below its HOME (net/cert/nss_util: it is opened when the browser starts)."""
TIMEOUT_S = 15.0
"""certutil takes 0.1 s, and 0.5 s to make a database."""
SERVERS_ONLY = "C,,"
"""Trusted to issue certificates of TLS servers, and for nothing else (certutil, -t)."""
NOT_FOUND = Wording("could not find")
"""certutil says so in English whatever the locale is."""


def install_root(
    prefix: Sequence[str], home: Path, pem: bytes, name: str, environment: Mapping[str, str]
) -> None:
    """Let the browser of `home` trust a root from its next start on; one of the same name is replaced.

    Raises BrowserError.
    """
    database = home / DATABASE
    if _certutil(prefix, home, environment, "-L").returncode:
        make_folders(prefix, [home / DATABASE], environment_of(environment, home))
        _done(
            _certutil(prefix, home, environment, "-N", "--empty-password"),
            Wording("{database} could not be made", database=database),
        )
    remove_root(prefix, home, name, environment)
    added = _certutil(prefix, home, environment, "-A", "-a", "-t", SERVERS_ONLY, "-n", name, given=pem)
    _done(added, Wording("the root {name} could not be installed", name=harmless(name)))


def remove_root(prefix: Sequence[str], home: Path, name: str, environment: Mapping[str, str]) -> None:
    """Let the browser of `home` trust a root no more from its next start on; raises BrowserError.

    Nothing happens if it is not there.
    """
    if _certutil(prefix, home, environment, "-L").returncode:
        return  # no database, so nothing is trusted
    removed = _certutil(prefix, home, environment, "-D", "-n", name)
    if removed.returncode and NOT_FOUND not in removed.stderr.decode("utf-8", "replace"):
        _done(removed, Wording("the root {name} could not be removed", name=harmless(name)))


def _certutil(
    prefix: Sequence[str], home: Path, environment: Mapping[str, str], *words: str, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    action, *rest = words
    argv = [*prefix, CERTUTIL, action, "-d", f"sql:{home / DATABASE}", *rest]
    try:
        return subprocess.run(
            argv,
            env=environment_of(environment, home),
            input=given,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as exc:
        raise BrowserError(
            "{certutil} is not installed", hint="install {package}", certutil=CERTUTIL, package=PACKAGE
        ) from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise BrowserError(
            "{certutil} did not do its work: {why}", certutil=CERTUTIL, why=harmless(str(exc))
        ) from exc


def _done(process: "subprocess.CompletedProcess[bytes]", failure: str) -> None:
    if process.returncode:
        said = " ".join(process.stderr.decode("utf-8", "replace").split())
        raise BrowserError("{failure}: {said}", failure=failure, said=harmless(said))
