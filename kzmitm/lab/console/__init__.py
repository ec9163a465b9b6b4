"""The console for a class: a page on this computer from which a laboratory is shown."""

from kzmitm.lab.console.serve import serve

__all__ = ["serve"]
