"""The language of the command: that of `--lang`, else of the environment; chosen before words are parsed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from kzmitm.report.language import LANGUAGES, preferred

OPTION = "--lang"


def language_of(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """The one of LANGUAGES to speak. A value that is none of them is left for the parser to complain of."""
    own = argv[: argv.index("--")] if "--" in argv else argv
    given = [value for word, value in pairwise(own) if word == OPTION]
    given += [word.removeprefix(f"{OPTION}=") for word in own if word.startswith(f"{OPTION}=")]
    return next((value for value in given if value in LANGUAGES), preferred(environment))


def first_word(argv: Sequence[str]) -> str:
    """The first word that is no option nor the value of --lang; "" if there is none."""
    pairs = zip(argv, ["", *argv], strict=False)
    return next((word for word, before in pairs if not word.startswith("-") and before != OPTION), "")
