"""One small measurement of each situation, for quick tests."""

import datetime as dt

from corpora.encoding import STYLES, Style
from corpora.files import TRIALS, Compression, FilePlan
from corpora.making import SITUATIONS
from corpora.situations import WEB

HOURS = (
    dt.datetime(2021, 9, 14, 8, tzinfo=dt.UTC),
    dt.datetime(2022, 11, 3, 17, tzinfo=dt.UTC),
    dt.datetime(2024, 4, 18, 13, tzinfo=dt.UTC),
)
"""One of each form."""


def fifty(seed: int, compression: Compression = "gz", style: Style | None = None) -> list[FilePlan]:
    """The files of it: three of web_connectivity, one of each form, and one for each other test."""
    web = [kind for kind in SITUATIONS.values() if kind.test_name == WEB]
    by_hour: list[list[str]] = [[], [], []]
    for number, kind in enumerate(web):
        forms = [form for form in range(3) if ("old", "v04", "v05")[form] in kind.eras]
        by_hour[forms[number % len(forms)]].append(kind.name)
    parts = [(WEB, hour, names) for hour, names in zip(HOURS, by_hour, strict=True)]
    for test_name in TRIALS:
        names = [name for name, kind in SITUATIONS.items() if kind.test_name == test_name]
        parts.append((test_name, HOURS[2], names))
    return [
        FilePlan(
            seed=seed,
            index=index,
            hour=hour,
            test_name=test_name,
            required=tuple(names),
            small=True,
            compression=compression,
            style=style or STYLES[index == 1],
        )
        for index, (test_name, hour, names) in enumerate(parts)
    ]
