"""The language of what people read. English is written in the code; a catalogue may replace it."""


def _(text: str) -> str:
    """Mark `text` for translators, as gettext's tools expect it, and leave it as it is."""
    return text
