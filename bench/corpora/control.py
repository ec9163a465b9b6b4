"""The test helper's word about the same URL: booleans and failures, never a certificate."""

from typing import TYPE_CHECKING

from corpora.rows import HEADERS
from corpora.scene import Document, Scene
from corpora.sites import Site

if TYPE_CHECKING:
    from corpora.web import Plan

BY_PROBE, BY_HELPER, BOGON, VALID_FOR_DOMAIN = 1, 2, 4, 8
"""Flags of `ip_info`."""


def control_fields(scene: Scene, plan: "Plan") -> tuple[Document | None, Document | None]:
    """The request to the helper and its reply; the reply is None where no helper answered."""
    first = plan.visits[0]
    endpoints = [one.text for one in first.endpoints]
    request: Document = {
        "http_request": first.url,
        "http_request_headers": {key: [value] for key, value in HEADERS.items()},
        "tcp_connect": endpoints,
        "x_quic_enabled": False,
    }
    if not plan.control:
        return request, _empty() if scene.era != "v05" else None
    resolved = [one.ip for one in first.endpoints] if plan.control_dns is None else plan.control_dns
    others = [ip for ip in resolved if ip not in {one.ip for one in first.endpoints}]
    tcp = {
        one.text: {"status": one.control_tcp is None, "failure": _legacy(one.control_tcp)}
        for one in first.endpoints
    }
    tls = {
        one.text: {"server_name": first.host, "status": one.control_tls is None, "failure": one.control_tls}
        for one in first.endpoints
        if one.port == 443 and one.control_tcp is None
    }
    if scene.era == "v05":
        for ip in others:
            tcp[f"{ip}:443"] = {"status": True, "failure": None}
            tls[f"{ip}:443"] = {"server_name": first.host, "status": True, "failure": None}
    reply: Document = {"tcp_connect": tcp}
    if scene.era != "old":
        reply |= {"tls_handshake": tls, "quic_handshake": {}}
    reply["http_request"] = _http(scene, plan)
    reply["dns"] = {"failure": plan.control_dns_failure, "addrs": resolved}
    if scene.era != "old":
        reply["ip_info"] = _ip_info(plan, resolved, first.site)
    return request, reply


def _ip_info(plan: "Plan", resolved: list[str], site: Site) -> Document:
    found: Document = {}
    for one in plan.visits[0].endpoints:
        flags = BY_PROBE | (BY_HELPER if one.ip in resolved else 0)
        if one.port == 443 and one.control_tls is None and one.control_tcp is None:
            flags |= VALID_FOR_DOMAIN
        flags |= BOGON if one.ip.startswith("10.") else 0
        # The helper tells the network of an address that others gave it too.
        found[one.ip] = {"asn": site.hoster[0] if one.ip in resolved else 0, "flags": flags}
    for ip in resolved:
        found.setdefault(ip, {"asn": site.hoster[0], "flags": BY_HELPER | VALID_FOR_DOMAIN})
    return found


def _http(scene: Scene, plan: "Plan") -> Document:
    if plan.control_http_failure is not None:
        return {
            "body_length": -1,
            "discovered_h3_endpoint": "",
            "failure": plan.control_http_failure,
            "title": "",
            "headers": {},
            "status_code": -1,
        }
    site = plan.visits[-1].site
    size = plan.body[1] if plan.body and plan.blocking is False else 20_000 + scene.rng.randrange(60_000)
    reply = {
        "body_length": size,
        "discovered_h3_endpoint": "",
        "failure": None,
        "title": site.title,
        "headers": {"Content-Type": "text/html; charset=utf-8", "Server": "nginx", "Vary": "Accept-Encoding"},
        "status_code": 200,
    }
    if scene.era == "old":
        del reply["discovered_h3_endpoint"]
    return reply


def _legacy(failure: str | None) -> str | None:
    """The helper's TCP still speaks the old language."""
    return {"connection_refused": "connection_refused_error"}.get(failure or "", failure)


def _empty() -> Document:
    """What 0.4 writes for a reply that it did not get: the zero values of its struct."""
    return {
        "tcp_connect": None,
        "tls_handshake": None,
        "quic_handshake": None,
        "http_request": {
            "body_length": 0,
            "discovered_h3_endpoint": "",
            "failure": None,
            "title": "",
            "headers": None,
            "status_code": 0,
        },
        "dns": {"failure": None, "addrs": None},
        "ip_info": None,
    }
