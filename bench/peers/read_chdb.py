"""chDB (ClickHouse in a process): the certificates of every handshake, counted, on one thread.

.venv-archive-bench/bin/python bench/peers/read_chdb.py FOLDER
"""

import sys

import chdb

QUERY = """
SELECT count(), sum(length(certificates)), uniqExact(certificates) FROM (
  SELECT arrayJoin(JSONExtract(line, 'test_keys', 'tls_handshakes',
                               'Array(Tuple(peer_certificates Array(Tuple(data String))))')).1 AS certificates
  FROM file('{folder}/**/*.gz', 'LineAsString')
) SETTINGS max_threads = 1
"""


def main() -> None:
    print(chdb.query(QUERY.format(folder=sys.argv[1])), file=sys.stderr)


if __name__ == "__main__":
    main()
