"""Where the consent, the keys and the results of this user stay: one folder, that `purge` empties."""

import os
import sys
from pathlib import Path

HOME_VARIABLE = "KZMITM_HOME"
"""Environment variable that replaces the folder."""

CONSENT = "consent.json"
RESULTS = "results"
DEMO_PREFIX = "demo-"
"""Begins the name of a folder with the result and the pictures of a demonstration."""
CAMPAIGNS = "campaigns"
CAMPAIGN_LOCK = "lock"
"""Of a campaign's folder: locked for as long as a process works in it."""
KEYS = "keys"
KNOWN_SIGNERS = "known_signers"


def home() -> Path:
    """The folder of this user's data, by the custom of the system; it need not exist."""
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "kzmitm"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "kzmitm"
    # XDG Base Directory Specification: a relative path in the variable is to be ignored.
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share") / "kzmitm"  # noqa: PTH117


def consent_file() -> Path:
    return home() / CONSENT


def results_folder() -> Path:
    return home() / RESULTS


def campaigns_folder() -> Path:
    """Where campaigns are, a folder each, unless the user named another place."""
    return home() / CAMPAIGNS


def keys_folder() -> Path:
    """Where the keys of campaigns are, that sign results."""
    return home() / KEYS


def known_signers_file() -> Path:
    """Whose keys this user knows."""
    return home() / KNOWN_SIGNERS
