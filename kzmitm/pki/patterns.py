"""Name patterns: regular expressions from data, over names from strangers, that cannot be made slow.

Python's engine backtracks, so the forms that make it explode are refused when a file is read (a repeated
group, a back reference, more than one repetition but `?`), and the text is bounded when it is matched.
"""

import re
from typing import Any

from kzmitm.model.certificate import SHORT_NAMES, Name
from kzmitm.pki import schema
from kzmitm.pki.schema import fail
from kzmitm.wording import Wording

MAX_ATTRIBUTES = 16
"""Attributes of a name that are looked at; real names have up to eight."""
MAX_VALUE = 80
"""Characters of one attribute; X.520 allows a common name 64."""
MAX_PATTERN = 200
CUT = "\N{HORIZONTAL ELLIPSIS}"
"""Stands where something was left out, so that `$` and `(,|$)` do not match there."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_LOOKING = re.compile(r"\(\?(?:[=!(]|<[=!]|P=)")
_REPETITION = re.compile(r"[*+{]")
_BACK_REFERENCE = "\0"


def pattern(value: Any, where: str) -> None:
    """Raise FingerprintError unless the value is a regular expression of the forms that stay fast."""
    schema.text(value, where)
    if len(value) > MAX_PATTERN:
        raise fail(where, Wording("is longer than {max_pattern} characters", max_pattern=MAX_PATTERN))
    try:
        compiled = re.compile(value)
    except (re.error, OverflowError, RecursionError) as exc:
        raise fail(where, Wording("is not a regular expression: {why}", why=exc)) from exc
    skeleton = _skeleton(value)
    if _REPEATED_GROUP.search(skeleton) or _LOOKING.search(skeleton) or _BACK_REFERENCE in skeleton:
        raise fail(where, Wording("repeats a group, looks around or refers back, which could be made slow"))
    if len(_REPETITION.findall(skeleton)) > 1:
        raise fail(where, Wording("has more than one repetition, which could be made slow"))
    if compiled.search(""):
        raise fail(where, Wording("matches the empty name, so it would match every name"))


def name_text(name: Name) -> str:
    """`C=KZ, CN=Qaznet Trust Network`: attributes in the order of the encoding, long ones cut."""
    parts = [f"{SHORT_NAMES.get(a.oid, a.oid)}={_cut(a.value)}" for a in name.attributes[:MAX_ATTRIBUTES]]
    if len(name.attributes) > MAX_ATTRIBUTES:
        parts.append(CUT)
    return ", ".join(parts)


def _cut(value: str) -> str:
    return value if len(value) <= MAX_VALUE else value[:MAX_VALUE] + CUT


def _skeleton(value: str) -> str:
    """The expression with `x` for every escape and character class: what is left are its operators."""
    plain = _ESCAPE.sub(lambda found: _BACK_REFERENCE if found[1] in "123456789" else "x", value)
    return _CLASS.sub("x", plain)
