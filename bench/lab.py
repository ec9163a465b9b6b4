"""The laboratory: how fast it is up and down, what it weighs, and its interceptor beside stock ones.

    python bench/lab.py [--rounds N] [--connections N]

Every figure is taken in the same run; ratios are to mitmproxy, which does the same work in the same language.
"""

import argparse
import json
import statistics
import time
from datetime import UTC, datetime

from kzmitm.lab.control.client import Lab, own_lab
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.profile import all_profiles

PROFILES = ("none", "kz-inline", "kz-proxy", "mitmproxy", "sslsplit-selective", "squid")
PEER = "mitmproxy"
SITE = "social.lab.test"

CLIENT = """
import asyncio, json, ssl, sys, time
count, at_once = map(int, sys.argv[1:3])
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
issuers, times = set(), []
async def one(gate):
    async with gate:
        began = time.perf_counter()
        options = {"ssl": context, "server_hostname": sys.argv[3]}
        _, writer = await asyncio.open_connection("203.0.113.10", 443, **options)
        times.append(time.perf_counter() - began)
        leaf = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        issuers.add(b"LAB LOOK-ALIKE" in leaf)
        writer.transport.abort()
async def main():
    gate = asyncio.Semaphore(at_once)
    await one(gate)  # keys and genuine leaves are known from then on
    times.clear()
    began = time.perf_counter()
    await asyncio.gather(*(one(gate) for _ in range(count)))
    took = time.perf_counter() - began
    median = sorted(times)[count // 2] * 1000
    print(json.dumps({"per_s": count / took, "median_ms": median, "forged": sorted(issuers)}))
asyncio.run(main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=300)
    args = parser.parse_args()
    ups, downs, weights = [], [], []
    for _ in range(10):
        began = time.perf_counter()
        lab = own_lab(now())
        up = time.perf_counter()
        weights.append(weight(lab))
        ended = time.perf_counter()
        lab.close()
        ups.append(up - began)
        downs.append(time.perf_counter() - ended)
    print(f"up {told(ups)}, down {told(downs)}; {statistics.median(weights):.0f} MB with its servers")
    rates: dict[str, list[dict[str, float]]] = {name: [] for name in PROFILES}
    lab = own_lab(now())
    for _ in range(args.rounds):
        for name in PROFILES:
            rates[name].append(measure(lab, name, args.connections))
    lab.close()
    peer = statistics.median(rate["per_s"] for rate in rates[PEER])
    print(f"{'profile':<20} {'per s':>7} {'median ms':>10} {'to ' + PEER:>13}   noise")
    for name, found in rates.items():
        per_s = [rate["per_s"] for rate in found]
        middle = statistics.median(per_s)
        latency = statistics.median(rate["median_ms"] for rate in found)
        noise = (max(per_s) - min(per_s)) / middle
        print(f"{name:<20} {middle:>7.0f} {latency:>10.1f} {middle / peer:>13.2f}   {noise:.0%}")


def measure(lab: Lab, name: str, count: int) -> dict[str, float]:
    """Handshakes through a profile; refused if what came is not what the profile shows."""
    lab.switch_on(name, {})
    done = lab.run("client", [module_command("")[0], "-c", CLIENT, str(count), "20", SITE])
    lab.switch_off()
    found = json.loads(done.stdout or "null")
    if found is None or found["forged"] != [all_profiles()[name].intercepts]:
        raise SystemExit(f"{name}: {found} {done.stderr[-400:]}")
    return dict(found)


def weight(lab: Lab) -> float:
    """Memory of all processes of a laboratory, shared pages counted once by share (PSS), in MB."""
    script = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {s += $2} END {print s}'"
    return float(lab.run("client", ["sh", "-c", script]).stdout) / 1024


def told(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})"


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a bench


if __name__ == "__main__":
    main()
