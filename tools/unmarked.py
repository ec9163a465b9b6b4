"""Texts for people that no translator would hear of: literals with words that nothing marks.

A literal counts as prose if two words stand in it with a space between them. Left out are docstrings, what is
compared or looked up, keys, annotations, patterns, log lines, SQL and rules of the kernel; whatever else is
no text for people has its reason in ALLOWED.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from extraction import (
    MARKS,
    PARSER_CALLS,
    PARSER_WORDS,
    RECORDS,
    ROOT,
    constants,
    name_of,
    sources,
    worded_classes,
)

ALLOWED: Mapping[str, str] = {
    "kzmitm/campaign/metrics.py": "for Prometheus, which has one language",
    "kzmitm/campaign/server_config.py": "a configuration of nats-server",
    "kzmitm/cli/argparse_words.py": "said to developers",
    "kzmitm/cli/ooni/listings.py": "caught beside it",
    "kzmitm/cli/terminal.py": "styles of rich",
    "kzmitm/evidence/journal.py": "a fault of ours",
    "kzmitm/evidence/json_writer.py": "a fault of ours",
    "kzmitm/evidence/layout.py": "a fault of ours",
    "kzmitm/evidence/sealing.py": "a fault of ours",
    "kzmitm/lab/browser/": "JavaScript, and what certutil says",
    "kzmitm/lab/certificates/": "names in certificates",
    "kzmitm/lab/console/fields.py": "names of algorithms",
    "kzmitm/lab/interceptor/": "talk of a program that people do not see",
    "kzmitm/lab/loopback/page.py": "what a web site says, not we",
    "kzmitm/lab/network/": "configurations of servers and of the kernel",
    "kzmitm/lab/overlay.py": "a registry entry, which is data",
    "kzmitm/lab/parts/": "configurations of servers and of the kernel",
    "kzmitm/lab/profile.py": "a fault of ours",
    "kzmitm/lab/profiles/": "configurations of servers and of the kernel",
    "kzmitm/model/codec.py": "a fault of ours",
    "kzmitm/model/failure.py": "OONI's failure strings",
    "kzmitm/netio/capture.py": "a fault of ours",
    "kzmitm/netio/doh.py": "caught beside it",
    "kzmitm/netio/flight.py": "a detail of a measurement, which is data",
    "kzmitm/netio/links/_ssh.py": "what other programs say",
    "kzmitm/netio/nats_queue.py": "what other programs say",
    "kzmitm/ooni/archive/": "a fault of ours, and what other programs say",
    "kzmitm/ooni/experiment.py": "OONI's failure strings",
    "kzmitm/ooni/import_fields.py": "what other programs say",
    "kzmitm/ooni/importers/": "what other programs say",
    "kzmitm/pki/go_order.py": "OONI's failure strings",
    "kzmitm/pki/registry.py": "places in files",
    "kzmitm/probe/tls.py": "a detail of a measurement, which is data",
    "kzmitm/report/charts/canvas.py": "SVG, and a fault of ours",
    "kzmitm/probe/quic.py": "a detail of a measurement, which is data",
    "kzmitm/report/path_graph.py": "SVG",
    "kzmitm/report/removal.py": "commands",
    "kzmitm/roots/readers/macos.py": "what other programs say",
    "kzmitm/roots/java_places.py": "paths",
    "kzmitm/scan/options.py": "a fault of ours",
    "kzmitm/wire/": "details of a measurement, which are data",
}
"""Files, or folders with / at the end, whose unmarked literals are no texts for people, and what they are."""

_PROSE = re.compile(r"[A-Za-z]{2,}[,;:]? [a-z(]|^[a-z]+ is\b")
_OTHER_LANGUAGE = re.compile(
    r"\s*(?:SELECT|CREATE|COPY|FROM|WHERE|WITH|SET|PRAGMA|CASE|\(FORMAT|[a-z]+ IN|sha256\(|len\(|length\()"
    r"|(?:table|meta|add|ip6?tables) |(?:\{\} )?kzmitm [a-z]+"
    r"|  (?:kzmitm|ots|openssl|age|ssh-keygen) |pip install"
)
"""SQL, rules of the kernel, and commands to be copied."""
_NOT_SAID = frozenset(
    {"compile", "fullmatch", "search", "findall", "sub", "debug", "info", "warning", "exception", "execute"}
    | {"Literal", "cast", "TypeVar", "startswith", "endswith", "split", "rsplit", "partition", "rpartition"}
    | {"removeprefix", "removesuffix", "strip", "find", "encode", "getLogger", "Response"}
)
"""Calls whose literals are no words for people."""


@dataclass(frozen=True, slots=True)
class Unmarked:
    """A literal that looks like a text for people."""

    where: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.where}:{self.line}: {self.text[:80]!r}"


def unmarked() -> Iterator[Unmarked]:
    """Those of the whole package, but for what is ALLOWED."""
    errors = worded_classes(sources().values())
    for path, tree in sources().items():
        where = path.relative_to(ROOT).as_posix()
        if not any(where.startswith(place) if place.endswith("/") else where == place for place in ALLOWED):
            for line, text in unmarked_in(tree, errors):
                yield Unmarked(where, line, text)


def unmarked_in(tree: ast.Module, errors: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Line and text of each literal in a module."""
    skipped = {id(constants(tree).get(name)) for name in _names(tree)}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        skipped.update(map(id, _not_for_people(node, errors)))
        if id(node) in skipped:
            continue
        if not isinstance(node, ast.JoinedStr | ast.Constant):
            waiting += ast.iter_child_nodes(node)
            continue
        text = _text(node)
        if _PROSE.search(text) and not _OTHER_LANGUAGE.match(text):
            yield node.lineno, text


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node.value, str) else ""


def _names(tree: ast.Module) -> Iterator[str]:
    """The names that stand where the extraction takes a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (each.value.id for each in node.keywords if isinstance(each.value, ast.Name))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            yield from [node.value.id] if isinstance(node.value, ast.Name) else []


def misfilled(tree: ast.Module, errors: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Line and text of each text of an exception or `Wording` whose places are not the values given."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and name_of(node.func) in errors and node.args):
            continue
        given = {each.arg for each in node.keywords} - OWN_ARGUMENTS
        text, hint = node.args[0], next((each.value for each in node.keywords if each.arg == "hint"), None)
        said = [each.value for each in (text, hint) if isinstance(each, ast.Constant)]
        places = {place for each in said for place in _PLACE.findall(str(each))}
        if None not in given and isinstance(text, ast.Constant) and places != given:
            yield node.lineno, str(text.value)


OWN_ARGUMENTS = frozenset({"hint", "asked_s"})
"""What an exception takes beside the values of its text."""

_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def _not_for_people(node: ast.AST, errors: frozenset[str]) -> Iterator[ast.AST]:
    """The parts of a node that are marked, or whose literals are never said."""
    match node:
        case ast.Compare() | ast.arguments() | ast.Expr(value=ast.Constant()):
            yield node
        case ast.Dict(keys=keys):
            yield from filter(None, keys)
        case ast.Subscript(slice=index):
            yield index
        case ast.AnnAssign(annotation=annotation):
            yield annotation
        case ast.Call():
            yield from _of_call(node, errors)
        case ast.Assign(targets=[ast.Attribute(attr="epilog" | "description"), *_], value=value):
            yield from _marked(value)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from filter(None, [*node.decorator_list, node.returns])
        case _:
            pass


def _of_call(call: ast.Call, errors: frozenset[str]) -> Iterator[ast.AST]:
    name = name_of(call.func)
    given = {each.arg: each.value for each in call.keywords if each.arg}
    if name in _NOT_SAID:
        yield call
    elif name in MARKS | errors | {"ngettext"}:
        yield from (each for each in call.args if isinstance(each, ast.Constant))
        yield from _marked(given.get("hint"))
    elif name in RECORDS or name in PARSER_CALLS:
        for field in RECORDS.get(name, PARSER_WORDS):
            yield from _marked(given.get(field))
        if name == "add_argument_group":
            yield from call.args[:1]


def _marked(value: ast.expr | None) -> Iterator[ast.AST]:
    """What the extraction takes: a plain literal or the name of one; an f-string it does not take."""
    if isinstance(value, ast.Constant | ast.Name):
        yield value
