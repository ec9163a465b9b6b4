"""Chromium as a user of the laboratory has it: driven over a pipe, in a home of its own."""

from kzmitm.lab.browser.browser import Browser
from kzmitm.lab.browser.page import PageState
from kzmitm.lab.browser.pipe import BrowserError
from kzmitm.lab.browser.program import find_browser
from kzmitm.lab.browser.trust import install_root, remove_root

__all__ = ["Browser", "BrowserError", "PageState", "find_browser", "install_root", "remove_root"]
