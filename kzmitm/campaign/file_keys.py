"""The keys of a campaign file: for each its form, section by section."""

from collections.abc import Mapping
from typing import Any

from kzmitm.campaign import forms
from kzmitm.campaign.forms import FormError, Key
from kzmitm.campaign.sections import (
    CollectPart,
    ControlsPart,
    EvidencePart,
    EvidenceTargets,
    HooksPart,
    LimitsPart,
    NetworksPart,
    RoundsPart,
    StopPart,
    StorePart,
    TargetsPart,
)
from kzmitm.errors import UsageError
from kzmitm.evidence.layout import Level
from kzmitm.netio.places import check_service
from kzmitm.wire.profiles import PROFILES


def _service(value: Any) -> str:
    try:
        return check_service(forms.web_address("https")(value))
    except (UsageError, FormError):
        raise FormError("must be an address that begins with https://, without a password") from None


YEAR_S = 366 * 86400.0
_SMALL = forms.whole(1, 10_000)
_RATE = forms.number(0.001, 100_000)

TABLES: Mapping[str, tuple[type, Mapping[str, Key]]] = {
    "targets": (
        TargetsPart,
        {
            "lists": Key(forms.list_of(forms.name)),
            "files": Key(forms.list_of(forms.text)),
            "names": Key(forms.list_of(forms.text)),
            "sample": Key(forms.whole(1, 10_000_000)),
            "sensitive": Key(forms.flag),
        },
    ),
    "controls": (
        ControlsPart,
        {
            "names": Key(forms.list_of(forms.text)),
            "every": Key(forms.whole(0, 100_000)),
            "file": Key(forms.text),
        },
    ),
    "rounds": (
        RoundsPart,
        {
            "count": Key(forms.whole(1, 100_000)),
            "every": Key(forms.span(0.001, YEAR_S)),
            "start": Key(forms.moment),
            "jitter": Key(forms.span(0, YEAR_S)),
        },
    ),
    "limits": (
        LimitsPart,
        {
            "concurrency": Key(_SMALL),
            "rate": Key(_RATE),
            "vantage_concurrency": Key(_SMALL),
            "vantage_rate": Key(_RATE),
            "endpoint_gap": Key(forms.span(0, 86400)),
            "endpoint_concurrency": Key(forms.whole(1, 100)),
            "network_concurrency": Key(_SMALL),
            "as_concurrency": Key(_SMALL),
            "as_rate": Key(_RATE),
            "timeout": Key(forms.span(0.1, 600)),
            "attempts": Key(forms.whole(1, 10)),
        },
    ),
    "collect": (
        CollectPart,
        {
            "follow_ups": Key(forms.flag),
            "profile": Key(forms.one_of(*sorted(PROFILES))),
            "families": Key(forms.list_of(forms.family, least=1)),
            "doh": Key(forms.flag),
            "max_addresses": Key(forms.whole(1, 16)),
        },
    ),
    "stop": (
        StopPart,
        {"vantage_failures": Key(_SMALL), "findings": Key(_SMALL)},
    ),
    "networks": (
        NetworksPart,
        {"table": Key(forms.text), "locate": Key(_service)},
    ),
    "evidence": (
        EvidencePart,
        {"targets": Key(forms.member_of(EvidenceTargets)), "level": Key(forms.member_of(Level))},
    ),
    "store": (
        StorePart,
        {"raw_rounds": Key(forms.whole(1, 100_000)), "parquet": Key(forms.flag)},
    ),
    "hooks": (
        HooksPart,
        {
            "on_finding": Key(forms.list_of(forms.text)),
            "webhook": Key(forms.web_address("https", "http")),
            "after": Key(forms.whole(1, 1000)),
        },
    ),
}
CAMPAIGN: Mapping[str, Key] = {
    "name": Key(forms.name, is_required=True),
    "contact": Key(forms.text, is_required=True),
    "seed": Key(forms.whole(0, (1 << 63) - 1), default=0),
    "description": Key(forms.text, default=""),
}
VANTAGE: Mapping[str, Key] = {
    "name": Key(forms.name, is_required=True),
    "uri": Key(forms.text),
    "asn": Key(forms.network),
    "cc": Key(forms.country),
    "concurrency": Key(_SMALL),
    "rate": Key(_RATE),
    "workers": Key(forms.whole(1, 100)),
    "key": Key(forms.public_key),
}
