"""Campaign files: what is right, and every mistake with its line."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.campaign.file import MAX_FILE, CampaignFileError, parse_campaign
from kzmitm.campaign.places import line_of, places

WHOLE = """\
[campaign]
name = "kz-weekly"
contact = "someone@example.org"
seed = 7
description = "Every week"

[targets]
lists = ["default"]
files = ["more.txt"]
names = ["example.org"]
sample = 100
sensitive = true

[controls]
names = ["www.example.com"]
every = 10
file = "control.json"

[[vantages]]
name = "home"
uri = "direct:"
asn = "AS9198"
cc = "KZ"

[[vantages]]
name = "proxy"
uri = "socks5h://127.0.0.1:1080"
concurrency = 3
rate = 1.5

[[vantages]]
name = "far"
uri = "worker:"
workers = 2

[rounds]
count = 4
every = "7d"
start = 2026-12-01T00:00:00+05:00
jitter = "2h"

[limits]
concurrency = 10
rate = 5
vantage_concurrency = 4
vantage_rate = 2
endpoint_gap = "500ms"
endpoint_concurrency = 2
network_concurrency = 3
timeout = "9s"
attempts = 3
as_concurrency = 6
as_rate = 2.5

[collect]
follow_ups = false
profile = "small"
families = [4]
doh = false
max_addresses = 2

[stop]
vantage_failures = 5
findings = 2

[networks]
table = "pfx2as.txt"
locate = "https://where.example/cdn-cgi/trace"

[evidence]
targets = "all"
level = "partner"

[store]
raw_rounds = 8
parquet = true

[hooks]
on_finding = ["notify-send", "found"]
webhook = "https://example.org/hook"
after = 3
"""
LEAST = '[campaign]\nname = "a"\ncontact = "b"\n[targets]\nnames = ["example.org"]\n'


def parse(text):
    return parse_campaign(text if isinstance(text, bytes) else text.encode(), name="x.toml")


def mistakes(text):
    with pytest.raises(CampaignFileError) as caught:
        parse(text)
    return [(each.line, each.key, each.what) for each in caught.value.mistakes]


def test_every_key_is_read():
    campaign = parse(WHOLE)
    assert (campaign.name, campaign.seed, campaign.description) == ("kz-weekly", 7, "Every week")
    assert campaign.targets.files == ("more.txt",)
    assert campaign.targets.sample == 100
    assert campaign.controls.every == 10
    assert [each.name for each in campaign.vantages] == ["home", "proxy", "far"]
    assert [each.workers for each in campaign.vantages] == [1, 1, 2]
    assert (campaign.vantages[0].asn, campaign.vantages[0].cc) == ("AS9198", "KZ")
    assert (campaign.limits.as_concurrency, campaign.limits.as_rate) == (6, 2.5)
    assert campaign.networks.table == "pfx2as.txt"
    assert campaign.networks.locate == "https://where.example/cdn-cgi/trace"
    assert (campaign.evidence.targets, campaign.evidence.level) == ("all", "partner")
    assert (campaign.store.raw_rounds, campaign.store.parquet) == (8, True)
    assert (campaign.vantages[1].concurrency, campaign.vantages[1].rate) == (3, 1.5)
    assert campaign.rounds.every == 7 * 86400
    assert campaign.rounds.start.isoformat() == "2026-11-30T19:00:00+00:00"
    assert campaign.rounds.jitter == 7200
    assert campaign.limits.endpoint_gap == 0.5
    assert campaign.limits.timeout == 9
    assert campaign.collect.families == (4,)
    assert campaign.stop.findings == 2
    assert campaign.hooks.on_finding == ("notify-send", "found")


def test_what_is_left_out_is_gentle():
    campaign = parse(LEAST)
    assert campaign.vantages[0].uri == "direct:"
    assert campaign.limits.endpoint_concurrency == 1
    assert campaign.limits.endpoint_gap == 2
    assert campaign.rounds.count == 1


def test_the_digest_is_of_the_octets():
    assert parse(LEAST).digest != parse(LEAST + "\n").digest


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "what"),
    [
        ('name = "kz-weekly"', 'name = "KZ weekly"', 2, "campaign.name", "small letters"),
        ('contact = "someone@example.org"\n', "", 1, "campaign", "contact is missing"),
        ("seed = 7", "seed = -1", 4, "campaign.seed", "whole number"),
        ("sample = 100", "sampel = 100", 11, "targets.sampel", "did you mean sample"),
        ("sensitive = true", 'sensitive = "yes"', 12, "targets.sensitive", "true or false"),
        ("every = 10", "every = 1.5", 16, "controls.every", "whole number"),
        ('name = "proxy"', 'name = "home"', 26, "vantages[2].name", "twice"),
        ("rate = 1.5", "rate = 0", 29, "vantages[2].rate", "number from"),
        ('every = "7d"', 'every = "weekly"', 38, "rounds.every", "a time such as"),
        ("start = 2026-12-01T00:00:00+05:00", "start = 2026-12-01T00:00:00", 39, "rounds.start", "offset"),
        (
            "start = 2026-12-01T00:00:00+05:00",
            "start = 0001-01-01T00:00:00+05:00",
            39,
            "rounds.start",
            "offset",
        ),
        ('jitter = "2h"', 'jitter = "8d"', 40, "rounds.jitter", "shorter than rounds.every"),
        (
            "vantage_concurrency = 4",
            "vantage_concurrency = 40",
            45,
            "limits.vantage_concurrency",
            "above limits.concurrency",
        ),
        ('profile = "small"', 'profile = "huge"', 57, "collect.profile", "one of"),
        ("families = [4]", "families = []", 58, "collect.families", "of 1 to"),
        ("families = [4]", "families = [5]", 58, "collect.families", "4 or 6"),
        ("[stop]", "[stopp]", 62, "stopp", "did you mean stop"),
        ('on_finding = ["notify-send", "found"]', 'on_finding = ["a", 3]', 79, "hooks.on_finding", "entry 2"),
        ("workers = 2", "workers = 0", 34, "vantages[3].workers", "from 1 to 100"),
        ('asn = "AS9198"', "asn = 9198", 22, "vantages[1].asn", '"AS9198"'),
        ('cc = "KZ"', 'cc = "Kazakhstan"', 23, "vantages[1].cc", "two letters"),
        ("as_rate = 2.5", "as_rate = -1", 53, "limits.as_rate", "number from"),
        ('timeout = "9s"', 'timeout = "0s"', 50, "limits.timeout", 'from "100ms" to "10min"'),
        ('table = "pfx2as.txt"\n', "", 52, "limits.as_concurrency", "needs networks.table"),
        ('"https://where', '"http://where', 68, "networks.locate", "begins with https://"),
        ('"https://where', '"https://u:p@where', 68, "networks.locate", "without a password"),
        ('targets = "all"', 'targets = "some"', 71, "evidence.targets", "one of findings, all, none"),
        ('level = "partner"', 'level = "secret"', 72, "evidence.level", "one of public, partner, full"),
        ('targets = "all"', 'targets = "none"', 75, "store.raw_rounds", "would delete what was found"),
        ("parquet = true", "parquet = 1", 76, "store.parquet", "true or false"),
        ('"https://example.org/hook"', '"mailto:a"', 80, "hooks.webhook", "https:// or http://"),
        ("concurrency = 10", "concurrency = 2", 43, "limits.concurrency", "is below 4"),
        ('uri = "worker:"', 'uri = "direct:"', 34, "vantages[3].workers", "leave it out"),
        ("concurrency = 3", "concurrency = 11", 28, "vantages[2].concurrency", "above limits.concurrency"),
        ("workers = 2", "workers = 5", 34, "vantages[3].workers", "of which each must have one"),
        ("count = 4", "count = 10000", 37, "rounds.count", "more than a century"),
        ('every = "7d"', 'every = "999d"', 38, "rounds.every", 'from "1ms" to "366d"'),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_mistake_is_told_with_its_line(old, new, line, key, what):
    assert old in WHOLE
    found = mistakes(WHOLE.replace(old, new, 1))
    assert (line, key) in [each[:2] for each in found]
    assert any(what in each[2] for each in found)


def test_all_mistakes_are_told_at_once_in_the_order_of_lines():
    text = WHOLE.replace('"kz-weekly"', '"No!"').replace("seed = 7", 'seed = "x"').replace("[4]", "[9]")
    found = mistakes(text)
    assert [each[0] for each in found] == sorted(each[0] for each in found)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("octets", "line", "what"),
    [
        (b"[campaign\n", 1, "no TOML"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, 1, "no TOML: nested too deeply"),
        (b"a = " + b"9" * 5000, 1, "no TOML: Exceeds the limit (4300 digits)"),
        (b'[campaign]\nname = "a"\nname = "b"\n', 3, "no TOML"),
        (b"[campaign]\nname = '\xff'\n", 2, "not UTF-8"),
        (b"#" * (MAX_FILE + 1), 1, "larger"),
        (b"[campaign]\nname = a\n", 2, 'a text stands in quotes, as "this"'),
        (b'[campaign]\nname = "a\n', 2, "ends on its line with the quote"),
        (b"[campaign]\n[campaign]\n", 2, "stands there twice"),
        (b"[campaign]\n\nname", 3, "write KEY = VALUE"),
        (b"[campaign]\nname = [1,\n", 2, "a list ends with ]"),
        (b"campaign = 3\n", 1, "must be a table"),
        (b"vantages = 3\n", 1, "must be tables"),
        (b"[targets]\n", 1, "names no targets"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_campaign_at_all(octets, line, what):
    found = mistakes(octets)
    assert any(each[0] == line and what in each[2] for each in found), found


def test_the_message_is_one_line_with_the_first_mistake():
    with pytest.raises(CampaignFileError) as caught:
        parse(WHOLE.replace("seed = 7", "seed = -1").replace("[4]", "[9]"))
    assert str(caught.value).startswith("x.toml:4: campaign.seed: ")
    assert str(caught.value).endswith("(and 1 more)")


@given(st.binary(max_size=300))
def test_no_octets_raise_anything_else(octets):
    with suppress(CampaignFileError):
        parse(octets)


def test_places_know_tables_arrays_and_quoted_keys():
    text = 'a = 1\n[b.c]\n"d e" = 2\n[[v]]\nx = 1\n[[v]]\nx = 2\n'
    found = places(text)
    assert found["a",] == 1
    assert found["b", "c", "d e"] == 3
    assert found["v", 0, "x"] == 5
    assert found["v", 1, "x"] == 7
    assert line_of(("v", 1, "missing"), found) == 6
    assert line_of(("nothing",), found) == 1
