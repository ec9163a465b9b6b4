"""Numbers of the TLS registries with their names, as data."""
