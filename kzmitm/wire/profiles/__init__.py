"""Hello profiles, one module each, found by discovery: every module with a `PROFILE` is one."""

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from kzmitm.wire.profiles._profile import GREASE, GREASE_LAST, HelloProfile

__all__ = ["GREASE", "GREASE_LAST", "PROFILES", "HelloProfile"]


def _discover() -> Mapping[str, HelloProfile]:
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    found = [importlib.import_module(f"{__name__}.{name}").PROFILE for name in names]
    return MappingProxyType({profile.name: profile for profile in found})


PROFILES: Mapping[str, HelloProfile] = _discover()
"""All profiles by name."""
