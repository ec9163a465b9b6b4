"""Which words of the sources people read: found in the syntax tree, so that few of them need a mark.

Taken are the literals of `_`, `N_` and `ngettext`; of exceptions with words (`kzmitm.errors`) and of
`Wording`; what parsers of the command line are given as help, description, epilog, title or metavar; the
first line of the docstring of a verb or action, which is its help; and the texts of jinja2's templates.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kzmitm.lab.console.words import texts

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kzmitm"
CONSOLE = "kzmitm/lab/console/page.html"
TEMPLATES = PACKAGE / "report" / "templates"

MARKS = frozenset({"_", "N_"})
WORDED = "WordedError"
"""The class whose descendants take a text and its values."""

PARSER_WORDS = {
    "help": "help of an option or verb",
    "description": "help of a verb",
    "epilog": "the end of a verb's help",
    "title": "title of a group in the help",
    "metavar": "stands for a value in the help",
}
"""Arguments of parsers, and what a translator is told of them."""

RECORDS = {
    "Profile": {"title": "what a profile of the laboratory is", "lesson": "what a profile teaches"},
    "origin_fault": {"title": "what a profile of the laboratory is", "lesson": "what a profile teaches"},
    "Hop": {"title": "a place in the laboratory"},
}
"""Fields of records that people read, by the class; who shows them says `_` of them."""

PARSER_CALLS = frozenset(
    {"add", "add_argument", "add_argument_group", "add_subparsers", "add_parser", "add_actions"}
    | {"add_mutually_exclusive_group", "CommandParser"}
)

_PLACE = re.compile(r"\{[a-z0-9_]*\}|%\([a-z_]+\)[a-z]")
_LETTER = re.compile(r"[A-Za-z]")
_ORDER = re.compile(r"\{[a-z]+\} \{[a-z]+\}")
"""Two things beside each other, which other languages put in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A text that people read, with its plural if it has one, and where it stands."""

    text: str
    many: str = ""
    where: str
    about: str = ""


def everything() -> Iterator[Found]:
    """Every text of the package, file by file."""
    errors = worded_classes(sources().values())
    for path, tree in sources().items():
        yield from Reader(path, tree, errors).found()
    yield from (Found(text=text, where=CONSOLE, about="on the page of lab serve") for text in texts())
    for path in sorted(TEMPLATES.rglob("*")) if TEMPLATES.is_dir() else ():
        if path.is_file():
            yield from _of_template(path)


@cache
def sources() -> Mapping[Path, ast.Module]:
    """Every module of the package, read."""
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def worded_classes(trees: Iterable[ast.Module]) -> frozenset[str]:
    """The names of the classes that take a text and its values, `Wording` among them."""
    bases: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(map(name_of, node.bases))
    names = {WORDED, "Wording"}
    while more := {name for name, above in bases.items() if above & names} - names:
        names |= more
    return frozenset(names)


def name_of(node: ast.expr) -> str:
    """`name` of `name` and of `module.name`; "" of anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


class Reader:
    """The texts of one module."""

    def __init__(self, path: Path, tree: ast.Module, errors: frozenset[str]) -> None:
        self._tree = tree
        self._errors = errors
        self._where = path.relative_to(ROOT).as_posix()
        self._is_command = path.parent.name in ("verbs", "actions", "importers") and path.stem != "__init__"
        self._constants = {name: node.value for name, node in constants(tree).items()}

    def found(self) -> Iterator[Found]:
        if self._is_command:
            first = (ast.get_docstring(self._tree) or "").partition("\n")[0]
            yield from self._taken(ast.Constant(first), PARSER_WORDS["description"])
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                yield from self._of_call(node)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute) and target.attr in ("epilog", "description"):
                        yield from self._taken(node.value, PARSER_WORDS[target.attr])

    def _of_call(self, call: ast.Call) -> Iterator[Found]:
        name = name_of(call.func)
        given = {each.arg: each.value for each in call.keywords if each.arg}
        if name in MARKS and call.args:
            yield from self._taken(call.args[0])
        elif name == "ngettext" and len(call.args) == 3:
            one, many = map(self._text, call.args[:2])
            yield from [Found(text=one, many=many, where=self._where)] if one and many else ()
        elif name in self._errors:
            about = "an error" if name != "Wording" else ""
            for each in call.args[:1]:
                yield from self._taken(each, about)
            yield from self._fields(given, {"hint": "what to do about an error"})
        elif name in RECORDS:
            yield from self._fields(given, RECORDS[name])
        elif name in PARSER_CALLS:
            if name == "add_argument_group" and call.args:
                yield from self._taken(call.args[0], PARSER_WORDS["title"])
            yield from self._fields(given, PARSER_WORDS)

    def _fields(self, given: Mapping[str, ast.expr], wanted: Mapping[str, str]) -> Iterator[Found]:
        for field, about in wanted.items():
            value = given.get(field)
            for each in value.elts if isinstance(value, ast.Tuple) else filter(None, [value]):
                yield from self._taken(each, about)

    def _taken(self, node: ast.expr, about: str = "") -> Iterator[Found]:
        text = self._text(node)
        if _LETTER.search(_PLACE.sub("", text)) or _ORDER.fullmatch(text):
            yield Found(text=text, where=self._where, about=about)

    def _text(self, node: ast.expr) -> str:
        """The literal, also by the name of a constant of the module; "" for anything else."""
        if isinstance(node, ast.Name):
            return self._text(ast.Constant(self._constants.get(node.id, "")))
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def constants(tree: ast.Module) -> Mapping[str, ast.Constant]:
    """The module's names that stand for a literal, and the literal."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _of_template(path: Path) -> Iterator[Found]:
    from jinja2.ext import babel_extract  # noqa: PLC0415 (only where there are templates)

    where = path.relative_to(ROOT).as_posix()
    options = {
        "extensions": "jinja2.ext.do",
        "trimmed": "true",
        "newstyle_gettext": "true",
        "silent": "false",
    }
    with path.open("rb") as file:
        for _line, _function, said, comments in babel_extract(
            file, ("_", "gettext", "ngettext"), (), options
        ):
            texts = [said] if isinstance(said, str) else [text for text in said or () if text]
            yield Found(text=texts[0], many="".join(texts[1:2]), where=where, about=" ".join(comments))
