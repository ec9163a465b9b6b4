"""Whole verdicts of named situations, to be read by people when they change.

`KZMITM_GOLDEN=write` writes them anew.
"""

import json
import os
from pathlib import Path

import pytest
from verdict_scenarios import SCENARIOS

from kzmitm.model.codec import to_json
from kzmitm.verdict.engine import judge

GOLDEN = Path(__file__).parents[1] / "golden" / "verdict"


@pytest.mark.parametrize("name", SCENARIOS)
def test_golden(name):
    verdict = to_json(judge(*SCENARIOS[name].prepare()))
    verdict.pop("registry_version")
    text = json.dumps(verdict, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("KZMITM_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_no_golden_is_left_behind():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(SCENARIOS)
