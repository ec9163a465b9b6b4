"""DuckDB: the certificates of every handshake, counted, on one thread.

    python bench/peers/read_duckdb.py FOLDER [typed|path]

`typed` is read_json with the type of the column, as one would write it; `path` takes it out of whole lines by
a JSON path, which is four times as fast with DuckDB 2.0.
"""

import sys

import duckdb

QUERIES = {
    "typed": """
        SELECT count(*), sum(len(certificates)), count(DISTINCT certificates) FROM (
          SELECT unnest(test_keys.tls_handshakes).peer_certificates AS certificates
          FROM read_json($files, format = 'newline_delimited', ignore_errors = true, columns = {
            'test_keys': 'STRUCT(tls_handshakes STRUCT(peer_certificates STRUCT(data VARCHAR)[])[])'}))
        """,
    "path": """
        SELECT count(*), sum(len(certificates)), count(DISTINCT certificates) FROM (
          SELECT unnest(json_extract(json, '$.test_keys.tls_handshakes[*].peer_certificates'))::VARCHAR
            AS certificates
          FROM read_json_objects($files, format = 'newline_delimited', ignore_errors = true))
        """,
}


def main() -> None:
    folder, kind = sys.argv[1:]
    with duckdb.connect(config={"threads": 1}) as connection:
        print(connection.execute(QUERIES[kind], {"files": f"{folder}/**/*.gz"}).fetchall(), file=sys.stderr)


if __name__ == "__main__":
    main()
