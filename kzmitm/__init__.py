"""A TLS interception and root-certificate scanner."""

__version__ = "0.1.0"
