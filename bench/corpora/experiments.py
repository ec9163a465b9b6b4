"""urlgetter, tlsmiddlebox, tlsping, sni_blocking and echcheck: how each writes the handshakes it made."""

from dataclasses import dataclass
from typing import Any

from corpora import rows
from corpora.rows import Clock, Handshake, Row
from corpora.scene import Document, Scene
from corpora.sites import Site

HELPER = "example.com"


@dataclass(slots=True)
class Connection:
    """One address, one handshake, and what OONI writes of it."""

    tcp: Row
    tls: Row
    events: list[Row]


def connection(
    clock: Clock,
    handshake: Handshake,
    *,
    ip: str,
    server_name: str,
    number: int = 1,
) -> Connection:
    address = f"{ip}:443"
    common: dict[str, Any] = {"era": "v05", "tags": [], "number": number}
    began, ended = clock.now, clock.tick()
    tcp = rows.tcp(address, None, times=(began, ended), **common)
    connect = rows.connect_event(address, ended, None, **common)
    seen, times = rows.events(address, clock, handshake, **common)
    tls = rows.tls(handshake, address=address, server_name=server_name, times=times, **common)
    return Connection(tcp, tls, [connect, *seen])


def _query(clock: Clock, site: Site, number: int = 1) -> Row:
    return rows.query(
        site.domain,
        site.addresses,
        era="v05",
        engine="getaddrinfo",
        query_type="ANY",
        clock=clock,
        number=number,
        organisation=site.hoster,
    )


def _getter_keys(clock: Clock, site: Site, handshake: Handshake, server_name: str = "") -> Document:
    made = connection(
        clock, handshake, ip=site.addresses[0], server_name=server_name or site.domain, number=2
    )
    return {
        "agent": "redirect",
        "failed_operation": "tls_handshake" if handshake.failure else None,
        "failure": handshake.failure,
        "network_events": made.events,
        "queries": [_query(clock, site)],
        "requests": [],
        "tcp_connect": [made.tcp],
        "tls_handshakes": [made.tls],
    }


def urlgetter(scene: Scene, handshake: Handshake) -> Document:
    keys = _getter_keys(scene.clock, scene.site, handshake)
    target = f"tlshandshake://{scene.site.domain}:443"
    made = scene.envelope(keys, test_name="urlgetter", version="0.2.0", input_=target)
    if handshake.no_tls_verify:
        made = _with_options(made, ["NoTLSVerify=true"])
    return made


def _with_options(made: Document, options: list[str]) -> Document:
    """`options` stand after `measurement_start_time`, as in the engine's struct."""
    ordered: Document = {}
    for key, value in made.items():
        ordered[key] = value
        if key == "measurement_start_time":
            ordered["options"] = options
    return ordered


def tlsmiddlebox(scene: Scene, answers_at: int, box: Handshake | None, helper: Handshake) -> Document:
    """A trace by TTL: `box`, if there is one, answers the target's name nearer than the helper itself."""
    clock = scene.clock
    ip = "93.184.216.34"
    traces = {
        name: {
            "server_name": server_name,
            "iterations": _iterations(clock, ip, server_name, last, end),
        }
        for name, server_name, last, end in (
            ("control_trace", HELPER, 14, helper),
            ("target_trace", scene.site.domain, answers_at if box else 14, box or helper),
        )
    }
    keys = {
        "queries": [],
        "tcp_connect": [rows.tcp(f"{ip}:443", None, era="v05", times=(0.01, 0.09), tags=[], number=1)],
        "iterative_trace": [{"address": f"{ip}:443", **traces}],
    }
    target = f"tlstrace://{scene.site.domain}"
    return scene.envelope(keys, test_name="tlsmiddlebox", version="0.1.2", input_=target)


def _iterations(clock: Clock, ip: str, server_name: str, last: int, end: Handshake) -> list[Row]:
    silent = Handshake(rows.TIMEOUT, [], no_tls_verify=True)
    found = []
    for ttl in range(max(1, last - 4), last + 1):
        made = connection(clock, end if ttl == last else silent, ip=ip, server_name=server_name, number=ttl)
        handshake = made.tls if ttl == last else made.tls | {"so_error": "host_unreachable"}
        found.append({"ttl": ttl, "handshake": handshake})
    return found


def tlsping(scene: Scene, handshake: Handshake, count: int = 10) -> Document:
    clock = scene.clock
    pings = []
    for number in range(1, (2 if scene.small else count) + 1):
        made = connection(
            clock, handshake, ip=scene.site.addresses[0], server_name=scene.site.domain, number=number
        )
        pings.append({"network_events": made.events, "tcp_connect": made.tcp, "tls_handshake": made.tls})
    target = f"tlshandshake://{scene.site.addresses[0]}:443"
    made_document = scene.envelope({"pings": pings}, test_name="tlsping", version="0.2.2", input_=target)
    return _with_options(made_document, [f"SNI={scene.site.domain}"])


def sni_blocking(
    scene: Scene, handshake: Handshake, helper: Site, control: Handshake, result: str
) -> Document:
    """The target's name is asked of the helper's address: a genuine answer bears the helper's name."""
    clock = scene.clock
    parts = {}
    for name, server_name, end in (
        ("control", helper.domain, control),
        ("target", scene.site.domain, handshake),
    ):
        parts[name] = _getter_keys(clock, helper, end, server_name) | {
            "sni": server_name,
            "th_address": f"{helper.domain}:443",
            **({"cached": False} if name == "control" else {}),
        }
    keys = {**parts, "result": result}
    return scene.envelope(keys, test_name="sni_blocking", version="0.3.0", input_=scene.site.domain)


def echcheck(scene: Scene, without: Handshake, grease: Handshake) -> Document:
    clock = scene.clock
    made = [
        connection(clock, each, ip=scene.site.addresses[0], server_name=scene.site.domain, number=number)
        for number, each in enumerate((without, grease), 1)
    ]
    handshakes = [one.tls for one in made]
    handshakes[1] = handshakes[1] | {"echconfig": "GREASE", "outer_server_name": scene.site.domain}
    keys = {
        "network_events": [event for one in made for event in one.events],
        "queries": [_query(clock, scene.site, 9)],
        "tcp_connect": [one.tcp for one in made],
        "tls_handshakes": handshakes,
    }
    target = f"https://{scene.site.domain}/cdn-cgi/trace"
    return scene.envelope(keys, test_name="echcheck", version="0.3.0", input_=target)
