"""One set of keys and certificates for the session."""

from collections.abc import Callable

import pytest
from wire_support import Identity, make_identity


@pytest.fixture(scope="session")
def identity(tmp_path_factory) -> Callable[[str], Identity]:
    """An identity by the kind of its key, made when first asked for."""
    folder = tmp_path_factory.mktemp("pki")
    made: dict[str, Identity] = {}

    def get(kind: str) -> Identity:
        if kind not in made:
            made[kind] = make_identity(kind, folder)
        return made[kind]

    return get
