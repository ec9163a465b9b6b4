"""web_connectivity documents: what a probe saw of a URL, written as 0.4 and as 0.5 write it."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from corpora import rows
from corpora.control import control_fields
from corpora.rows import Clock, Handshake, Row
from corpora.scene import Document, Scene
from corpora.sites import Site

SCRUBBED = "[scrubbed]"


@dataclass(slots=True)
class Endpoint:
    """An address of a visit: what the probe saw of it, and what the control did."""

    ip: str
    handshake: Handshake | None = None
    tcp: str | None = None
    control_tcp: str | None = None
    control_tls: str | None = None
    port: int = 443
    written: str = ""
    """What the document calls the address, if not by itself: `[scrubbed]`."""

    @property
    def text(self) -> str:
        return f"{self.written or self.ip}:{self.port}"


@dataclass(slots=True)
class Visit:
    """One URL that was fetched, at the addresses that its name led to."""

    url: str
    site: Site
    endpoints: list[Endpoint]
    dns_failure: str | None = None
    server_name: str = ""
    """Name sent and verified, if not the host of the URL."""
    failure: str | None = None
    """Of the HTTP fetch."""

    @property
    def host(self) -> str:
        return self.server_name or urlsplit(self.url).hostname or ""


@dataclass(slots=True)
class Plan:
    """A whole measurement: visits from the input on, the control, the verdict that OONI gave."""

    visits: list[Visit]
    input_: str = ""
    control: bool = True
    control_dns: list[str] | None = None
    """Addresses that the control resolved; None = those of the first visit."""
    control_dns_failure: str | None = None
    control_http_failure: str | None = None
    body: tuple[str, int] | None = None
    """Of the last visit, if it was answered."""
    code: int = 200
    blocking: Any = False
    accessible: Any = True
    consistent: bool = True
    parts: dict[str, list[Row]] = field(default_factory=dict)


def document(scene: Scene, plan: Plan) -> Document:
    """The measurement of a plan in the scene's era."""
    clock = Clock(scene.rng)
    lists: dict[str, list[Row]] = {
        key: [] for key in ("network_events", "queries", "requests", "tcp_connect", "tls_handshakes")
    }
    for depth, visit in enumerate(plan.visits):
        lists["queries"] += _queries(scene, visit, clock)
        if depth == 0 or scene.era == "v05":  # 0.4 records no TLS of redirects
            _connections(scene, visit, depth, clock, lists)
        lists["requests"].insert(0, _request(scene, plan, depth, clock))
    write = _v05 if scene.era == "v05" else _v04
    first = plan.visits[0]
    return scene.envelope(write(scene, plan, lists), input_=plan.input_ or first.url)


def _queries(scene: Scene, visit: Visit, clock: Clock) -> list[Row]:
    ips = [endpoint.ip for endpoint in visit.endpoints]
    common: dict[str, Any] = {"era": scene.era, "clock": clock, "organisation": visit.site.hoster}
    host = visit.host
    if scene.era != "v05":
        engine = "system" if scene.era == "old" else "getaddrinfo"
        kind = "A" if scene.era == "old" else "ANY"
        return [
            rows.query(
                host, ips, engine=engine, query_type=kind, number=0, failure=visit.dns_failure, **common
            )
        ]
    tags = ["depth=0"]
    found = [
        rows.query(
            host, ips, engine="getaddrinfo", query_type="ANY", number=10001, failure=visit.dns_failure,
            tags=["classic", *tags], **common,
        )
    ]  # fmt: skip
    for engine, resolver, number in (
        ("udp", "8.8.8.8:53", 20001),
        ("doh", "https://dns.quad9.net/dns-query", 30001),
    ):
        for kind in ("A", "AAAA"):
            mine = [ip for ip in ips if (":" in ip) == (kind == "AAAA")]
            failure = visit.dns_failure or (None if mine else "dns_no_answer")
            found.append(
                rows.query(
                    host, mine, engine=engine, query_type=kind, number=number, failure=failure,
                    resolver=resolver, tags=tags, **common,
                )
            )  # fmt: skip
    return found


def _connections(scene: Scene, visit: Visit, depth: int, clock: Clock, lists: dict[str, list[Row]]) -> None:
    """Connect and TLS of every endpoint of a visit."""
    era = scene.era
    for index, endpoint in enumerate(visit.endpoints):
        number = 50000 + depth * 10 + index + 1
        if endpoint.port == 80:
            number -= 10000
        tags = ["tcptls_experiment"]
        if era == "v05":
            classic = ["classic"] if index == 0 or depth == 0 else []
            fetch = "false" if visit.url.startswith("http:") and endpoint.port == 443 else "true"
            experiment = ["tcptls_experiment"] if depth == 0 else []
            tags = [*classic, *experiment, f"depth={depth}", f"fetch_body={fetch}"]
        began = clock.now
        if endpoint.tcp == rows.TIMEOUT:
            clock.now = round(clock.now + 10, 6)
        ended = clock.tick()
        common: dict[str, Any] = {"era": era, "tags": tags, "number": number}
        lists["tcp_connect"].append(rows.tcp(endpoint.text, endpoint.tcp, times=(began, ended), **common))
        lists["network_events"].append(rows.connect_event(endpoint.text, ended, endpoint.tcp, **common))
        if endpoint.handshake is None or endpoint.tcp is not None:
            continue
        seen, times = rows.events(endpoint.text, clock, endpoint.handshake, **common)
        lists["network_events"] += seen
        lists["tls_handshakes"].append(
            rows.tls(endpoint.handshake, address=endpoint.text, server_name=visit.host, times=times, **common)
        )


def _request(scene: Scene, plan: Plan, depth: int, clock: Clock) -> Row:
    visit = plan.visits[depth]
    last = depth == len(plan.visits) - 1
    address = visit.endpoints[0].text if visit.endpoints else ""
    common: dict[str, Any] = {
        "era": scene.era,
        "clock": clock,
        "address": address,
        "number": 50001 + depth * 10,
    }
    common["tags"] = [f"depth={depth}", "fetch_body=true"] if scene.era == "v05" else []
    if visit.failure is not None:
        return rows.http(visit.url, failure=visit.failure, **common)
    if not last:
        headers = {"Location": plan.visits[depth + 1].url, "Server": "nginx"}
        return rows.http(visit.url, code=301, headers=headers, **common)
    text, size = plan.body or ("", 0)
    headers = {
        "Cache-Control": "max-age=60",
        "Content-Length": str(size),
        "Content-Type": "text/html; charset=utf-8",
        "Date": scene.moment.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "Server": "nginx",
        "Set-Cookie": f"sid={scene.rng.getrandbits(96):024x}; path=/; HttpOnly",
        "Strict-Transport-Security": "max-age=31536000",
        "Vary": "Accept-Encoding",
    }
    return rows.http(visit.url, code=plan.code, body=text, headers=headers, **common)


def _failures(plan: Plan) -> tuple[str | None, str | None]:
    http = next((visit.failure for visit in reversed(plan.visits) if visit.failure), None)
    return plan.visits[0].dns_failure, http


def _matches(plan: Plan) -> Document:
    answered = plan.body is not None and plan.control
    same: bool | None = plan.blocking in {False, None} if answered else None
    return {"body_length_match": same, "headers_match": same, "status_code_match": same, "title_match": same}


def _v04(scene: Scene, plan: Plan, lists: dict[str, list[Row]]) -> Document:
    dns_failure, http_failure = _failures(plan)
    _request_row, control = control_fields(scene, plan)
    rng = scene.rng
    old = scene.era == "old"
    return {
        "agent": "redirect",
        "client_resolver": scene.network.resolver,
        "retries": None,
        "socksproxy": None,
        "network_events": lists["network_events"],
        "tls_handshakes": lists["tls_handshakes"],
        "queries": lists["queries"],
        "dns_experiment_failure": dns_failure,
        "dns_consistency": "consistent" if plan.consistent else "inconsistent",
        "control_failure": None if plan.control else "generic_timeout_error",
        "control": control,
        "tcp_connect": lists["tcp_connect"],
        "requests": lists["requests"] if not dns_failure else [],
        "http_experiment_failure": http_failure or dns_failure,
        **_matches(plan),
        "body_proportion": round(0.9 + rng.random() / 10, 9) if plan.body else 0,
        "accessible": plan.accessible,
        "blocking": plan.blocking,
        "x_status": 1 if plan.accessible else 8448,
        **(
            {}
            if old
            else {
                f"x_{part}_runtime": rng.randrange(10**8, 10**9) for part in ("dns", "th", "tcptls", "http")
            }
        ),
    }


def _v05(scene: Scene, plan: Plan, lists: dict[str, list[Row]]) -> Document:
    dns_failure, http_failure = _failures(plan)
    request, control = control_fields(scene, plan)
    flags = {"dns": 1, "tcp_ip": 2, "http-failure": 8, "http-diff": 16, False: 32 if plan.accessible else 0}
    empty: Document = {
        "network_events": [],
        "queries": [],
        "requests": [],
        "tcp_connect": [],
        "tls_handshakes": [],
    }
    resolver = [{"address": scene.network.resolver}]
    return {
        "agent": "redirect",
        "client_resolver": scene.network.resolver,
        "retries": None,
        "socksproxy": None,
        "network_events": sorted(lists["network_events"], key=lambda row: row["t"]),
        "x_dns_whoami": {"system_v4": resolver, "udp_v4": {"8.8.8.8:53": resolver}},
        "x_doh": empty,
        "x_do53": {"network_events": [], "queries": []},
        "x_dns_duplicate_responses": [],
        "queries": lists["queries"],
        "requests": lists["requests"] if not dns_failure else [],
        "tcp_connect": lists["tcp_connect"],
        "tls_handshakes": lists["tls_handshakes"],
        "x_control_request": request,
        "control": control,
        "x_conn_priority_log": [{"msg": "conn kept", "t": round(scene.rng.random(), 6)}],
        "control_failure": None if plan.control else "all_attempts_failed",
        "x_dns_flags": 0 if plan.consistent else 4,
        "dns_experiment_failure": dns_failure,
        "dns_consistency": "consistent" if plan.consistent else "inconsistent",
        "http_experiment_failure": http_failure,
        "x_blocking_flags": flags.get(plan.blocking, 0),
        "x_null_null_flags": 0,
        **_matches(plan),
        "blocking": plan.blocking,
        "accessible": plan.accessible,
    }
