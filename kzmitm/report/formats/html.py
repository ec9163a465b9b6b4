"""One page for a browser: opens without a network, on a phone, and from paper."""

from kzmitm.report.document import Document
from kzmitm.report.page import render_page


def render(document: Document) -> bytes:
    """The page in UTF-8."""
    return render_page(document).encode()
