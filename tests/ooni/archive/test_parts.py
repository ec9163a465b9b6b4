"""Parts of an extract: whole or not there, and every text in them as it went in."""

import json

import duckdb
import pytest
from archive_samples import table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kzmitm.ooni.archive import parts
from kzmitm.ooni.archive.chains import MAX_CERTIFICATES, MAX_DER, Chain
from kzmitm.ooni.archive.parts import MAX_PROBLEMS, Part, parts_of, quoted, read_summary
from kzmitm.ooni.archive.rows import COLUMNS, HandshakeRow, MeasurementRow

TIME = "2024-03-01 12:00:00"


def measurement(doc=0, **fields):
    return MeasurementRow(**({"doc": doc, "uid": f"u{doc}", "time": TIME} | fields))


def handshake(doc=0, n=0, **fields):
    return HandshakeRow(**({"doc": doc, "n": n, "time": TIME} | fields))


def written(folder, name="part", **about):
    """A part with one measurement, one handshake and one chain."""
    with Part(folder, name) as part:
        part.measurement(measurement())
        part.chain(Chain((b"a",)))
        part.handshake(handshake())
        return part.commit(**about)


def test_a_part_tells_what_is_in_it(tmp_path):
    with Part(tmp_path / "extract", "part") as part:
        part.measurement(measurement())
        for _ in range(2):
            part.chain(Chain((b"a", b"b")))
        part.chain(Chain((b"a",)))
        part.handshake(handshake())
        part.own(0, b'{"a":\n1}')
        part.problem("a.jsonl", 3, "not JSON")
        part.octets = 7
        told = part.commit(sources=[{"name": "a"}])
    folder = tmp_path / "extract/part"
    assert read_summary(folder) == told
    assert told["counts"] == {"measurements": 1, "handshakes": 1, "chains": 2, "certificates": 2, "own": 1}
    assert (told["octets"], told["bad"], told["sources"]) == (7, 1, [{"name": "a"}])
    assert told["problems"] == [{"source": "a.jsonl", "line": 3, "why": "not JSON"}]
    assert (folder / "own.jsonl").read_bytes() == b'0 {"a": 1}\n'
    assert {each["der"] for each in table(folder, "certificates")} == {b"a", b"b"}
    assert sorted(len(each["certificates"]) for each in table(folder, "chains")) == [1, 2]
    assert list(parts_of(tmp_path / "extract")) == [folder]


def test_columns_are_those_that_are_described(tmp_path):
    written(tmp_path)
    for name, columns in COLUMNS.items():
        files = quoted(tmp_path / f"part/{name}-0.parquet")
        with duckdb.connect(":memory:") as connection:
            found = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({files})").fetchall()  # noqa: S608
        assert {row[0]: row[1] for row in found} == columns
        assert [row[0] for row in found] == list(columns)


def test_an_exception_leaves_nothing(tmp_path):
    def fail():
        with Part(tmp_path, "part") as part:
            part.measurement(measurement())
            part.own(0, b"{}")
            raise KeyError("why")

    with pytest.raises(KeyError, match="why"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_committed_leaves_nothing(tmp_path):
    with Part(tmp_path, "part") as part:
        part.measurement(measurement())
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_there_stays_as_it_is(tmp_path):
    first = written(tmp_path, sources=["first"])
    before = {path.name: path.stat().st_ino for path in (tmp_path / "part").iterdir()}
    assert written(tmp_path, sources=["second"]) == first
    assert {path.name: path.stat().st_ino for path in (tmp_path / "part").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_folder_that_is_no_part_is_not_taken_for_one(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part/other").write_text("x")
    with pytest.raises(OSError, match="not empty"):
        written(tmp_path)
    assert (tmp_path / "part/other").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_an_empty_part_is_one_too(tmp_path):
    with Part(tmp_path, "part") as part:
        told = part.commit()
    assert set(told["counts"].values()) == {0}
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["part.json"]


FOLDERS = {
    "quotes": 'it\'s "so"',
    "spaces": " a  b ",
    "patterns": "a*[b]?{c}",
    "like-columns": "cc=XX/asn=5/doc=zz",
    "letters": "қазақ 😀",
    "signs": "a;--%$\\n",
}


@pytest.mark.parametrize("name", FOLDERS.values(), ids=FOLDERS)
def test_folders_may_be_called_anything(tmp_path, name):
    """A folder called `cc=XX` is a column to DuckDB, if it is let."""
    with Part(tmp_path / name, "part") as part:
        part.measurement(measurement(7, cc="KZ", asn=9198))
        part.commit()
    (row,) = table(tmp_path / name / "part", "measurements")
    assert (row["doc"], row["cc"], row["asn"]) == (7, "KZ", 9198)


UNUSUAL = (
    *("null", "NULL", "true", "5", "2024-01-01", "{}", '"', "'", "\\", '\\"', "\\u0041"),
    *("a\nb", "\r", "\t", "\x01\x1f\x7f", "\x85\u2028\u2029", "\ufeff", "\ufffd", "\u202eabc", " a "),
    *("😀👩\u200d👩\u200d👦", "қ" * 300, "-- ;", "$1", "%s", "\ud7ff\ue000\U0010ffff", ""),
)


def test_unusual_texts_come_out_as_they_went_in(tmp_path):
    with Part(tmp_path, "part") as part:
        for doc, text in enumerate(UNUSUAL):
            part.measurement(measurement(doc, uid=text, network=text, input=text))
            part.handshake(handshake(doc, failure=text, name=text, role=text))
        part.commit()
    found = table(tmp_path / "part", "measurements", "uid, network, input", order="doc")
    assert [tuple(row.values()) for row in found] == [(text,) * 3 for text in UNUSUAL]
    found = table(tmp_path / "part", "handshakes", "failure, name, role", order="doc")
    assert [tuple(row.values()) for row in found] == [(text,) * 3 for text in UNUSUAL]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20), min_size=1, max_size=40
    )
)
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_texts_come_out_as_they_went_in(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("texts")
    with Part(folder, "part") as part:
        for doc, text in enumerate(texts):
            part.measurement(measurement(doc, network=text))
        part.commit()
    assert [row["network"] for row in table(folder / "part", "measurements", order="doc")] == texts


def test_what_is_left_out_comes_back_as_its_default(tmp_path):
    rows = [measurement(doc, in_control=value) for doc, value in enumerate((None, True, False))]
    shakes = [
        handshake(doc, in_control=value, verified=value is None)
        for doc, value in enumerate((None, True, False))
    ]
    with Part(tmp_path, "part") as part:
        for row, shake in zip(rows, shakes, strict=True):
            part.measurement(row)
            part.handshake(shake)
        part.commit()
    for name, expected in (("measurements", rows), ("handshakes", shakes)):
        for found, row in zip(table(tmp_path / "part", name, order="doc"), expected, strict=True):
            assert str(found.pop("time")) == row.time
            assert found == {key: getattr(row, key) for key in found}


def test_numbers_at_their_limits(tmp_path):
    with Part(tmp_path, "part") as part:
        part.measurement(
            measurement(asn=2**32 - 1, digest=2**32 - 1, line=2**32 - 1, addresses=65535, handshakes=4096)
        )
        part.handshake(handshake(n=4095, depth=255, port=65535))
        part.commit()
    (row,) = table(tmp_path / "part", "measurements", "asn, digest, line, addresses, handshakes")
    assert list(row.values()) == [2**32 - 1, 2**32 - 1, 2**32 - 1, 65535, 4096]
    assert table(tmp_path / "part", "handshakes", "n, depth, port") == [
        {"n": 4095, "depth": 255, "port": 65535}
    ]


def test_the_longest_chain_and_certificate_fit(tmp_path):
    long = Chain(tuple(bytes((number,)) * 10 for number in range(MAX_CERTIFICATES)))
    with Part(tmp_path, "part") as part:
        part.chain(long)
        part.chain(Chain((b"\xff" * MAX_DER,)))
        part.commit()
    assert max(len(row["certificates"]) for row in table(tmp_path / "part", "chains")) == MAX_CERTIFICATES
    assert max(len(row["der"]) for row in table(tmp_path / "part", "certificates")) == MAX_DER


@pytest.mark.parametrize("limit", ["MAX_MEASUREMENTS", "MAX_DISTINCT"])
def test_beyond_a_limit_the_next_file_begins(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(parts, limit, 3)
    with Part(tmp_path, "part") as part:
        for doc in range(8):
            part.measurement(measurement(doc))
            part.chain(Chain((b"%d" % (doc % 5), b"root")))
            part.handshake(handshake(doc))
        told = part.commit()
    folder = tmp_path / "part"
    assert len(list(folder.glob("measurements-*.parquet"))) > 2
    for name in ("measurements", "handshakes"):
        assert [row["doc"] for row in table(folder, name, order="doc")] == list(range(8))
    for path in folder.glob("measurements-*.parquet"):
        number = path.stem.removeprefix("measurements-")
        docs = [table(folder, name, "doc", number=number) for name in ("measurements", "handshakes")]
        assert docs[0] == docs[1]
    assert told["counts"]["measurements"] == 8
    assert {row["der"] for row in table(folder, "certificates")} == {b"0", b"1", b"2", b"3", b"4", b"root"}
    assert told["counts"]["certificates"] == len(table(folder, "certificates")) > 6
    assert not [path for path in folder.iterdir() if path.suffix not in (".parquet", ".json")]


def test_problems_are_named_up_to_a_number_and_all_counted(tmp_path):
    with Part(tmp_path, "part") as part:
        for number in range(MAX_PROBLEMS + 50):
            part.problem("a\nb", number, "x" * 5000)
        told = part.commit()
    assert told["bad"] == MAX_PROBLEMS + 50
    assert [each["line"] for each in told["problems"]] == list(range(MAX_PROBLEMS))
    assert {len(each["why"]) for each in told["problems"]} == {300}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 5}', '{"format": "kzmitm.extract/2.0"}', "null"], ids=repr
)
def test_a_summary_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "part.json").write_text(text)
    with pytest.raises(ValueError):
        read_summary(tmp_path)


def test_a_later_minor_format_is_read(tmp_path):
    (tmp_path / "part.json").write_text(json.dumps({"format": "kzmitm.extract/1.9", "more": 1}))
    assert read_summary(tmp_path)["more"] == 1


def test_only_whole_parts_are_parts(tmp_path):
    for name in ("b", "a", ".hidden", ".unfinished-x"):
        written(tmp_path, name)
    (tmp_path / "c").mkdir()
    (tmp_path / "file").write_text("x")
    assert [path.name for path in parts_of(tmp_path)] == ["a", "b"]
    assert list(parts_of(tmp_path / "none")) == []
    assert list(parts_of(tmp_path / "file")) == []


def test_texts_are_quoted_as_sql_does():
    assert quoted("it's") == "'it''s'"
    with duckdb.connect(":memory:") as connection:
        for text in UNUSUAL:
            assert connection.execute(f"SELECT {quoted(text)}").fetchone() == (text,)
