"""The JSON Schemas (draft 2020-12) of our documents: one file each in `schemas/`."""

from importlib import resources

from kzmitm.errors import UsageError

_SUFFIX = ".json"


def schema_names() -> tuple[str, ...]:
    """The documents that have one."""
    files = resources.files("kzmitm.evidence").joinpath("schemas").iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def schema_text(name: str) -> str:
    """The JSON Schema of a document of ours; raises UsageError for an unknown name."""
    known = schema_names()
    if name not in known:
        raise UsageError(
            "no schema {name}", hint="there is: {known}", name=repr(name[:40]), known=", ".join(known)
        )
    return resources.files("kzmitm.evidence").joinpath("schemas", name + _SUFFIX).read_text(encoding="utf-8")
