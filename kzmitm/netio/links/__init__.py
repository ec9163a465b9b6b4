"""Kinds of vantages, a module each, found by the scheme of their URI.

A module has `FORM` (how its URI is written), `NAMES_RESOLVED` (where names become addresses) and
`open_link(rest, vantage)`, which raises `AddressError` for what cannot be read and `UsageError` for what
does not exist here; `rest` stands between the scheme's colon and the fragment. Modules with an underscore
are shared by several kinds.
"""
