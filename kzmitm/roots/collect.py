"""Every store of a system, by all readers that know its platform."""

from collections.abc import Iterator
from typing import cast

from kzmitm._registry import discover
from kzmitm.roots import readers
from kzmitm.roots.system import System
from kzmitm.roots.values import Reader, StoreReading


def collect(system: System) -> Iterator[StoreReading]:
    """The stores of a system in the order of their readers; what cannot be read is among them, with why."""
    for module in discover(readers):
        reader = cast("Reader", module)
        if system.platform in reader.PLATFORMS:
            yield from reader.read(system)
