"""Make the catalogues follow the sources: `make locale`; with --check, only say whether they do.

kzmitm.pot is what the sources say. ru.po and kk.po are the translators'; of them is kept what still holds.
A text that changed is translated again, never guessed ("fuzzy"). ru.mo and kk.mo are what the program reads.
"""

import argparse
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from extraction import PACKAGE, everything

LOCALE = PACKAGE / "report" / "locale"
TEMPLATE = LOCALE / "kzmitm.pot"
LANGUAGES = ("ru", "kk")
WIDTH = 100
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""The time in the headers, always the same, so that the same sources give the same files."""


def template() -> Catalog:
    """All texts of the sources, in the order in which they stand."""
    catalog = _empty(None)
    for found in everything():
        known = catalog.get(found.text)
        is_plural = known is not None and isinstance(known.id, tuple)
        with_plural = known.id if known is not None and is_plural else (found.text, found.many)
        message = catalog.add(
            with_plural if is_plural or found.many else found.text,
            auto_comments=[found.about] if found.about else [],
        )
        message.locations = sorted({*message.locations, (found.where, 0)})
    return catalog


def translated(language: str, said: Catalog) -> Catalog:
    """The translations there are of what is said, and empty ones for the rest."""
    catalog = _empty(language)
    path = LOCALE / f"{language}.po"
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    catalog.header_comment = _HEADER
    catalog.creation_date = catalog.revision_date = SINCE
    catalog.update(said, no_fuzzy_matching=True, keep_user_comments=True)
    catalog.obsolete.clear()
    return catalog


def po_of(catalog: Catalog) -> bytes:
    """The file for people, without numbers of lines, which would change with every edit."""
    out = io.BytesIO()
    write_po(out, catalog, width=WIDTH, include_lineno=False)
    return out.getvalue()


def mo_of(catalog: Catalog) -> bytes:
    """The file for gettext."""
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def files() -> dict[Path, bytes]:
    """What the files in `locale/` must hold."""
    said = template()
    made = {TEMPLATE: po_of(said)}
    for language in LANGUAGES:
        written = po_of(translated(language, said))
        made[LOCALE / f"{language}.po"] = written
        made[LOCALE / f"{language}.mo"] = mo_of(read_po(io.BytesIO(written), locale=language))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args().check
    stale = [(path, data) for path, data in files().items() if not path.exists() or path.read_bytes() != data]
    for path, data in stale:
        print(f"{path.relative_to(PACKAGE.parent)}: {'is not up to date' if only_check else 'written'}")
        if not only_check:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    return 1 if stale and only_check else 0


_HEADER = "# Words of kzmitm. Terms: docs/glossary.md. How this is made: tools/catalogues.py."


def _empty(language: str | None) -> Catalog:
    return Catalog(
        locale=language,
        project="kzmitm",
        version="0",
        msgid_bugs_address="",
        last_translator="",
        language_team="",
        fuzzy=False,
        header_comment=_HEADER,
        creation_date=SINCE,
        revision_date=SINCE,
    )


if __name__ == "__main__":
    sys.exit(main())
