import json
import pickle
import threading
from gettext import NullTranslations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.report.language import (
    LANGUAGES,
    N_,
    Words,
    _,
    catalogue_of,
    language_spoken,
    ngettext,
    preferred,
    speaking,
)
from kzmitm.report.safe import harmless
from kzmitm.wording import Wording, joined, one_line, parts, put_together, reason_of


class Loud(NullTranslations):
    """A language of capitals, which leaves what stands in braces as it is."""

    def gettext(self, message):
        return "".join(part if part.startswith("{") else part.upper() for part in split(message))

    def ngettext(self, msgid1, msgid2, n):
        return self.gettext(msgid1 if n == 1 else msgid2)


def split(text):
    return text.replace("{", "\0{").replace("}", "}\0").split("\0")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "kk_KZ.UTF-8"}, "kk"),
        ({"LANG": "ru_KZ.CP1251"}, "ru"),
        ({"LANG": "ru"}, "ru"),
        ({"LANG": "kk-KZ"}, "kk"),
        ({"LANG": "kk_KZ@latin"}, "kk"),
        ({"LANG": "uz_UZ.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_MESSAGES": "kk_KZ.UTF-8"}, "kk"),
        ({"LANG": "ru_RU.UTF-8", "LC_MESSAGES": "kk_KZ.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": ""}, "ru"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "kk:ru:en"}, "kk"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "uz:ru"}, "ru"),
        ({"LANGUAGE": "ru"}, "ru"),
        ({"LANG": "C", "LANGUAGE": "ru"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "POSIX"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "KZMITM_LANG": "kk"}, "kk"),
        ({"LANG": "ru_RU.UTF-8", "KZMITM_LANG": "en"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "KZMITM_LANG": "klingon"}, "ru"),
    ],
)
def test_the_environment_chooses_the_language(environment, language):
    assert preferred(environment) == language


@given(st.dictionaries(st.sampled_from(["LANG", "LC_ALL", "LANGUAGE", "KZMITM_LANG"]), st.text()))
def test_no_environment_is_too_strange(environment):
    assert preferred(environment) in LANGUAGES


def test_there_is_a_catalogue_for_each_language_and_no_other():
    for language in LANGUAGES:
        with speaking(catalogue_of(language)):
            assert language_spoken() == language
    with pytest.raises(KeyError):
        catalogue_of("tlh")


def test_outside_a_language_the_words_are_english():
    assert _("stopped") == "stopped"
    assert language_spoken() == "en"
    with speaking(Loud()):
        assert _("stopped") == "STOPPED"
        assert ngettext("{n} day", "{n} days", 1) == "{n} DAY"
        with speaking(catalogue_of("en")):
            assert _("stopped") == "stopped"
        assert _("stopped") == "STOPPED"
        assert _("") == ""
    assert _("stopped") == "stopped"


def test_a_table_gives_its_texts_in_the_language_spoken_when_it_is_read():
    table = Words({"a": N_("one"), "b": (N_("two"), N_("three"))})
    with speaking(Loud()):
        assert (table["a"], table["b"]) == ("ONE", ("TWO", "THREE"))
        assert table.get("c", "none") == "none"
        assert list(table) == ["a", "b"]
    assert dict(table) == {"a": "one", "b": ("two", "three")}
    assert len(table) == 2


@pytest.mark.parametrize("in_threads", [True, False])
def test_a_program_of_one_language_speaks_it_in_its_threads(in_threads):
    said = []
    with speaking(Loud(), in_threads=in_threads):
        thread = threading.Thread(target=lambda: said.append(_("stopped")))
        thread.start()
        thread.join()
    assert said == ["STOPPED" if in_threads else "stopped"]
    assert _("stopped") == "stopped"


def test_a_wording_is_english_and_can_be_said_in_another_language():
    inner = Wording("not a port: {port}", port="'x'")
    wording = Wording("{path}: {why}", path="{why}", why=inner)
    assert wording == "{why}: not a port: 'x'"
    with speaking(Loud()):
        assert _(wording) == "{why}: NOT A PORT: 'x'"
        assert harmless(Wording("a line\x1b of {who}", who="us")) == r"A LINE\x1b OF us"


def test_a_wording_leaves_braces_that_are_nobodys_place():
    assert Wording("{path}: {x} {0} {}", path="p") == "p: {x} {0} {}"
    assert Wording("{plain}") == "{plain}"


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_wording_comes_through_another_process(protocol):
    wording = Wording("{path}: {why}", path="p", why=Wording("empty"))
    again = pickle.loads(pickle.dumps(wording, protocol))  # noqa: S301 (our own)
    with speaking(Loud()):
        assert _(again) == "p: EMPTY"
    error = pickle.loads(pickle.dumps(UsageError("{path} is empty", hint="see {path}", path="p"), protocol))  # noqa: S301
    assert (str(error), error.hint) == ("p is empty", "see p")
    with speaking(Loud()):
        assert (_(str(error)), _(error.hint)) == ("p IS EMPTY", "SEE p")


def test_the_words_of_an_error_keep_those_of_its_cause():
    cause = UsageError("{path} is empty", path="p")
    error = KzmitmError("{why}; nothing was written", why=cause)
    again = KzmitmError(str(error), hint=cause.hint)
    assert str(again) == "p is empty; nothing was written"
    assert again.hint == ""
    with speaking(Loud()):
        assert _(str(again)) == "p IS EMPTY; NOTHING WAS WRITTEN"


def test_wordings_that_are_joined_keep_their_language():
    line = joined("; ", ["p", Wording("too long"), one_line(Wording("{n}\nmore", n=2), 80)])
    assert line == "p; too long; 2 more"
    assert joined("; ", []) == ""
    with speaking(Loud()):
        assert _(line) == "p; TOO LONG; 2 more"
        assert _(one_line(Wording("short"), 5)) == "SHORT"
    assert one_line(Wording("too long"), 5) == "too l"


def test_an_error_comes_through_json_with_its_words():
    error = UsageError("{path}: {why}", hint="see {path}", path="p", why=Wording("empty"))
    answer = json.loads(json.dumps(parts(error, error.hint)))
    assert (answer["error"], answer["hint"]) == ("p: empty", "see p")
    with speaking(Loud()):
        assert (_(put_together(answer, "error")), _(put_together(answer, "hint"))) == ("p: EMPTY", "SEE p")
    assert put_together({"error": "plain"}, "error") == "plain"
    assert put_together({"error": "plain"}, "hint") == ""


def test_a_reason_of_the_system_is_known_in_other_languages():
    with speaking(Loud()):
        assert _(reason_of(FileNotFoundError(2, "No such file or directory"))) == "NO SUCH FILE OR DIRECTORY"
        assert _(reason_of(ValueError(Wording("too long")))) == "TOO LONG"
        assert reason_of(OSError("plain")) == "plain"
