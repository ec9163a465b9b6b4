"""The one page, and the policy under which a browser shows it."""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

PAGE = "page.html"
_INLINE = r"<{0}>(.*?)</{0}>"


@cache
def page() -> bytes:
    """The page in UTF-8; nothing is ever inserted into it here."""
    return resources.files("kzmitm.lab.console").joinpath(PAGE).read_bytes()


@cache
def policy() -> str:
    """The Content-Security-Policy: its own script and style by hash, requests to itself, nothing else."""
    directives = {
        "default-src": "'none'",
        "script-src": " ".join(_hashes("script")),
        "style-src": " ".join(_hashes("style")),
        "connect-src": "'self'",
        "img-src": "data:",  # an empty picture, so that the browser asks for no favicon.ico
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _hashes(element: str) -> Iterator[str]:
    """The sources of CSP for what stands inside the elements of this name (W3C CSP3, 2.3.1)."""
    for inside in re.findall(_INLINE.format(element).encode(), page(), re.DOTALL):
        yield f"'sha256-{base64.b64encode(hashlib.sha256(inside).digest()).decode('ascii')}'"
