"""What our writer of Parquet writes is what DuckDB reads: types, values, absent values, groups of rows."""

from datetime import datetime
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.ooni.archive.parquet import Writer

COLUMNS = {
    "text": "VARCHAR", "octets": "BLOB", "yes": "BOOLEAN", "small": "UTINYINT", "middle": "USMALLINT",
    "large": "UINTEGER", "time": "TIMESTAMP", "many": "VARCHAR[]",
}  # fmt: skip

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(  # noqa: DTZ001 (UTC as text)
    lambda each: each.replace(microsecond=0)
)


def row_of(values):
    row = dict(zip(COLUMNS, values, strict=True))
    if row["time"] is not None:
        row["time"] = row["time"].isoformat(" ")
    return SimpleNamespace(**row)


def rows():
    values = (
        texts, st.binary(max_size=6), st.booleans(), st.integers(0, 255), st.integers(0, 65535),
        st.integers(0, (1 << 32) - 1), moments,
    )  # fmt: skip
    return st.tuples(*(st.none() | each for each in values), st.lists(texts, min_size=1, max_size=3))


def written(path, groups, columns=COLUMNS):
    writer = Writer(path.open("wb"), columns)
    for group in groups:
        writer.write(group)
    writer.close()
    return duckdb.sql(f"SELECT * FROM read_parquet('{path}')")  # noqa: S608


@given(st.lists(st.lists(rows(), min_size=1, max_size=20), max_size=3), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, groups, repeats):
    path = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    groups = [group * repeats for group in groups]
    found = written(path, [[row_of(values) for values in group] for group in groups])
    assert dict(zip(found.columns, map(str, found.types), strict=True)) == COLUMNS
    assert found.fetchall() == [values for group in groups for values in group]


@pytest.mark.parametrize("distinct", [1, 2, 255, 256, 257, 65536, 65537])
def test_dictionaries_of_every_width(tmp_path, distinct):
    values = [f"{n % distinct}" for n in range(2 * distinct + 1)]
    found = written(tmp_path / "x", [[SimpleNamespace(text=each) for each in values]], {"text": "VARCHAR"})
    assert [text for (text,) in found.fetchall()] == values


def test_absent_everywhere(tmp_path):
    found = written(tmp_path / "x", [[SimpleNamespace(text=None)] * 3], {"text": "VARCHAR"})
    assert found.fetchall() == [(None,)] * 3


def test_half_a_character_is_replaced(tmp_path):
    found = written(tmp_path / "x", [[SimpleNamespace(text="a\udc80b")]], {"text": "VARCHAR"})
    assert found.fetchall() == [("a?b",)]


def test_a_number_that_does_not_fit_is_refused(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        writer = Writer(file, {"large": "UINTEGER"})
        with pytest.raises(ValueError, match="does not fit"):
            writer.write([SimpleNamespace(large=1 << 32)])


def test_every_page_is_as_the_database_itself_says(tmp_path):
    written(
        tmp_path / "x",
        [[SimpleNamespace(text="same")] * 9, [SimpleNamespace(text="other")]],
        {"text": "VARCHAR"},
    )
    about = duckdb.sql(
        "SELECT row_group_num_rows, num_values, compression, encodings"  # noqa: S608
        f" FROM parquet_metadata('{tmp_path / 'x'}')"
    ).fetchall()
    assert [each[:3] for each in about] == [(9, 9, "ZSTD"), (1, 1, "ZSTD")]
