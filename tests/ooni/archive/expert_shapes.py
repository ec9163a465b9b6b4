"""Measurements in the forms in which OONI's probes of all ages write them."""

import base64
from urllib.parse import urlsplit

from expert_pki import octets

OK, ALIKE, NONE = "ok", "alike", "none"
"""How the control fares at the endpoints of the probe: well, with the same failure, or there is none."""
UNKNOWN, HOSTNAME, INVALID = "ssl_unknown_authority", "ssl_invalid_hostname", "ssl_invalid_certificate"
AT = "2023-10-16 13:06:00"
MINI = {"software_name": "miniooni", "software_version": "3.17.0"}


def handshake(host, ip, failure=None, chain=(), *, port=443, **fields):
    """A df-006 row of today."""
    kept = [{"format": "base64", "data": base64.b64encode(octets(each)).decode()} for each in chain]
    return {
        "network": "tcp",
        "address": f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}",
        "server_name": host,
        "failure": failure,
        "no_tls_verify": False,
        "peer_certificates": kept,
        "cipher_suite": "" if failure else "TLS_AES_128_GCM_SHA256",
        "negotiated_protocol": "" if failure else "h2",
        "tls_version": "" if failure else "TLSv1.3",
        "t0": 0.1,
        "t": 0.2,
        "tags": ["depth=0", "fetch_body=true"],
        "transaction_id": 50001,
    } | fields


def measurement(test, keys, *, input, at=AT, cc="KZ", asn=9198, version="0.4.3", **fields):  # noqa: A002
    return {
        "annotations": {"engine_name": "ooniprobe-engine", "platform": "android"},
        "data_format_version": "0.2.0",
        "input": input,
        "measurement_start_time": at,
        "test_start_time": at,
        "probe_asn": f"AS{asn}",
        "probe_cc": cc,
        "probe_ip": "127.0.0.1",
        "probe_network_name": "",
        "report_id": "",
        "resolver_asn": f"AS{asn}",
        "software_name": "ooniprobe-android",
        "software_version": "3.20.1",
        "test_helpers": {"backend": {"address": "https://0.th.ooni.org", "type": "https"}},
        "test_keys": keys,
        "test_name": test,
        "test_runtime": 2.3,
        "test_version": version,
    } | fields


def address_of(row):
    return (row["address"] or "").rpartition(":")[0].strip("[]")


def lookup(host, addresses, failure=None):
    answers = [{"answer_type": "AAAA" if ":" in ip else "A", "ipv6" if ":" in ip else "ipv4": ip}
               for ip in addresses]  # fmt: skip
    return {
        "answers": answers or None, "engine": "getaddrinfo", "failure": failure, "hostname": host,
        "query_type": "ANY", "resolver_address": "", "t": 0.01, "tags": ["depth=0"], "transaction_id": 1,
    }  # fmt: skip


def control_of(host, rows, control, *, found=None, told=None, page=None, asns=None):
    """The helper's answer: `found` are its own addresses, `told` failures by address, `page` a failure."""
    if control == NONE:
        return None
    met = {address_of(row): row.get("failure") for row in rows if row["server_name"] == host}
    found = list(met) if found is None else found
    failures = {ip: met.get(ip) if control == ALIKE else None for ip in (*met, *found)} | (told or {})
    page = page or ("unknown_error" if control == ALIKE else None)
    return {
        "dns": {"failure": None, "addrs": found},
        "tcp_connect": {_endpoint(ip): {"status": True, "failure": None} for ip in failures},
        "tls_handshake": {
            _endpoint(ip): {"server_name": host, "status": failure is None, "failure": failure}
            for ip, failure in failures.items()
        },
        "http_request": {"failure": page, "status_code": -1 if page else 200, "headers": {}, "title": ""},
        "ip_info": {
            ip: {"asn": (asns or {}).get(ip, 13335), "flags": 2 * (ip in found) + 8 * (failure is None)}
            for ip, failure in failures.items()
        },
    }


def _endpoint(ip):
    return f"[{ip}]:443" if ":" in ip else f"{ip}:443"


HELPER = ("found", "told", "page", "asns")


def _web(host, rows, control, options):
    addresses = options.pop("resolved", None) or list(dict.fromkeys(map(address_of, rows)))
    failure = next((row["failure"] for row in rows if row.get("failure")), None)
    helped = {each: options.pop(each) for each in HELPER if each in options}
    answer = control_of(host, rows, control, **helped)
    return {
        "agent": "redirect",
        "queries": [lookup(host, addresses)],
        "tcp_connect": [
            {"ip": address_of(row), "port": 443, "status": {"failure": None, "success": True}} for row in rows
        ],
        "tls_handshakes": list(rows),
        "network_events": [],
        "requests": [{"failure": failure, "request": {"url": f"https://{host}/"}, "response": {}}],
        "control": answer,
        "control_failure": "generic_timeout_error" if answer is None else None,
        "http_experiment_failure": failure,
        "blocking": "http-failure" if failure else False,
        "accessible": not failure,
    }


def web(host, *rows, control=OK, **options):
    """web_connectivity 0.5."""
    url = options.pop("url", f"https://{host}/")
    empty = {"network_events": [], "queries": [], "requests": [], "tcp_connect": [], "tls_handshakes": []}
    added = options.pop("keys", {})
    keys = _web(host, rows, control, options) | {"x_doh": empty, "x_dns_flags": 0} | added
    return measurement("web_connectivity", keys, input=url, **{"version": "0.5.28"} | options)


def old_web(host, *rows, control=OK, era=2023, **options):
    """web_connectivity 0.4: the rows of 2021 tell no address, those of 2020 no name either."""
    url = options.pop("url", f"https://{host}/")
    keys = _web(host, rows, control, options)
    tags = {"tags": ["tcptls_experiment"]}
    for row in rows:
        event = {"address": row["address"], "failure": None, "operation": "connect", "t": 0.05} | tags
        done = {"failure": None, "operation": "tls_handshake_done", "t": row["t"]} | tags
        keys["network_events"] += [event, done]
        lost = ["t0", "transaction_id"] + ["address"] * (era < 2022) + ["server_name"] * (era < 2021)
        for field in lost:
            row.pop(field)
        row.update({"network": ""} | tags)
    if keys["control"] and era < 2022:
        for field in ("tls_handshake", "ip_info"):
            del keys["control"][field]
    return measurement("web_connectivity", keys, input=url, **options)


def urlgetter(url, *rows, options=(), **fields):
    keys = {"failure": rows[0]["failure"], "network_events": [], "requests": [], "tcp_connect": [],
            "queries": [lookup(urlsplit(url).hostname, list(map(address_of, rows)))],
            "tls_handshakes": list(rows)}  # fmt: skip
    return measurement("urlgetter", keys, input=url, options=list(options), **MINI, **fields)


def sni_blocking(target, row, control_row, **fields):
    keys = {
        part: {"failure": each["failure"], "network_events": [], "queries": [], "tls_handshakes": [each]}
        for part, each in (("control", control_row), ("target", row))
    }
    return measurement("sni_blocking", keys | {"result": None}, input=target, **MINI, **fields)


def tlsping(host, *rows, **fields):
    keys = {"pings": [{"network_events": [], "tcp_connect": {}, "tls_handshake": row} for row in rows]}
    address = f"tlshandshake://{rows[0]['address']}"
    return measurement("tlsping", keys, input=address, options=[f"SNI={host}"], **MINI, **fields)


def echcheck(host, *rows, **fields):
    keys = {"network_events": [], "queries": [], "tcp_connect": [], "tls_handshakes": list(rows)}
    return measurement("echcheck", keys, input=f"https://{host}", version="0.2.0", **fields)


def tlsmiddlebox(target, ip, control, answers, **fields):
    """`answers` and `control` are (ttl, failure, chain)."""
    traces = {
        which: {
            "server_name": asked,
            "iterations": [
                {"ttl": ttl, "handshake": handshake(asked, ip, failure, chain, no_tls_verify=True, tags=[])}
                for ttl, failure, chain in told
            ],
        }
        for which, asked, told in (
            ("control_trace", "example.com", control),
            ("target_trace", target, answers),
        )
    }
    keys = {"queries": [], "tcp_connect": [], "iterative_trace": [{"address": f"{ip}:443"} | traces]}
    return measurement("tlsmiddlebox", keys, input=f"tlstrace://{target}", **MINI, **fields)


def dnscheck(url, *rows, **fields):
    one = {"failure": rows[0]["failure"], "network_events": [], "queries": [], "tls_handshakes": list(rows)}
    return measurement("dnscheck", {"bootstrap": None, "lookups": {url: one}}, input=url, **fields)


def other(test, *rows, **fields):
    """signal, riseupvpn, telegram and the like: a list, and no input."""
    keys = {"network_events": [], "queries": [], "requests": [], "tls_handshakes": list(rows)}
    return measurement(test, keys, input=None, **fields)
