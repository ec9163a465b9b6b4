"""What a scan that is not saved keeps in memory for its document."""

import tracemalloc

from kzmitm.cli.results import SqueezedRows


def test_rows_come_back_in_their_order_with_what_replaced_them():
    rows = SqueezedRows()
    written = [b'{"target":"h%d.test"}' % number for number in range(20_000)]
    for row in written:
        rows.append(row)
    for place in (0, 7_777, 19_999):
        written[place] = b'{"target":"another"}'
        rows.replace(place, written[place])
    assert list(rows) == written
    assert list(SqueezedRows()) == []


def test_many_rows_are_held_in_little():
    rows = SqueezedRows()
    like = b'{"outcome":"clean","chain":[{"sha256":"%064x","subject":"CN=h.test"}],"explanation":"%s"}'
    tracemalloc.start()
    for number in range(20_000):
        rows.append(like % (number, b"the site proved who it is " * 30))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2 << 20
