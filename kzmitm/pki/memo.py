"""Reading the same octets once: most names and extensions come again with the next leaf of the same CA."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

MAX_OCTETS = 512
"""Longer octets are read each time, so that a stranger cannot fill our memory with what never comes again."""

T = TypeVar("T")


def memo(maxsize: int) -> Callable[[Callable[[bytes], T]], Callable[[bytes], T]]:
    """A decorator: the last `maxsize` results for short octets are kept."""

    def decorate(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
        remembered = lru_cache(maxsize)(read)

        @wraps(read)
        def reader(octets: bytes) -> T:
            return remembered(octets) if len(octets) <= MAX_OCTETS else read(octets)

        return reader

    return decorate
