"""Where each of OONI's experiments keeps its handshakes; one file each, found by the name of the test.

A module has `TESTS`, the names it answers to, and `handshakes(keys, options)`, which yields the df-006 rows
of `test_keys` (ordinary dictionaries, as they came) with the context that the row itself does not tell.
"""
