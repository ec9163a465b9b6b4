"""One of a thing is told as one, in every line that counts."""

import pytest

from kzmitm.report import counts
from kzmitm.report.archive import findings_lines

SEEN = {"first_seen": "2021-05-01T00:00:00Z", "last_seen": "2021-05-02T00:00:00Z"}


def archive(n):
    """The findings in an archive, in which everything was met so many times."""
    row = {"authority_name": "Somebody", "match": "key", "sightings": n, "domains": n, "networks": n}
    told = {
        "certificates": n, "known_roots": n, "certificates_of_unknown_root": 0, "sightings": n,
        "domain_names": [], "asns": [], "outside_validity": 0,
    }  # fmt: skip
    return {
        "interception": {"sightings": n, "measurements": n, "domains": n, "networks": n},
        "counts": {"measurements": n},
        "outcomes": {},
        "authorities": [row | SEEN],
        "attributed": told,
        "share_of_users": None,
        "certificates": [],
        "read": {"measurements": n, "handshakes": n, "files": n, "octets": 1, "bad": 0},
    }


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (
            1,
            (
                "INTERCEPTION in 1 of 1 measurement: 1 domain, 1 network.",
                "  Somebody, told by its key: 1 handshake, 1 domain, 1 network, 2021-05-01 … 2021-05-02",
                "Attributed: 1 certificate, under 1 known root; the root of 0 is not known.",
                "Read: 1 measurement, 1 handshake, 1 file, 0.0 MB.",
            ),
        ),
        (
            2,
            (
                "INTERCEPTION in 2 of 2 measurements: 2 domains, 2 networks.",
                "  Somebody, told by its key: 2 handshakes, 2 domains, 2 networks, 2021-05-01 … 2021-05-02",
                "Attributed: 2 certificates, under 2 known roots; the root of 0 is not known.",
                "Read: 2 measurements, 2 handshakes, 2 files, 0.0 MB.",
            ),
        ),
    ],
)
def test_the_summary_of_an_archive(n, said):
    lines = [f"{line.lead}{line.text}" for line in findings_lines(archive(n), kept=None)]
    assert [line for line in lines if line in said] == list(said)


@pytest.mark.parametrize(
    ("count", "one", "many"),
    [
        (counts.domains, "1 domain", "2 domains"),
        (counts.networks, "1 network", "2 networks"),
        (counts.handshakes, "1 handshake", "2 handshakes"),
        (counts.measurements, "1 measurement", "2 measurements"),
        (counts.files, "1 file", "2 files"),
        (counts.targets, "1 target", "2 targets"),
        (counts.rounds, "1 round", "2 rounds"),
    ],
)
def test_counts(count, one, many):
    assert (count(1), count(2)) == (one, many)
