"""Discovery: a rule, a hello profile, a laboratory profile or a verb is one new file, found here."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def discover(package: ModuleType) -> Iterator[ModuleType]:
    """Import every module directly inside `package`, in the order of their names.

    Subpackages are imported too, and not searched. An exception of an import is passed on: a file that
    cannot be loaded must never look like one that is absent.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    for name in names:
        yield importlib.import_module(f"{package.__name__}.{name}")
