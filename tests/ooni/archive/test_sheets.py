"""Columns that are exchanged in Parquet files, read again by a reader that is not ours."""

import random
from datetime import datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.ooni.archive import sheets
from kzmitm.ooni.archive.sheets import Assembly, SheetWriter, write_sheet

FIXED = {"n": "UINTEGER", "at": "TIMESTAMP", "told": "VARCHAR", "flag": "BOOLEAN", "small": "UTINYINT"}
KEYED = {"verdict": "VARCHAR", "count": "USMALLINT", "outside": "BOOLEAN"}
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (Parquet's times have no zone)


def read(path):
    with duckdb.connect() as connection:
        kinds = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM '{path}'").fetchall()}
        return kinds, connection.execute(f"FROM '{path}'").fetchall()


def written(path, rows, keys, pages):
    """The groups of a file with what is fixed."""
    groups = []
    with path.open("wb") as file:
        writer = SheetWriter(file, FIXED, ("key", "other"), plain=("at",))
        for begin in range(0, len(rows), pages):
            some, keyed = rows[begin : begin + pages], keys[begin : begin + pages]
            groups += writer.write(list(zip(*some, strict=True)), list(zip(*keyed, strict=True)))
        groups += writer.end()
    return groups


def assembled(path, groups, of):
    """The file with the values that `of` gives for a key."""
    with path.open("ab") as file:
        assembly = Assembly(file, {**FIXED, **KEYED, "other": "VARCHAR"})
        for group in groups:
            values = [of(key) for key in group.keyed["key"].keys]
            columns = {name: ("key", [value[place] for value in values]) for place, name in enumerate(KEYED)}
            columns["other"] = ("other", [f"other {key}" for key in group.keyed["other"].keys])
            assembly.add(group, columns)
        assembly.close()


def expected(rows, keys, of):
    return [
        (n, None if at is None else EPOCH + timedelta(microseconds=at), told, flag, small, *of(key),
         None if other is None else f"other {other}")
        for (n, at, told, flag, small), (key, other) in zip(rows, keys, strict=True)
    ]  # fmt: skip


ROWS = st.tuples(
    st.integers(0, (1 << 32) - 1),
    st.none() | st.integers(0, 1 << 52),
    st.none() | st.text(max_size=5).filter(lambda text: text.isprintable()) | st.sampled_from(["", "a"]),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 255),
)
KEYS = st.tuples(st.tuples(st.integers(0, 3), st.just("x")), st.none() | st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ROWS, KEYS), max_size=40), st.integers(1, 17))
def test_every_row_comes_back_with_the_values_of_its_key(tmp_path_factory, told, pages):
    rows, keys = [row for row, _ in told], [key for _, key in told]
    path = tmp_path_factory.mktemp("sheet") / "rows.parquet"
    groups = written(path, rows, keys, pages)
    fixed = path.read_bytes()
    for of in (
        lambda key: (f"verdict {key[0]}", key[0], key[0] == 2),
        lambda _: ("the same for all", 7, False),
        lambda key: ("", key[0] * 1000, True),
    ):
        path.write_bytes(fixed)
        assembled(path, groups, of)
        kinds, found = read(path)
        assert kinds == {**FIXED, **KEYED, "other": "VARCHAR"}
        assert found == expected(rows, keys, of)


@pytest.mark.parametrize(("distinct", "most"), [(3, 8192), (40, 20), (300, 8192), (70_000, 1 << 20)])
def test_many_pages_many_groups_and_dictionaries_that_overflow(tmp_path, monkeypatch, distinct, most):
    monkeypatch.setattr(sheets, "GROUP_PAGES", 3)
    monkeypatch.setattr(sheets, "MAX_DICTIONARY", most)
    drawn = random.Random(distinct)
    count = 80_000 if distinct > 1000 else 2_000
    rows = [(n, n, f"text {drawn.randrange(distinct)}", n % 3 == 0, n % 200) for n in range(count)]
    keys = [((drawn.randrange(distinct), "x"), None if n % 5 else n % 4) for n in range(count)]
    path = tmp_path / "rows.parquet"
    groups = written(path, rows, keys, count // 10)

    def of(key):
        return f"verdict {key[0] % 10}", key[0] % 100, key[0] % 7 == 0

    assert len(groups) == 4
    assembled(path, groups, of)
    assert read(path)[1] == expected(rows, keys, of)


def test_a_sheet_of_nothing_has_its_columns(tmp_path):
    write_sheet(tmp_path / "none.parquet", {"share": "DOUBLE", **FIXED}, iter(()))
    assert read(tmp_path / "none.parquet") == ({"share": "DOUBLE", **FIXED}, [])


def test_a_sheet_of_which_nothing_is_exchanged(tmp_path):
    rows = [(n / 3 if n % 2 else None, n, f"é{n}") for n in range(5_000)]
    write_sheet(tmp_path / "some.parquet", {"share": "DOUBLE", "n": "UINTEGER", "name": "VARCHAR"}, rows)
    assert read(tmp_path / "some.parquet")[1] == rows
