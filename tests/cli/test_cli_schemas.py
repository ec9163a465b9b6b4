"""Every document that a verb writes for programs has a schema, which says what the code can say.

The documents of the other tests of commands are held to their schemas as they are read (`Result.json`).
"""

import re
from pathlib import Path

import jsonschema
import pytest
from conftest import validator

import kzmitm as package
from kzmitm.campaign.alarms import Alarm, as_document
from kzmitm.evidence.schema import schema_names
from kzmitm.lab.check import Result
from kzmitm.lab.profile import Place
from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.attribution import MATCHES
from kzmitm.pki.kinds import Kind

KEPT = {
    "campaign", "campaign-export", "extract", "journal", "round", "share", "share-pack", "work",
    "work-result",
}  # fmt: skip
"""Files and messages that kzmitm alone writes and reads."""


def test_every_document_has_a_schema():
    sources = Path(package.__file__).parent.rglob("*.py")
    named = {
        name for path in sources for name in re.findall(r"kzmitm\.([a-z_-]+)/1\.[0-9]", path.read_text())
    }
    assert named - KEPT == set(schema_names())


def schema(name):
    return validator(name).schema


def values(name, *path):
    found = schema(name)
    for step in path:
        found = found[step]
    return found


@pytest.mark.parametrize(
    ("name", "path", "wanted"),
    [
        ("fingerprints", "properties authorities items properties kind enum", Kind),
        ("fingerprints", "properties authority properties kind enum", Kind),
        (
            "fingerprints",
            "properties certificates items properties authorities items properties match enum",
            MATCHES,
        ),
        (
            "fingerprints",
            "properties certificates items properties authorities items properties confidence enum",
            Confidence,
        ),
        ("campaign-status", "$defs share properties outcomes propertyNames enum", Outcome),
        ("campaign-diff", "$defs result properties outcome enum", (*Outcome, "")),
        ("campaign-diff", "$defs result properties confidence enum", (*Confidence, "")),
        ("lab_profiles", "$defs place enum", Place),
        ("lab_check", "$defs place enum", Place),
        ("lab_check", "properties profiles items properties result enum", Result),
        (
            "lab_check",
            "properties profiles items properties sites items properties got enum",
            Outcome,
        ),
    ],
)
def test_a_schema_knows_the_words_of_the_code(name, path, wanted):
    assert values(name, *path.split()) == [str(each) for each in wanted]


def test_the_profiles_of_the_laboratory(kzmitm):
    told = kzmitm("lab", "profiles", "--json").json
    assert told["schema"] == "kzmitm.lab_profiles/1.0"
    assert any(each["intercepts"] for each in told["profiles"])


def test_what_a_hook_is_given():
    alarm = Alarm("home", "news.test:443", "intercepted", 3, "kz-qaznet", "ab" * 32)
    told = as_document(alarm, "weekly")
    validator("alarm").validate(told)
    validator("alarm").validate(as_document(Alarm("home", "news.test:443", "free", 4, "", ""), "weekly"))
    for wrong in ({"round": 0}, {"state": "perhaps"}, {"certificate_sha256": "ab"}, {"schema": "kzmitm.x/1"}):
        with pytest.raises(jsonschema.ValidationError):
            validator("alarm").validate({**told, **wrong})


def test_a_document_of_the_registry_is_of_one_action():
    told = {"schema": "kzmitm.fingerprints/1.0", "version": "1.0", "registry": {"version": "0" * 16}}
    validator("fingerprints").validate(told | {"counts": {"authorities": 1}})
    for wrong in ({}, {"counts": {}, "authorities": []}, {"counts": {"authorities": -1}}):
        with pytest.raises(jsonschema.ValidationError):
            validator("fingerprints").validate(told | wrong)
