"""The page on paper: the same HTML by the same style sheet, set by WeasyPrint (docs/adr/0038)."""

import logging
from typing import Any

from kzmitm.errors import UsageError
from kzmitm.report.document import Document
from kzmitm.report.language import _
from kzmitm.report.page import render_page

VARIANT = "pdf/ua-1"
"""Tagged for screen readers (ISO 14289-1)."""


def render(document: Document) -> bytes:
    """The PDF; raises UsageError where WeasyPrint or its libraries are missing."""
    # It tells of every property of the sheet that is for screens only.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    try:
        import weasyprint  # noqa: PLC0415 (an extra, and half a second to load)
        from weasyprint.urls import FatalURLFetchingError, URLFetcher  # noqa: PLC0415
    except (ImportError, OSError) as exc:  # OSError: without the libraries of Pango
        raise UsageError(
            _("PDF needs WeasyPrint, which is not installed or lacks Pango"),
            hint=_("pip install 'kzmitm[report]', or print the HTML page from a browser"),
        ) from exc

    class Nothing(URLFetcher):  # type: ignore[misc, unused-ignore]
        """Fetches nothing: there is nothing outside that a report needs."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            del headers
            raise FatalURLFetchingError(url[:80])  # that a report asks for anything is a fault of ours

    page = weasyprint.HTML(string=render_page(document), url_fetcher=Nothing())
    return bytes(page.write_pdf(pdf_variant=VARIANT))
