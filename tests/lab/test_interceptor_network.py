"""The interceptor between a real client and real servers, in namespaces of its own."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ["unshare", "-Urmnp", "--fork", "--kill-child", "--mount-proc"]
SCENARIOS = Path(__file__).with_name("interceptor_scenarios.py")
NEEDED = ("unshare", "ip", "nft", "iptables", "ip6tables")

IN_BOTH_MODES = [
    "watched_is_forged_and_others_are_not",
    "hello_in_any_pieces",
    "pauses_within_the_hello",
    "large_transfer_and_half_close",
    "plain_page",
    "port_is_used_again",
    "origin_fails",
    "a_thousand_at_once",
]
INLINE = ["shuffled_segments", "server_sees_the_reset", "killed_leaves_the_way_clean"]


@functools.cache
def refusal():
    """Why there can be no namespaces here; None if there can."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else None


@pytest.mark.parametrize(
    ("scenario", "mode"),
    [
        *((name, mode) for name in IN_BOTH_MODES for mode in ("inline", "proxy")),
        *((n, "inline") for n in INLINE),
    ],
    ids=str,
)
def test_scenario(scenario, mode):
    if (reason := refusal()) is not None:
        pytest.skip(f"no namespaces: {reason}")
    done = subprocess.run(
        [*UNSHARE, sys.executable, str(SCENARIOS), scenario, mode],
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
