"""Every text for people is there in Russian and Kazakh."""

import catalogues
import pytest
import translation_checks
from babel.messages.pofile import read_po


@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_nothing_is_missing_or_guessed(language):
    with (catalogues.LOCALE / f"{language}.po").open("rb") as file:
        missing = [*translation_checks.missing(read_po(file, locale=language), language)]
    assert not missing, f"{len(missing)} texts have no {language} translation, the first: {missing[:5]}"
