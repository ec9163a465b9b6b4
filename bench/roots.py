"""The trust stores of a desktop: how long `kzmitm roots` takes, and what it weighs.

    python bench/roots.py [--rounds 5]

The desktop has the system's own bundle, three Firefox profiles of 150 certificates each made with certutil,
and a Java store where Debian has one. The peer is the shortest way by hand to the hashes of the bundle alone:
`openssl storeutl -certs`.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bundles import cost, spread

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
JAVA = Path("/etc/ssl/certs/java/cacerts")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kzbench-") as name:
        image = Path(name)
        build(image)
        ours, peers = [], []
        for _ in range(args.rounds):
            ours.append(cost([sys.executable, "-m", "kzmitm", "roots", "--root", str(image), "--json"]))
            peers.append(cost(["openssl", "storeutl", "-noout", "-text", "-certs", str(BUNDLE)]))
        assert {each[3] for each in ours} <= {0, 1, 3}, ours
        wall, by_hand = (statistics.median(each[0] for each in found) for found in (ours, peers))
        print(
            f"a desktop: {wall:.2f} s (noise {spread([each[0] for each in ours]):.0%}), "
            f"{max(each[2] for each in ours):.0f} MB; openssl storeutl of the bundle alone {by_hand:.2f} s: "
            f"{wall / by_hand:.1f} times"
        )


def build(image: Path) -> None:
    """A system with its stores."""
    (image / "etc/ssl/certs/java").mkdir(parents=True)
    shutil.copy(BUNDLE, image / "etc/ssl/certs/ca-certificates.crt")
    if JAVA.exists():
        shutil.copy(JAVA, image / "etc/ssl/certs/java/cacerts")
    blocks = BUNDLE.read_text().split("-----END CERTIFICATE-----")[:150]
    for number in range(3):
        profile = image / f"home/user/.mozilla/firefox/p{number}.default"
        profile.mkdir(parents=True)
        where = ["-d", f"sql:{profile}"]
        subprocess.run(["certutil", "-N", "--empty-password", *where], check=True)
        for index, block in enumerate(blocks):
            text = f"{block}-----END CERTIFICATE-----\n"
            words = ["certutil", "-A", "-n", str(index), "-t", "C,,", "-a", *where]
            subprocess.run(words, input=text.encode(), check=False, capture_output=True)


if __name__ == "__main__":
    main()
