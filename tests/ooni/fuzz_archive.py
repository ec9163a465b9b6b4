"""Coverage-guided fuzzing of what reads an archive: `python tests/ooni/fuzz_archive.py [-max_total_time=N]`.

Needs atheris. Files of every form, whatever is in them, and measurements with some octets changed: rows or a
reason come back, and where the fast reading and the patient one both give rows, they are the same.
"""

import gzip
import io
import json
import sys
import tarfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import zstandard

sys.path.insert(0, str(Path(__file__).parent / "archive"))

try:
    import atheris
except ImportError:  # only the fuzzer's own environment has it, and its inputs are tests too
    instrumented = nullcontext
else:
    instrumented = partial(atheris.instrument_imports, include=["kzmitm"])

with instrumented():
    from archive_samples import KINDS, Rows, document, encode_line, row, sample

    from kzmitm.ooni.archive import reading
    from kzmitm.ooni.archive.chains import ChainReader

reading.MAX_DOCUMENT = 1 << 20  # so that what is too long is reached as well
PAGE = b'"response":{"body":"'
LINES = [encode_line(sample(*kind), style, {}) for kind in KINDS for style in ("go", "uploader")]
SMALL = [
    json.dumps(document(tls_handshakes=[row()], **keys)).encode()
    for keys in (
        {"control": {"dns": {"addrs": ["192.0.2.1"]}, "tls_handshake": {"192.0.2.1:443": {"status": True}}}},
        {"queries": [{"engine": "system", "failure": None, "answers": [{"ipv4": "192.0.2.1"}]}]},
        {"tcp_connect": [{"status": {"failure": "connection_refused"}}], "x_kzmitm": {"format": "kzmitm."}},
    )
]
JSONL = b"\n".join(SMALL)


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number, line in enumerate(SMALL):
            info = tarfile.TarInfo(f"{number}.post" if number else "қ" * 200)
            info.size = len(line)
            archive.addfile(info, io.BytesIO(line))
    return out.getvalue()


FILES = (_tar(), gzip.compress(JSONL), zstandard.ZstdCompressor(write_checksum=True).compress(JSONL), JSONL)


def _edited(octets: bytes, data: bytes) -> bytes:
    """Some octets changed: an edit is four octets, place (three), value."""
    out = bytearray(octets)
    for at in range(0, len(data) - 3, 4):
        out[int.from_bytes(data[at : at + 3], "big") % len(out)] = data[at + 3]
    return bytes(out)


def _file(data: bytes) -> None:
    rows = Rows()
    with suppress(reading.DamagedFileError):
        for member, number, line in reading.documents(io.BytesIO(data)):
            rows.extractor.add(line, source=member, number=number)


def _edited_file(data: bytes) -> None:
    if data:
        _file(_edited(FILES[data[0] % len(FILES)], data[1:]))


def _packed(data: bytes) -> None:
    """Compressed whole, and what is compressed is hostile."""
    _file(gzip.compress(data, compresslevel=1))
    _file(zstandard.ZstdCompressor(level=1).compress(data))


def _line(data: bytes) -> None:
    """Pages that are none may hide what stands behind them, and an envelope is opened once."""
    fast, patient = Rows(), Rows()
    why = fast.add(data)
    other = patient.add(b'{"format":"json","content":' + data + b"}")
    if why is None and other is None and PAGE not in data and b'"content"' not in data:
        for found in (*fast.measurements, *patient.measurements):
            if found["uid"].startswith("made-"):
                del found["uid"]  # of all octets, where there is nothing else to make it of
        assert fast.kept == patient.kept


def _edited_line(data: bytes) -> None:
    if data:
        _line(_edited(LINES[data[0] % len(LINES)], data[1:]))


def _edited_small(data: bytes) -> None:
    if data:
        _line(_edited(SMALL[data[0] % len(SMALL)], data[1:]))


def _grafted(data: bytes) -> None:
    """Any JSON in the place of one of the lists."""
    line = SMALL[0]
    start = line.index(b'"tls_handshakes": ') + len(b'"tls_handshakes": ')
    _line(line[:start] + data + b"}}")


def _chain(data: bytes) -> None:
    """What was read before changes nothing."""
    reader = ChainReader()
    first = reader.read(data)
    for text in (data[:-1], data + b" ", data):
        reader.read(text)
    assert reader.read(data).ders == first.ders == ChainReader().read(data).ders


TARGETS: tuple[Callable[[bytes], None], ...] = (
    _file,
    _edited_file,
    _packed,
    _line,
    _edited_line,
    _edited_small,
    _grafted,
    _chain,
)


def one_input(data: bytes) -> None:
    """Run one input; raises if it is a finding."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup([*sys.argv, "-len_control=0"], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
