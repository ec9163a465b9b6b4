"""Coverage-guided fuzzing of the importers: `python tests/ooni/fuzz_importers.py [-runs=N]`.

Needs atheris. A real file of a tool with some octets changed, taken away or doubled, or any octets at all:
records come back, and what is imported can be written and read again.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent / "importers"))

with atheris.instrument_imports(include=["kzmitm.ooni", "kzmitm.netio.packet_files"]):
    from import_hostile import SEEDS, check, edited

    from kzmitm.ooni.importing import formats, recognised

FORMATS = tuple(formats())


def one_input(data: bytes) -> None:
    """Run one input; raises if it is a finding."""
    if not data:
        return
    choice, rest = data[0], data[1:]
    if choice & 1:
        kind, octets = SEEDS[(choice >> 1) % len(SEEDS)]
        check(kind, edited(octets, rest[:60]))
    else:
        recognised(rest)
        check(FORMATS[(choice >> 1) % len(FORMATS)], rest)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
