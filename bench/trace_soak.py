"""How often a trace of a clean path says that somebody is on it: it must be never.

python bench/trace_soak.py [--runs N] [--profile NAME] [--raw]: traces through the laboratory's network, over
IPv4 and IPv6, and counts what they came to.
"""

import argparse
import json
import sys
from collections import Counter

from kzmitm.cli.clock import now
from kzmitm.lab.control.client import own_lab
from kzmitm.lab.control.commands import module_command
from kzmitm.model.location import LOCATED

SITE, CONTROL = "social.lab.test", "news.lab.test"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--profile", default="none")
    parser.add_argument("--raw", action="store_true")
    args = parser.parse_args()
    lab, counts, times = own_lab(now()), Counter(), []
    try:
        lab.switch_on(args.profile, {})
        words = [SITE, "--control-sni", CONTROL, "--json", "--i-understand"]
        words += ["--store", str(lab.directory / "roots.pem"), *(["--raw"] if args.raw else [])]
        for _ in range(args.runs):
            done = lab.run("client", module_command("kzmitm", "trace", *words), timeout=120)
            if done.returncode not in (0, 1, 3):
                print(done.stderr, file=sys.stderr)
                return 70
            for each in json.loads(done.stdout)["traces"]:
                finding, trace = each["location"]["finding"], each["trace"]
                segment = finding["segment"]
                where = f" ({segment['lower']},{segment['upper']}]" if segment else ""
                counts[finding["device"] + where] += 1
                times.append(trace["t"] - trace["t0"])
    finally:
        lab.close()
    times.sort()
    print(json.dumps({"runs": args.runs, "profile": args.profile, "found": dict(counts)}))
    print(json.dumps({"seconds_median": times[len(times) // 2], "seconds_most": times[-1]}))
    located = sum(count for device, count in counts.items() if device.split()[0] in set(map(str, LOCATED)))
    print(f"{located} of {counts.total()} traces found somebody")
    return 1 if args.profile == "none" and located else 0


if __name__ == "__main__":
    sys.exit(main())
