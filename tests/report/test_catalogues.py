"""The catalogues follow the sources, the translations hold to the English, and no text escapes them."""

import argparse
import ast
import gettext
import inspect
import io
from pathlib import Path

import catalogues
import extraction
import pytest
import translation_checks
import unmarked
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from kzmitm._registry import load, names_in
from kzmitm.cli import argparse_words, verbs
from kzmitm.cli.parser import build_parser

LANGUAGES = catalogues.LANGUAGES


@pytest.fixture(scope="module")
def said():
    return catalogues.template()


def catalogue(name):
    with (catalogues.LOCALE / name).open("rb") as file:
        return read_po(file)


def texts(messages):
    return {message.id: (message.string, message.fuzzy) for message in messages if message.id}


@pytest.mark.untraced
def test_the_template_is_what_the_sources_say(said):
    assert set(texts(catalogue("kzmitm.pot"))) == set(texts(said)), "make locale"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_translations_are_of_what_the_sources_say(language, said):
    assert set(texts(catalogue(f"{language}.po"))) == set(texts(said)), "make locale"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_program_reads_is_what_translators_wrote(language):
    compiled = io.BytesIO(catalogues.mo_of(catalogue(f"{language}.po")))
    with (catalogues.LOCALE / f"{language}.mo").open("rb") as file:
        assert gettext.GNUTranslations(file)._catalog == gettext.GNUTranslations(compiled)._catalog, (
            "make locale"
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_hold_to_the_english(language):
    wrong = [*translation_checks.mistakes(catalogue(f"{language}.po"), language)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("english", "translation", "mistake"),
    [
        ("{n} of {all}", "{n} из {all}", None),
        ("{n} of {all}", "{n} из {al}", "other places"),
        ("{n:.1f} MB", "{n} МБ", "other places"),
        ("invalid: %(value)r", "неверно: %(valu)r", "other places"),
        ("see --list and `kzmitm show`", "см. --list и `kzmitm show`", None),
        ("see --list", "см. --lists", "other options, commands or addresses"),
        ("see `kzmitm show`", "см. `kzmitm показать`", "other options, commands or addresses"),
        ("by ", "от", "begins or ends with other spaces"),
        ("Done.", "Готово", "ends with other punctuation"),
        ("done", "Готово", "begins with another case"),
        ("Done", "готово", "begins with another case"),
        ("OONI said no", "отказ OONI", None),
        ("the state", "Казахстан", None),
        ("no such file", "no such file", "is English"),
        ("RSA with SHA-256", "RSA с SHA-256", None),
        ("TLS failed", "сбой TLS-cоединения", "letters of two alphabets in cоединения"),
        ("the key", "кілт", "Kazakh letters"),
    ],
)
def test_each_mistake_of_a_translator_is_found(english, translation, mistake):
    catalog = Catalog(locale="ru")
    catalog.add(english, translation)
    found = [line.partition(":")[0] for line in translation_checks.mistakes(catalog, "ru")]
    assert found == ([mistake] if mistake else [])


def test_a_plural_without_one_of_its_forms_is_missing():
    catalog = Catalog(locale="ru")
    catalog.add(("{n} day", "{n} days"), ("{n} день", "{n} дня", "{n} дней"))
    catalog.add(("{n} hour", "{n} hours"), ("{n} час", "{n} часа", ""))
    catalog.add("done", "готово", flags=["fuzzy"])
    catalog.add("stopped", "")
    assert [*translation_checks.missing(catalog, "ru")] == ["{n} hours", "done", "stopped"]


@pytest.mark.parametrize(("count", "form"), [(1, 0), (21, 0), (2, 1), (24, 1), (5, 2), (11, 2), (112, 2)])
def test_russian_counts_in_three_forms(count, form):
    assert gettext.c2py(catalogue("ru.po").plural_expr)(count) == form


def found_in(source):
    tree = ast.parse(source)
    errors = extraction.worded_classes([tree])
    reader = extraction.Reader(extraction.PACKAGE / "cli" / "verbs" / "sing.py", tree, errors)
    return {(found.text, found.many) for found in reader.found()}


def test_what_people_read_is_found_in_the_syntax_tree():
    source = '''"""Sing a song.

    More of it.
    """
HINT = "sing louder"
WORDS = {"a": N_("a table"), "b": "no text"}
class UsageError(WordedError): ...
class SongError(UsageError): ...
def configure(parser):
    parser.add_argument("--loud", metavar="DB", help="how loud (default: %(default)s)")
    parser.add_argument_group("what is sung")
    parser.epilog = EPILOG
    parser.description = f"not {found}"
def run(args):
    print(_("sung"), ngettext("{n} note", "{n} notes", n))
    raise SongError("{path}: no song", hint=HINT, path=path)
    return Wording("{why}: {what}", why=why, what=Wording("no voice"))
EPILOG = "That is all."
'''
    assert found_in(source) == {
        ("Sing a song.", ""),
        ("a table", ""),
        ("DB", ""),
        ("how loud (default: %(default)s)", ""),
        ("what is sung", ""),
        ("That is all.", ""),
        ("sung", ""),
        ("{n} note", "{n} notes"),
        ("{path}: no song", ""),
        ("sing louder", ""),
        ("no voice", ""),
    }


def parsers():
    """Every parser of the command line."""
    waiting = [build_parser({name: load(verbs, name) for name in names_in(verbs)})]
    while waiting:
        parser = waiting.pop()
        yield parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()


def test_every_word_of_the_help_is_in_the_template(said):
    known = {
        text for message in said for text in ([message.id] if isinstance(message.id, str) else message.id)
    }
    unknown = set()
    for parser in parsers():
        words = [parser.description]
        for group in parser._action_groups:
            words += [group.title, group.description]
        for action in parser._actions:
            words += [
                action.help,
                *(action.metavar if isinstance(action.metavar, tuple) else [action.metavar]),
            ]
        unknown |= {word for word in words if word and word != argparse.SUPPRESS and word not in known}
    filled = {word for word in unknown if any(is_filled(word, text) for text in known if "{" in text)}
    assert not {word for word in unknown - filled if any(map(str.islower, word))}


def is_filled(word, text):
    """Whether `word` is `text` with something in its one place."""
    before, _brace, rest = text.partition("{")
    after = rest.partition("}")[2]
    return bool(before) and word.startswith(before) and word.endswith(after)


def test_every_word_that_argparse_says_is_known():
    """Another version of Python may say others: then argparse_words.py needs them."""
    said = set()
    for node in ast.walk(ast.parse(inspect.getsource(argparse))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("_", "ngettext")
        ):
            said |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    assert said - set(argparse_words.SAID) <= argparse_words.OF_DEVELOPERS


@pytest.mark.untraced
def test_no_text_for_people_is_unmarked():
    found = [str(each) for each in unmarked.unmarked()]
    assert not found, "mark them, or say in tools/unmarked.py what they are:\n" + "\n".join(found)


@pytest.mark.untraced
def test_the_places_of_each_error_are_the_values_given():
    errors = extraction.worded_classes(extraction.sources().values())
    assert not [
        f"{path.name}:{line}: {text}"
        for path, tree in extraction.sources().items()
        for line, text in unmarked.misfilled(tree, errors)
    ]


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("say('the scan has ended')", True),
        ("say(f'{n} targets are left')", True),
        ("raise UsageError(f'{path}: no such file')", True),
        ("raise UsageError('no file', hint=f'give the {path} again')", True),
        ("parser.add_argument('--x', help=f'at most {MAX} sites')", True),
        ("parser.epilog = 'see ' + 'the manual of it'", True),
        ("say(_('the scan has ended'))", False),
        ("say(ngettext('{n} target is left', '{n} targets are left', n))", False),
        ("raise UsageError('{path}: no such file', path=path)", False),
        ("parser.add_argument('--x', help='at most ten sites')", False),
        ("def f():\n    'the docstring of it'", False),
        ("x: int = 1\n'what the attribute means'", False),
        ("if said == 'no such file': pass", False),
        ("table = {'no such file': 2}", False),
        ("re.compile('no such file')", False),
        ("logger.debug('asked for %s again', name)", False),
        ("db.sql('SELECT a FROM b where c')", False),
        ("say('  kzmitm show RESULT')", False),
        ("say('done')", False),
    ],
)
def test_a_text_that_is_not_marked_is_found(source, is_found):
    assert bool([*unmarked.unmarked_in(ast.parse(source), frozenset({"UsageError", "Wording"}))]) is is_found


def test_a_text_whose_values_do_not_fit_is_found():
    source = (
        "UsageError('{a}: {b}', a=1)\nUsageError('{a}', hint='{b}', a=1, b=2)\nUsageError('{a}', a=1, c=2)"
    )
    found = unmarked.misfilled(ast.parse(source), frozenset({"UsageError"}))
    assert [line for line, _text in found] == [1, 3]


def test_whatever_is_allowed_is_there():
    for place in unmarked.ALLOWED:
        assert Path(extraction.ROOT, place).exists(), place
