"""`kzmitm ooni query`: SQL that reads one analysis and nothing else; text of strangers stays text."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni.actions import query
from kzmitm.evidence.schema import schema_text

sys.path.insert(0, str(Path(__file__).parents[1] / "ooni" / "archive"))

from judged_corpora import TABLES, analysis, every_situation, grounds_beside, write_grounds

SCHEMA = Draft202012Validator(json.loads(schema_text("query")))
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\t\r\n\x9b31m<b>[red]"


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """An analysis; one network calls itself what no terminal should see."""
    folder = tmp_path_factory.mktemp("findings")
    documents = [document for document, _ in every_situation(4, eras=("v05",))]
    documents[0].update(probe_network_name=HOSTILE, probe_asn="AS64500", software_name=HOSTILE)
    analysis(documents, folder, grounds_beside(write_grounds(folder / "beside", 4)))
    return folder


@pytest.fixture
def ask(kzmitm, findings):
    def run(sql, *words):
        return kzmitm("ooni", "query", "--from", findings, *words, sql)

    return run


@pytest.fixture
def values(ask):
    """The rows as JSON has them."""

    def run(sql):
        ended = ask(sql, "--json")
        assert (ended.code, ended.err) == (Exit.OK, "")
        assert "NaN" not in ended.out
        SCHEMA.validate(ended.json)
        return ended.json["rows"]

    return run


@pytest.mark.parametrize(
    "name", [*TABLES, "handshakes", "measurements", "interceptions", "certificate_facts"]
)
def test_every_table_can_be_asked(ask, values, name):
    assert values(f"SELECT count(*) >= 0 FROM {name}") == [[True]]  # noqa: S608
    rows = ask(f"SELECT * FROM {name} LIMIT 2")  # noqa: S608
    assert rows.code == Exit.OK
    assert {line.count("\t") for line in rows.out.splitlines()} == {rows.out.splitlines()[0].count("\t")}


def test_what_there_is(values):
    assert {"handshakes", "measurements", "interceptions", *TABLES} <= {
        row[0] for row in values("SHOW TABLES")
    }
    assert ["uid", "VARCHAR"] in [row[:2] for row in values("DESCRIBE measurements")]


def test_the_example_of_the_help(ask):
    assert ask(query.EPILOG.rpartition("'")[0].rpartition("'")[2]).code == Exit.OK


def test_a_query_from_stdin(kzmitm, findings, monkeypatch):
    octets = b"\xef\xbb\xbfCREATE TABLE t AS SELECT 7 AS n;\r\nSELECT n FROM t"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
    assert kzmitm("ooni", "query", "--from", findings, "-").out == "n\n7\n"


@pytest.mark.parametrize("where", ["stdin", "words"])
def test_a_query_that_is_no_text(kzmitm, findings, monkeypatch, where):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"SELECT '\xff'")))
    ended = kzmitm("ooni", "query", "--from", findings, "-" if where == "stdin" else "SELECT '\udcff'")
    assert (ended.code, ended.out, ended.err) == (Exit.USAGE, "", "kzmitm: the query is not UTF-8\n")


def test_none_is_nothing_and_values_stand_between_tabs(ask):
    assert ask("SELECT NULL AS a, 1.5 AS b, 'x y' AS c, true AS d").out == "a\tb\tc\td\n\t1.5\tx y\tTrue\n"


def test_no_rows(ask, values):
    assert ask("SELECT 1 AS a WHERE false").out == "a\n"
    assert values("SELECT 1 AS a WHERE false") == []


def test_more_rows_than_are_held_at_once(ask):
    assert len(ask("SELECT * FROM range(2500)").out.splitlines()) == 2501


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("NULL", None),
        ("true", True),
        ("'ё\x1b'", "ё\x1b"),
        ("170141183460469231731687303715884105727", 2**127 - 1),
        ("18446744073709551615::UBIGINT", 2**64 - 1),
        ("1.5", "1.5"),
        ("1.5::DOUBLE", 1.5),
        ("'nan'::DOUBLE", "nan"),
        ("'-infinity'::DOUBLE", "-inf"),
        ("TIMESTAMP '2024-02-29 01:02:03'", "2024-02-29T01:02:03"),
        ("TIMESTAMPTZ '2024-02-29 01:02:03+05'", "2024-02-28T20:02:03+00:00"),
        ("DATE '2024-02-29'", "2024-02-29"),
        ("TIME '01:02:03'", "01:02:03"),
        ("INTERVAL 1 DAY", "1 day, 0:00:00"),
        ("'\\xAA\\x00'::BLOB", "qgA="),
        ("[1, NULL, 3]", [1, None, 3]),
        ("[['a'], []]", [["a"], []]),
        ("[1, 2]::INTEGER[2]", [1, 2]),
        ("{'a': 1, 'b': [DATE '2024-01-01']}", {"a": 1, "b": ["2024-01-01"]}),
        ("MAP {1: 'x'}", {"1": "x"}),
        ("'6d3d2541-0d5a-4a5b-8b4c-1d3f3c0a3f0e'::UUID", "6d3d2541-0d5a-4a5b-8b4c-1d3f3c0a3f0e"),
        ("['nan'::DOUBLE]", ["nan"]),
    ],
)  # fmt: skip
def test_values_as_json_has_them(values, ask, sql, value):
    assert values(f"SELECT {sql} AS v") == [[value]]
    assert ask(f"SELECT {sql} AS v").code == Exit.OK


OUTSIDE = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_text('{folder}/../secret')",
    "SELECT * FROM read_text('{folder}/extract/../../secret')",
    "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
    "SELECT * FROM read_text('s3://bucket/x')",
    "SELECT getenv('HOME')",
    "SELECT * FROM sql",
    "SELECT * FROM connection",
    "CREATE TABLE t AS SELECT * FROM read_text('/etc/passwd')",
    "CREATE SECRET s (TYPE http)",
]
WRITING = [
    "COPY (SELECT 1) TO '{outside}'",
    "COPY (SELECT 1) TO '{folder}/x.csv'",
    "COPY (SELECT 1 AS uid) TO '{folder}/verdicts/measurements.parquet' (FORMAT parquet)",
    "COPY (PIVOT (SELECT 1 a) ON a USING count(*)) TO '{folder}/x.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/x.csv'",
    "PREPARE p AS COPY (SELECT 1) TO '{folder}/x.csv'",
    "SELECT 1; COPY (SELECT 1) TO '{folder}/x.csv'",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{folder}/x.csv''')",
    "EXPORT DATABASE '{folder}/x'",
    "EXPORT DATABASE '{outside}'",
    "ATTACH '{folder}/x.db'",
    "ATTACH '{outside}'",
    "CHECKPOINT",
    "VACUUM",
]
SETTING = [
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET threads = 64",
    "SET temp_directory = '/tmp'",
    "PRAGMA enable_profiling",
    "PRAGMA threads=4",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "CALL pragma_version()",
    "USE memory",
]
WRONG = [
    "SELEC 1",
    "SELECT * FROM nowhere",
    "SELECT 1 / 'x'",
    "SELECT error('\x1b[2J')",
    "'",
    "SELECT (" * 999,
]
NOTHING = [";", "-- a remark", " "]


@pytest.mark.parametrize("sql", [*OUTSIDE, *WRITING, *SETTING, *WRONG, *NOTHING])
def test_what_a_query_may_not(ask, findings, tmp_path, sql):
    def octets():
        return {path: path.read_bytes() for path in findings.rglob("*") if path.is_file()}

    (findings.parent / "secret").write_text("secret")
    before = octets()
    sql = sql.format(folder=findings, outside=tmp_path / "outside")
    ended = ask(sql, *["--json"] * (len(sql) % 2))
    assert (ended.code, ended.out) == (Exit.USAGE, ""), ended
    assert ended.err.startswith("kzmitm: ")
    assert ended.err.count("\n") == 1
    assert not {"\x1b", "\r"} & set(ended.err)
    assert len(ended.err) < 500
    assert octets() == before
    assert not (tmp_path / "outside").exists()
    assert sorted(path.name for path in findings.iterdir()) == [
        "beside",
        "extract",
        "index",
        "read",
        "tables",
        "verdicts",
    ]


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nothing", "SELECT 'x'::INTEGER", OUTSIDE[0]])
def test_a_mistake_in_a_query_is_no_fault_of_a_file(ask, sql):
    ended = ask(sql)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert "Error: " in ended.err
    assert "altered" not in ended.err


def test_a_query_has_limits(values):
    settings = "'memory_limit', 'max_temp_directory_size', 'temp_directory'"
    found = values(f"SELECT name, value FROM duckdb_settings() WHERE name IN ({settings})")  # noqa: S608
    told = dict(found)
    assert told["memory_limit"] == "953.6 MiB"
    assert told["max_temp_directory_size"] == "14.9 GiB"
    assert told["temp_directory"] == f"{tempfile.gettempdir()}/kzmitm-query-{os.getpid()}"


def test_files_of_the_analysis_can_be_read(values, findings):
    sql = f"SELECT count(*) FROM read_parquet('{findings}/extract/*/handshakes-*.parquet')"  # noqa: S608
    assert values(sql) == values("SELECT count(*) FROM handshakes")


def test_tables_of_ones_own_are_gone_with_the_command(ask, values):
    assert values(
        "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (7); UPDATE t SET a = 8; SELECT a FROM t"
    ) == [[8]]
    assert ask("SELECT * FROM t").code == Exit.USAGE


def test_hostile_text_reaches_no_terminal(ask, values):
    sql = 'SELECT operator, operator AS "a\x1b[2J" FROM networks WHERE asn = 64500'
    ended = ask(sql)
    assert ended.code == Exit.OK
    assert not {"\x1b", "\x07", "\u202e", "\x9b", "\r"} & set(ended.out)
    assert ended.out.count("\n") == 2, "a row is a line"
    assert [line.count("\t") for line in ended.out.splitlines()] == [1, 1]
    assert values(sql) == [[HOSTILE, HOSTILE]]
    assert ask(sql, "--json").out.isascii()


def test_hostile_text_on_a_terminal(terminal, findings):
    code, seen = terminal(
        "ooni", "query", "--from", findings, "SELECT operator, asn FROM networks WHERE asn = 64500"
    )
    assert code == Exit.OK
    for each in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e", "\x9b"):
        assert each not in seen
    assert "\\x1b[2J" in seen.replace("\n", "")
    assert "<b>[red]" in seen.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("form", ["nowhere", "empty", "file"])
def test_where_no_analysis_is(kzmitm, tmp_path, form):
    folder = tmp_path / form
    if form == "empty":
        folder.mkdir()
    elif form == "file":
        folder.write_text("")
    ended = kzmitm("ooni", "query", "--from", folder, "SELECT 1")
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert "no analysis is there" in ended.err


def test_half_an_analysis(kzmitm, tmp_path):
    (tmp_path / "verdicts").mkdir()
    ended = kzmitm("ooni", "query", "--from", tmp_path, "SELECT 1")
    assert (ended.code, ended.err.count("\n")) == (Exit.USAGE, 1)


@pytest.mark.parametrize(
    "words", [(), ("SELECT 1",), ("--from", "x"), ("--from", "", "SELECT 1"), ("--from", "x", "")]
)
def test_words_that_are_missing(kzmitm, words):
    ended = kzmitm("ooni", "query", *words)
    assert (ended.code, ended.out) == (Exit.USAGE, "")


def test_ctrl_c_ends_a_long_query_at_once(findings):
    long = (
        "SELECT count(*) FROM range(99999) a, range(99999) b, range(999) c WHERE a.range + b.range = c.range"
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "kzmitm", "ooni", "query", "--from", findings, long],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    threads = Path(f"/proc/{child.pid}/task")
    until = time.monotonic() + 20
    while len(list(threads.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=30) == (b"", b"kzmitm: stopped\n")
    assert child.returncode == Exit.UNDECIDED
    assert time.monotonic() - began < 5


def test_a_reader_that_goes_away(findings):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "kzmitm", "ooni", "query", "--from", findings, "SELECT * FROM range(100000)"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=30,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (Exit.UNDECIDED, b"")
