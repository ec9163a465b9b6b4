"""The configuration of a nats-server for a campaign: an account for the coordinator, and one for each worker.

Accounts are worlds of their own. A worker's holds three services and nothing else: giving results on its own
subject, asking for its own work, and saying that work is done. With all users in one account, permissions
would keep them from publishing on each other's subjects, but not from naming one as the place to which the
server shall send its answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kzmitm.campaign.subjects import Subjects
from kzmitm.campaign.work import MAX_RESULT

STORE, STORE_OF_WORKER = 1 << 30, 320 << 20
"""Octets that the server may use on its disk: it takes no stream whose limit is above what is left."""
PING_S = 10
"""Seconds between two questions whether a worker is there: a dead one keeps others out for three of them."""
HEADERS = 4096
"""Octets that a message may have besides its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the server listens and keeps things. `certificate` and `key` are its TLS, both or none."""

    host: str
    port: int
    store: str
    certificate: str = ""
    key: str = ""
    max_store: int | None = None
    """Octets of all that waits on the server; None for what the streams of all workers may hold."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """A worker's name and the public half of its nkey; so many processes may come with it at once.

    Each has its part of the campaign's limits, so that one more would go beyond them.
    """

    vantage: str
    public: str
    workers: int = 1


def server_config(
    campaign: str, coordinator: str, workers: Iterable[ServerUser], settings: ServerSettings
) -> str:
    """The text of the file; no secret is in it."""
    users = list(workers)
    subjects = [Subjects(campaign, each.vantage) for each in users]
    tls = (
        f"tls {{\n  cert_file: {_quoted(settings.certificate)}\n  key_file: {_quoted(settings.key)}\n"
        "  timeout: 5\n}\n"
        if settings.certificate
        else "# Without TLS, so for this computer alone.\n"
    )
    accounts = "".join(
        _worker_account(campaign, each, user) for each, user in zip(subjects, users, strict=True)
    )
    exports = "".join(map(_exports, subjects))
    return f"""# nats-server -c THIS FILE; written by kzmitm campaign serve-config
server_name: {_quoted(f"kzmitm-{campaign}")}
listen: {_quoted(f"{_host(settings.host)}:{settings.port}")}
max_payload: {MAX_RESULT + HEADERS}
max_control_line: 4096
max_subscriptions: 1024
write_deadline: "10s"
ping_interval: "{PING_S}s"
ping_max: 2
{tls}jetstream {{
  store_dir: {_quoted(settings.store)}
  max_memory_store: {64 << 20}
  max_file_store: {settings.max_store or STORE + STORE_OF_WORKER * len(subjects)}
}}
accounts {{
  {_quoted(account_of(campaign))}: {{
    jetstream: enabled
    users: [ {{ nkey: {_quoted(coordinator)} }} ]
    exports: [
{exports}    ]
  }}
{accounts}}}
"""


def account_of(campaign: str, vantage: str = "") -> str:
    """The account of the coordinator, or of a worker."""
    return f"kzmitm-{campaign}" + (f"-worker-{vantage}" if vantage else "")


def _exports(subjects: Subjects) -> str:
    for_whom = f"accounts: [ {_quoted(account_of(subjects.campaign, subjects.vantage))} ]"
    return (
        f"      {{ service: {_quoted(subjects.result)}, {for_whom} }}\n"
        f"      {{ service: {_quoted(subjects.next_work)}, response: stream, {for_whom} }}\n"
        f"      {{ service: {_quoted(subjects.acknowledge)}, {for_whom} }}\n"
    )


def _worker_account(campaign: str, subjects: Subjects, user: ServerUser) -> str:
    own = (subjects.result, subjects.next_work, subjects.acknowledge)
    provider = _quoted(account_of(campaign))
    imports = "".join(
        f"      {{ service: {{ account: {provider}, subject: {_quoted(each)} }} }}\n" for each in own
    )
    allowed = ", ".join(_quoted(each) for each in own)
    return f"""  {_quoted(account_of(campaign, subjects.vantage))}: {{
    users: [ {{ nkey: {_quoted(user.public)}, permissions: {{
      publish: {{ allow: [ {allowed} ] }}
      subscribe: {{ allow: [ {_quoted(subjects.inbox + ".>")} ] }}
    }} }} ]
    limits: {{ max_connections: {user.workers}, max_subscriptions: 64 }}
    imports: [
{imports}    ]
  }}
"""


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _quoted(text: str) -> str:
    """A text as the server's parser has it; what would end it early has no business in a name or path."""
    if any(character in '"\\' or not character.isprintable() for character in text):
        raise ValueError(f"not for a configuration: {text[:60]!r}")
    return f'"{text}"'
