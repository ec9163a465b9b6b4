"""Databases of NSS: as certutil reads them, in both formats, and whatever a stranger made of them."""

import os
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nss_support import (
    CERTUTIL,
    MIXED_FLAGS,
    QAZNET,
    Database,
    certificate,
    flags_of,
    linux,
    mixed,
    needs_certutil,
    needs_shared,
    rewrite_as_new,
    shared_der,
)

from kzmitm.roots import sqlite_tables
from kzmitm.roots.nss import Level, read_certificates, stored_root
from kzmitm.roots.sqlite_tables import read_copy
from kzmitm.roots.values import Origin, Purpose, Trust

LETTERS = ("", "C", "P", "p", "T", "c", "CT", "pC", "Tc", "Cu", "uP", "TP", "pT")
CERTUTILS = [each for each in (CERTUTIL, os.environ.get("KZMITM_OTHER_CERTUTIL")) if each] or [None]
"""The second one, of another release of NSS, is for a test by hand."""
SEEDS = 1, 2


def flags(path: Path) -> dict[str, str]:
    found, problem = read_certificates(path)
    assert problem == ""
    return {each.nickname: flags_of(each) for each in found}


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "cert9.db"
    path.write_bytes(mixed())
    return path


@needs_certutil
@pytest.mark.parametrize("certutil", CERTUTILS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("password", ["", "Құпия сөз"], ids=["open", "password"])
def test_every_certificate_and_flag_is_as_certutil_says(tmp_path, seed, password, certutil):
    chosen = random.Random(seed)
    database = Database(tmp_path, password=password, certutil=certutil)
    entries = [
        (certificate(f"n{number}"), f"n{number}", ",".join(chosen.choice(LETTERS) for _ in range(3)))
        for number in range(8 if password else 32)
    ]
    database.add_all(entries)
    assert flags(database.path) == database.flags()
    found, _ = read_certificates(database.path)
    assert [each.der for each in found] == [der for der, _, _ in entries]
    for each in found[::4]:
        assert each.der == database.der(each.nickname)


@needs_certutil
@pytest.mark.parametrize("letter", ["", "C", "P", "p", "T", "c", "CT", "pC"])
def test_a_root_is_trusted_where_certutil_lets_a_chain_end(tmp_path, letter):
    database = Database(tmp_path)
    database.add(certificate("root"), "root", f"{letter},,")
    database.add(certificate("leaf", issuer="root", ca=False), "leaf", ",,")
    verdict = database.run("-V", "-n", "leaf", "-u", "V", check=False)
    root = next(each for each in read_certificates(database.path)[0] if each.nickname == "root")
    trust = stored_root(root, origin=Origin.USER).trust
    assert (trust is Trust.TRUSTED) == (b"certificate is valid" in verdict), verdict
    assert (trust is Trust.DISTRUSTED) == (letter == "p")


@needs_certutil
def test_new_trust_objects_say_the_same_as_old_ones(tmp_path):
    """Old ones, rewritten by hand after the code of NSS 3.114; real new ones are in the next test."""
    database = Database(tmp_path)
    names = [f"{one}.{two}" for one in LETTERS for two in ("", "C", "p")]
    database.add_all([(certificate(name), name, name.replace(".", ",") + ",") for name in names])
    old = flags(database.path)
    rewrite_as_new(database.path)
    # There is no new value for `c`: it becomes "as good as its chain".
    assert flags(database.path) == {name: said.replace("c", "") for name, said in old.items()}


def test_a_database_of_old_and_new_objects_is_as_its_newest_certutil_says(small):
    """Made by 3.87 and changed by 3.132, which left the old objects of what it changed."""
    assert flags(small) == MIXED_FLAGS


@needs_certutil
def test_a_new_object_counts_beside_an_old_one(tmp_path):
    database = Database(tmp_path)
    database.add(certificate("one"), "one", "C,C,p")
    rewrite_as_new(database.path, keep_old=True)
    assert flags(database.path) == {"one": "p,p,C"}


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("a82", b"\2\1\7", "C,,"),  # found by the hash
        ("a81", None, "C,,"),
        ("a635", None, "C,,"),  # found by issuer and serial
        ("a635", b"\xa5\0\x5a", "C,,"),
        ("a635", bytes(32), ",,"),  # of another certificate
        ("a635", b"1", ",,"),
        ("a62c", b"\xa5\0\x5a", ",,"),
        ("a62c", b"\0\0\0\x09", ",,"),
        ("a62c", b"\2" * 1000, ",,"),
        ("a62c", "text", ",,"),
        ("a0", b"\0\0\0\x0c", ",,"),
    ],
)
def test_trust_objects_find_their_certificates(small, column, value, expected):
    der = next(each.der for each in read_certificates(small)[0] if each.nickname == "new-C")
    with closing(sqlite3.connect(small)) as connection, connection:
        changed = connection.execute(
            f"UPDATE nssPublic SET {column} = ? WHERE a0 = ?"  # noqa: S608
            " AND a82 = (SELECT a82 FROM nssPublic WHERE a11 = ?)",
            (value, b"\0\0\0\x0b", der),
        )
        assert changed.rowcount == 1
    assert flags(small)["new-C"] == expected


def test_roots_as_all_readers_tell_of_them(small):
    roots = {
        each.label: each
        for each in (stored_root(one, origin=Origin.USER) for one in read_certificates(small)[0])
    }
    trusted = {name for name, root in roots.items() if root.trust is Trust.TRUSTED}
    assert trusted == {"old-C", "p-then-CT", "new-C"}
    assert {name for name, root in roots.items() if root.trust is Trust.DISTRUSTED} == {
        "old-p",
        "C-then-p",
        "new-p",
    }
    assert roots["p-then-CT"].purposes == {Purpose.SERVER, Purpose.CLIENT}
    assert roots["C-then-p"].purposes == {Purpose.EMAIL}
    assert roots["new-mail"].purposes == {Purpose.EMAIL}
    assert roots["new-code"].purposes == {Purpose.CODE}
    assert roots["kept-P"].purposes == frozenset()


@needs_certutil
def test_a_name_of_any_characters(tmp_path):
    database = Database(tmp_path)
    database.add(certificate("x"), "Құпия \x1b[31m\u202e", "C,,")
    assert [each.nickname for each in read_certificates(database.path)[0]] == ["Құпия \x1b[31m\u202e"]


@needs_certutil
@needs_shared
def test_the_real_interception_root(tmp_path):
    database = Database(tmp_path)
    database.add(shared_der(QAZNET), "Qaznet", "C,,")
    (found,), problem = read_certificates(database.path)
    assert (found.der, found.levels[Purpose.SERVER], problem) == (shared_der(QAZNET), Level.ANCHOR, "")


# --- what a stranger, or a bad disk, makes of it ---


def read_octets(path: Path, octets: bytes):
    path.write_bytes(octets)
    return read_certificates(path)


def test_a_database_that_ends_early_gives_what_is_there(small):
    whole = {each.der: each for each in read_certificates(small)[0]}
    octets, most = small.read_bytes(), 0
    for size in (*range(0, 200, 7), *range(200, len(octets), 487)):
        found, problem = read_octets(small, octets[:size])
        assert problem
        assert {each.der for each in found} <= set(whole)
        most = max(most, len(found)) if size < len(octets) - 4096 else most
    assert most > 0


def test_broken_pages_take_no_other_page_with_them(small):
    whole = {each.der for each in read_certificates(small)[0]}
    octets, seen = small.read_bytes(), set()
    for page in range(4096, len(octets), 4096):
        found, _ = read_octets(small, octets[:page] + bytes(4096) + octets[page + 4096 :])
        assert {each.der for each in found} <= whole
        seen.add(len(found))
    assert any(0 < count < len(whole) for count in seen)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_octets_never_raise(tmp_path_factory, data):
    octets = bytearray(mixed())
    for _ in range(data.draw(st.integers(1, 12))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    found, problem = read_octets(tmp_path_factory.mktemp("damaged") / "cert9.db", bytes(octets))
    assert "\n" not in problem
    for each in found:
        stored_root(each, origin=Origin.USER)


@given(st.binary(max_size=5000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_random_octets_are_a_problem(tmp_path_factory, octets, headed):
    path = tmp_path_factory.mktemp("random") / "cert9.db"
    found, problem = read_octets(path, (mixed()[:100] if headed else b"") + octets)
    assert found == ()
    assert problem


def crafted(path: Path, *statements: str) -> Path:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return path


TABLE = "CREATE TABLE nssPublic (id PRIMARY KEY UNIQUE ON CONFLICT ABORT, a0, a3, a11, a81, a82)"
ONE = "INSERT INTO nssPublic VALUES (1, x'00000001', x'41', x'3000', x'31', x'32')"


def filled(count: int, der: str) -> str:
    """Many certificates, the octets of each an expression of SQL."""
    numbers = f"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT {count})"  # noqa: S608
    return f"INSERT INTO nssPublic (id, a0, a11) {numbers} SELECT x, x'00000001', {der} FROM c"  # noqa: S608


@pytest.mark.parametrize(
    ("statements", "count", "said"),
    [
        ([], 0, "no table nssPublic"),
        (["CREATE TABLE other (a0)"], 0, "no table nssPublic"),
        (["CREATE TABLE nssPublic (b, c)", "INSERT INTO nssPublic VALUES (1, 2)"], 0, ""),
        (["CREATE TABLE nssPublic (a0, a11)", "INSERT INTO nssPublic VALUES (x'00000001', x'3000')"], 1, ""),
        ([TABLE, ONE, "CREATE TRIGGER t AFTER INSERT ON nssPublic BEGIN DELETE FROM nssPublic; END"], 1, ""),
        (
            [
                TABLE.replace("nssPublic", "t"),
                ONE.replace("nssPublic", "t"),
                "CREATE VIEW nssPublic AS SELECT * FROM t",
            ],
            0,
            "no table nssPublic",
        ),
        (["CREATE TABLE nssPublic (a0 PRIMARY KEY, a11) WITHOUT ROWID"], 0, "rowid"),
        (["CREATE TABLE nssPublic (ROWID, a11)", "INSERT INTO nssPublic VALUES (x'00', x'00')"], 0, "rowid"),
        ([TABLE, ONE, "CREATE VIRTUAL TABLE v USING fts4(a)"], 0, "virtual table"),
        (
            [
                "CREATE TABLE nssPublic (id, a0 AS (x'00000001'), a11 AS (zeroblob(900000)))",
                "INSERT INTO nssPublic VALUES (1)",
            ],
            0,
            "",
        ),
        ([TABLE, ONE, "INSERT INTO nssPublic VALUES (2, 1, 'text', 'text', 2.5, NULL)"], 1, ""),
    ],
    ids=[
        "empty",
        "other",
        "no-columns",
        "few-columns",
        "trigger",
        "view",
        "no-rowid",
        "own-rowid",
        "virtual",
        "generated",
        "types",
    ],
)
def test_other_schemas(tmp_path, statements, count, said):
    found, problem = read_certificates(crafted(tmp_path / "cert9.db", *statements))
    assert len(found) == count
    assert said in problem if said else problem == ""


def test_a_schema_that_lies_about_a_view(tmp_path):
    """The list calls it a table with a page of its own; what is made of it is a view with endless work."""
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x AS a0, x AS a11 FROM c"
    path = crafted(tmp_path / "cert9.db", "CREATE TABLE t (a)", f"CREATE VIEW nssPublic AS {endless}")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET type='table', rootpage=2 WHERE name='nssPublic'")
    t0 = time.monotonic()
    found, problem = read_certificates(path)
    assert found == ()
    assert problem
    assert time.monotonic() - t0 < 2


@pytest.mark.untraced
def test_a_hundred_thousand_objects(tmp_path):
    path = crafted(tmp_path / "cert9.db", TABLE, filled(100_000, "CAST(printf('%06d', x) AS BLOB)"))
    t0 = time.monotonic()
    found, problem = read_certificates(path)
    assert len(found) == sqlite_tables.MAX_ROWS
    assert "only its first" in problem
    assert time.monotonic() - t0 < sqlite_tables.MAX_SECONDS + 2


def test_a_certificate_of_forty_mebibytes(tmp_path):
    path = crafted(
        tmp_path / "cert9.db", TABLE, ONE, ONE.replace("(1", "(2").replace("x'3000'", f"zeroblob({40 << 20})")
    )
    found, problem = read_certificates(path)
    assert [each.der for each in found] == [b"0\0"]
    assert problem == f"a value of {40 << 20} octets in entry 2 was not read"


def test_many_values_on_the_same_pages_do_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_tables, "MAX_STORE", 1 << 20)
    path = crafted(tmp_path / "cert9.db", TABLE, filled(30, "randomblob(100000)"))
    found, problem = read_certificates(path)
    assert len(found) == 11
    assert problem == "only its first 11 entries were read"


def test_time_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_tables, "MAX_SECONDS", -1.0)
    found, problem = read_certificates(crafted(tmp_path / "cert9.db", TABLE, ONE))
    assert len(found) <= 1
    assert problem


# --- changes that are not in the file yet ---


def into(root: Path, *files: Path) -> Path:
    (root / "db").mkdir(parents=True)
    for each in files:
        shutil.copy(each, root / "db")
    return root


@pytest.mark.parametrize("with_log", [True, False])
def test_a_write_ahead_log_is_read(tmp_path, with_log):
    path = crafted(tmp_path / "cert9.db", "PRAGMA journal_mode=WAL", TABLE)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        with writer:
            writer.execute(ONE)
        root = into(tmp_path / "root", path, *([Path(f"{path}-wal")] if with_log else []))
    found, problem = read_copy(linux(root), "/db/cert9.db", read_certificates)
    assert (len(found or ()), problem) == (int(with_log), "")
    assert sorted(each.name for each in (root / "db").iterdir()) == [
        "cert9.db",
        *(["cert9.db-wal"] if with_log else []),
    ]


def half_written(tmp_path: Path) -> tuple[Path, Path]:
    """A database with a change that was not finished, and the journal that takes it back."""
    path = crafted(tmp_path / "cert9.db", TABLE, ONE)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        for statement in ("PRAGMA cache_size=2", "PRAGMA cache_spill=1", "BEGIN"):
            writer.execute(statement)
        writer.execute("UPDATE nssPublic SET a11 = x'3001'")
        writer.execute("INSERT INTO nssPublic (id, a11) VALUES (9, zeroblob(200000))")
        kept = tmp_path / "kept"
        into(kept, path, Path(f"{path}-journal"))
    return kept / "db" / "cert9.db", kept / "db" / "cert9.db-journal"


def test_a_change_that_was_not_finished_is_taken_back(tmp_path):
    half_written(tmp_path)
    found, problem = read_copy(linux(tmp_path / "kept"), "/db/cert9.db", read_certificates)
    assert ([each.der for each in found or ()], problem) == ([b"0\0"], "")


def test_a_journal_cannot_have_other_files_deleted(tmp_path):
    """SQLite deletes the file that a journal names as that of a change to several databases."""
    victim = tmp_path / "diary.txt"
    victim.write_text("mine")
    _, journal = half_written(tmp_path)
    name = str(victim).encode()
    trailer = (1 << 30).to_bytes(4, "big"), name, len(name).to_bytes(4, "big"), sum(name).to_bytes(4, "big")
    page = (0x40000000 // 4096 + 1).to_bytes(4, "big")
    journal.write_bytes(
        journal.read_bytes() + page + b"".join(trailer[1:]) + bytes.fromhex("d9d505f920a163d7")
    )
    found, problem = read_copy(linux(tmp_path / "kept"), "/db/cert9.db", read_certificates)
    assert victim.read_text() == "mine"
    assert found is not None
    assert "was not taken into account" in problem


def test_a_log_that_cannot_be_read_leaves_the_database(tmp_path, small):
    root = into(tmp_path / "root", small)
    with (root / "db" / "cert9.db-wal").open("wb") as log:
        log.truncate(65 << 20)
    found, problem = read_copy(linux(root), "/db/cert9.db", read_certificates)
    assert len(found or ()) == len(MIXED_FLAGS)
    assert problem == "its last changes: larger than 64 MiB, so it was not read"


def test_files_that_are_no_files(tmp_path, small):
    root = into(tmp_path / "root")
    path = root / "db" / "cert9.db"
    os.mkfifo(path)
    assert read_copy(linux(root), "/db/cert9.db", read_certificates) == (None, "not a plain file")
    path.unlink()
    path.symlink_to("cert9.db")
    assert read_copy(linux(root), "/db/cert9.db", read_certificates)[0] is None
    path.unlink()
    path.symlink_to("/elsewhere/cert9.db")
    with pytest.raises(FileNotFoundError):
        read_copy(linux(root), "/db/cert9.db", read_certificates)
    (root / "elsewhere").mkdir()
    shutil.copy(small, root / "elsewhere")
    found, problem = read_copy(linux(root), "/db/cert9.db", read_certificates)
    assert (len(found or ()), problem) == (len(MIXED_FLAGS), "")
    with (root / "elsewhere" / "cert9.db").open("wb") as file:
        file.truncate(65 << 20)
    assert read_copy(linux(root), "/db/cert9.db", read_certificates)[1].startswith("larger than 64 MiB")
