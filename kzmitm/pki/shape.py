"""The shape of a certificate: what its maker's template brings, whatever name it is for.

A hash of our own, described in docs/certificate-shape.md, so that anybody can compute it. Certificates of
one interceptor have one template; the part of the subject is that of the origin where subjects are copied.
"""

from collections.abc import Iterable
from hashlib import sha256

from kzmitm.model.certificate import Certificate, Name

PREFIX = "cs1"
"""Of the present version; another recipe would get another prefix."""
PART_DIGITS = 12
"""Hexadecimal digits of each hashed part: 48 bits, enough to tell the templates of the world apart."""


def certificate_shape(certificate: Certificate) -> str | None:
    """`cs1_<key>_<template>_<issuer>_<subject>`; None for what could not be read whole."""
    key = certificate.public_key
    if certificate.parse_error is not None or key is None:
        return None
    kind = str(key) if key.exponent is None else f"{key}e{key.exponent}"
    parts = (template_text(certificate), _types(certificate.issuer), _types(certificate.subject))
    return "_".join((PREFIX, kind, *map(_digest, parts)))


def template_text(certificate: Certificate) -> str:
    """`version;signature algorithm;extensions`, each extension by its OID, with `!` before a critical one."""
    extensions = (f"{'!' if critical else ''}{oid}" for oid, critical in certificate.extensions)
    return f"{certificate.version};{certificate.signature_algorithm};{_joined(extensions)}"


def _types(name: Name) -> str:
    return _joined(attribute.oid for attribute in name.attributes)


def _joined(oids: Iterable[str]) -> str:
    return ",".join(oids)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:PART_DIGITS]
