"""Names that strangers gave to files, as a report may hold them."""

_MAX_SHOWN = 200
"""Characters; a path of a bundle has at most 120, a name in an archive 65,535."""


def shown(name: str) -> str:
    """A name in printable ASCII, and not endless: whatever it is, it does nothing to its reader."""
    text = name[:_MAX_SHOWN].encode("unicode_escape").decode("ascii")
    return text if len(name) <= _MAX_SHOWN else f"{text}..."
