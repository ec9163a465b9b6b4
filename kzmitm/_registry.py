"""Discovery: a rule, a hello profile, a laboratory profile or a verb is one new file, found here."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from importlib.abc import InspectLoader
from importlib.util import find_spec
from types import ModuleType


def discover(package: ModuleType) -> Iterator[ModuleType]:
    """Import every module directly inside `package`, in the order of their names.

    Subpackages are imported too, and not searched. An exception of an import is passed on: a file that
    cannot be loaded must never look like one that is absent.
    """
    for name in names_in(package):
        yield load(package, name)


def names_in(package: ModuleType) -> tuple[str, ...]:
    """The modules directly inside `package`, in order; none is imported."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def load(package: ModuleType, name: str) -> ModuleType:
    """Import one module of `package`."""
    return importlib.import_module(f"{package.__name__}.{name}")


def docstring(package: ModuleType, name: str) -> str:
    """What a module of `package` says of itself, read from its source; it is not imported."""
    spec = find_spec(f"{package.__name__}.{name}")
    loader = spec.loader if spec is not None else None
    source = loader.get_source(spec.name) if spec is not None and isinstance(loader, InspectLoader) else None
    return ast.get_docstring(ast.parse(source or "")) or ""
