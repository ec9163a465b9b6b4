"""The interceptor's configuration, the rules for its router, and its start."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from kzmitm.errors import UsageError
from kzmitm.lab.certificates.forging import LeafRule
from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import PublicCA, ec_key, pem
from kzmitm.lab.interceptor import rules
from kzmitm.lab.interceptor.config import Mode, parse_config
from kzmitm.lab.interceptor.marks import Marks

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def document():
    issuer = LookAlikeCA(NOW).intermediate
    return {
        "mode": "inline",
        "action": "forge",
        "watched": ["social.lab.test"],
        "rule": "2019-late",
        "chain": (pem(issuer.certificate) + issuer.chain_pem).decode(),
        "key": issuer.key_pem.decode(),
        "public_roots": PublicCA(NOW).store_pem.decode(),
        "require_valid_origin": True,
        "queue": 0,
        "mark": 7,
    }


def test_a_good_document(document):
    config = parse_config(json.dumps(document))
    assert (config.mode, config.rule, config.queue, config.mark) == (Mode.INLINE, LeafRule.LATE_2019, 0, 7)
    assert config.watch.matches("www.social.lab.test")
    assert len(config.issuer.chain) == 1
    assert "PRIVATE" not in repr(config)
    proxy = parse_config(
        json.dumps(document | {"mode": "proxy", "port": 8443, "queue": None, "watched": None})
    )
    assert (proxy.port, proxy.watch.names) == (8443, None)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"mode": "bridge"}, "mode"),
        ({"mode": ["inline"]}, "mode"),
        ({"mode": "proxy"}, "port"),
        ({"mode": "proxy", "port": 0}, "port"),
        ({"queue": True}, "queue"),
        ({"queue": 65_536}, "queue"),
        ({"mark": 0}, "mark"),
        ({"mark": 2**32 - 1}, "mark"),
        ({"action": "block"}, "action"),
        ({"watched": "social.lab.test"}, "watched"),
        ({"watched": ["."]}, "watched"),
        ({"rule": "2021"}, "rule"),
        ({"chain": "none"}, "chain"),
        ({"chain": 5}, "chain"),
        ({"key": "none"}, "key"),
        ({"key": PublicCA(NOW).root.key_pem.decode()}, "not that of"),
        ({"public_roots": ""}, "public_roots"),
        ({"public_roots": "\ud800"}, "public_roots"),
        ({"require_valid_origin": 1}, "require_valid_origin"),
        ({"extra\n": 1}, r"extra\\n"),
    ],
)
def test_what_is_refused(document, changed, word):
    with pytest.raises(UsageError, match=word) as refused:
        parse_config(json.dumps(document | changed))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "{}", " " * (1 << 21)])
def test_what_is_no_document(text):
    with pytest.raises(UsageError):
        parse_config(text)


def test_key_of_another_kind_is_refused(document):
    with pytest.raises(UsageError, match="not that of"):
        parse_config(json.dumps(document | {"key": PublicCA(NOW).issuing.key_pem.decode()}))
    assert ec_key() != ec_key()


def test_program_says_in_one_line_what_is_wrong():
    done = subprocess.run(
        [sys.executable, "-m", "kzmitm.lab.interceptor"],
        input="{}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("interceptor: missing")
    assert done.stderr.count("\n") == 1


def test_setting_up_and_tearing_down_name_the_same_things():
    up = rules.inline_setup("in0", "out0", queue=3, mark=0x100)
    down = rules.inline_teardown("in0", "out0", queue=3, mark=0x100)
    queued = [command.argv for command in up if "NFQUEUE" in command.argv]
    assert len(queued) == 6
    assert all("--queue-bypass" in argv for argv in queued)
    removed = [tuple("-A" if word == "-D" else word for word in command.argv) for command in down]
    assert queued == [argv for argv in removed if "NFQUEUE" in argv]
    assert (
        sum(command.argv[0] == "ip" for command in up)
        == sum(command.argv[0] == "ip" for command in down)
        == 4
    )
    assert str(Marks.of(0x100).local) in next(c.stdin for c in up if c.argv[0] == "nft")
    (proxy,) = rules.proxy_setup("in0", port=8443)
    assert "redirect to :8443" in proxy.stdin
    assert rules.proxy_teardown()[0] in down
