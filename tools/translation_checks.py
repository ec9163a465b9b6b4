"""What is wrong with a translation: checks that need no knowledge of the language, or a little."""

import re
from collections.abc import Iterator

from babel.messages.catalog import Catalog, Message

FORMS = {"ru": 3, "kk": 2}
"""Plural forms: one, few, many; one, other (https://cldr.unicode.org/index/cldr-spec/plural-rules)."""

_PLACE = re.compile(r"\{[a-z0-9_]*(?:![rs])?(?::[^{}]*)?\}|%\([a-z_]+\)[a-z]|%[sdr]|%%")
_KEPT = re.compile(r"(?<![\w-])--[a-z][a-z-]*|`[^`]*`|pip install '[^']*'|https?://\w[^\s,;)]*")
"""Options, commands and addresses, which are the same in every language."""
_NAMES = frozenset(
    {"curl, Python requests", "p11-kit (GnuTLS, NSS)", "{package} (apt-get install {package})"}
)
"""Texts that are names of programs alone."""
_COMMAND = re.compile(r"(kzmitm|ssh-keygen|NAME ssh-ed25519) ")
"""How texts begin that are a command, or a line of a file, and nothing else."""
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_KAZAKH = re.compile("[әғқңөұүһіӘҒҚҢӨҰҮҺІ]")
_ENDS = ".:;?!,"
_PROPER = ("Интернет", "Казах", "Қазақ", "Python", "Windows")
"""What has a capital in the middle of a sentence."""


def mistakes(catalog: Catalog, language: str) -> Iterator[str]:
    """One line for each mistake; a text without a translation is none, see `missing`."""
    for message in catalog:
        if not message.id:
            continue
        for said in filter(None, _forms(message)):
            for mistake in _mistakes_of(_english(message), said, language):
                yield f"{mistake}: {_english(message)!r} -> {said!r}"


def missing(catalog: Catalog, language: str) -> Iterator[str]:
    """The English of each text that is not translated whole, or marked as a guess."""
    for message in catalog:
        forms = _forms(message)
        expected = FORMS[language] if isinstance(message.id, tuple) else 1
        if message.id and (len(forms) != expected or not all(forms) or message.fuzzy):
            yield _english(message)


def _english(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[-1]


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def _mistakes_of(english: str, said: str, language: str) -> Iterator[str]:
    if set(_PLACE.findall(english)) != set(_PLACE.findall(said)):
        yield "other places"
    if set(_KEPT.findall(english)) != set(_KEPT.findall(said)):
        yield "other options, commands or addresses"
    if _edges(english) != _edges(said):
        yield "begins or ends with other spaces"
    if _end(english) != _end(said) and not english.endswith(" by"):  # neither has a word for it: "доверяет:"
        yield "ends with other punctuation"
    first = _WORD.search(english)
    cases = _begins_small(english), _begins_small(said) if _CYRILLIC.match(_begin(said)) else None
    # A name or number that is the first word in one language need not be so in the other.
    if None not in cases and len(set(cases)) > 1 and first is not None and first[0] not in said:
        yield "begins with another case"
    words = [word for word in _WORD.findall(_bare(english)) if word.islower()]
    if english == said and len(words) > 1 and not _is_no_sentence(english):
        yield "is English"
    for word in _WORD.findall(said):
        if _LATIN.search(word) and _CYRILLIC.search(word):
            yield f"letters of two alphabets in {word}"
    if language == "ru" and _KAZAKH.search(said):
        yield "Kazakh letters"


def _is_no_sentence(text: str) -> bool:
    return text in _NAMES or _COMMAND.match(text) is not None


def _bare(text: str) -> str:
    return _PLACE.sub("", _KEPT.sub("", text))


def _edges(text: str) -> tuple[str, str]:
    inside = text.strip()
    before, _inside, after = text.partition(inside) if inside else (text, "", "")
    return before, after


def _end(text: str) -> str:
    last = text.strip()[-1:]
    return last if last in _ENDS else ""


def _begin(text: str) -> str:
    return text.lstrip(" \n\"'«“(")


def _begins_small(text: str) -> bool | None:
    """Whether the first letter is a small one; None where that tells nothing, as before a name."""
    bare = _begin(text)
    word = _WORD.match(bare)
    if word is None or bare.startswith((*_PROPER, "I ")) or (len(word[0]) > 1 and word[0].isupper()):
        return None
    return word[0][0].islower()
