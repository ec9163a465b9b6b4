"""Private namespaces: whether this computer allows them, and how to get in and out."""

import shutil
import subprocess
import sys
from pathlib import Path

from kzmitm.lab.control.commands import search_path
from kzmitm.wording import Wording

PROBE_TIMEOUT_S = 5.0

UNSHARE = (
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--net",
    "--pid",
    "--propagation",
    "private",
    "--fork",
    # The kernel kills process 1, and with it everything, when `unshare` is killed.
    "--kill-child",
    "--mount-proc",
)

NEEDED = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "nft": "nftables"}
"""Programs without which there is no network -> the Debian package of each."""


def refusal() -> str | None:
    """Why there can be no network of namespaces here, in one line; None if there can."""
    if not sys.platform.startswith("linux"):
        return Wording("namespaces are Linux's")
    missing = sorted({p for name, p in NEEDED.items() if not shutil.which(name, path=search_path())})
    if missing:
        return Wording(
            "needs {missing}: apt-get install {missing_2}",
            missing=", ".join(missing),
            missing_2=" ".join(missing),
        )
    try:
        done = subprocess.run(
            [*UNSHARE, "true"],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
            env={"PATH": search_path(), "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"unshare: {exc}"
    if done.returncode == 0:
        return None
    words = " ".join(done.stderr.split()) or Wording(
        "unshare ended with {returncode}", returncode=done.returncode
    )
    return Wording("this system refuses private namespaces ({words})", words=words)


def entering(pid: int, host_fd: int) -> list[str]:
    """The words before a command that run it inside a host of the laboratory whose process 1 is `pid`.

    It belongs to the laboratory from then on and ends with it; the terminal and Ctrl-C are the caller's.
    """
    return [
        "nsenter",
        f"--target={pid}",
        "--user",
        "--mount",
        "--pid",
        f"--net=/proc/{pid}/fd/{host_fd}",
        "--preserve-credentials",
        # Where the caller stands may not exist inside.
        f"--wd={Path.cwd()}",
        "--",
    ]
