"""`ssh://[USER@]HOST[:PORT][?key=PATH]`: a server that one may log in to; it resolves the names.

Keys are the agent's and those in ~/.ssh, or the one of `key`; the server's own must be in
~/.ssh/known_hosts (or in the file of `known_hosts`). ~/.ssh/config is not read. What resets a connection
at the far end looks here like an end of file: ssh has no word for it.
"""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from kzmitm.errors import UsageError
from kzmitm.model.target import DNSPlace, Vantage
from kzmitm.netio.links._proxy import host_and_port
from kzmitm.netio.vantage import AddressError, VantageLink

FORM = "ssh://[USER@]HOST[:PORT][?key=PATH]"
NAMES_RESOLVED = DNSPlace.VANTAGE

DEFAULT_PORT = 22


def open_link(rest: str, vantage: Vantage) -> VantageLink:
    parts = urlsplit(f"ssh:{rest}")
    if parts.path.strip("/"):
        raise AddressError("no path may follow the port")
    if parts.password is not None:
        raise AddressError("a password is not taken, only keys")
    host, port = host_and_port(parts, DEFAULT_PORT)
    username = None if parts.username is None else unquote(parts.username)
    if username is not None and not (username and username.isprintable()):
        raise AddressError("the user name is empty or not printable")
    paths = _paths(parts.query)
    try:
        from kzmitm.netio.links._ssh import SSHLink  # noqa: PLC0415 - asyncssh is an extra
        from kzmitm.netio.links._ssh_login import SSHAddress  # noqa: PLC0415 - as above
    except ModuleNotFoundError as exc:
        if exc.name != "asyncssh":
            raise
        raise UsageError(
            "ssh vantages need asyncssh, which is not installed",
            hint="Install it: pip install 'kzmitm[ssh]'.",
        ) from None
    return SSHLink(vantage, SSHAddress(host, port, username, paths.get("key"), paths.get("known_hosts")))


def _paths(query: str) -> dict[str, Path]:
    if not query:
        return {}
    found: dict[str, Path] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, strict_parsing=True):
        if name not in ("key", "known_hosts") or name in found:
            raise AddressError("after the question mark only key=PATH and known_hosts=PATH are known")
        if not value or "\0" in value:
            raise AddressError("a path is missing")
        found[name] = Path(value).expanduser()
    return found
