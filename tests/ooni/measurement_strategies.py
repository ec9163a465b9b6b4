"""Any measurement that the model can hold, for properties; addresses only where addresses belong."""

import ipaddress
from datetime import UTC, datetime

from hypothesis import strategies as st

from kzmitm.model.failure import Failure, scrub
from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import (
    Alert,
    DNSAnswer,
    DNSObservation,
    Hello,
    NetworkEvent,
    Proof,
    ProofKind,
    Role,
    Split,
    TCPObservation,
    TLSObservation,
)
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.model.trace import Answer, Step, TraceMethod, TraceObservation, Walk, WalkKind

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = TEXT.filter(lambda text: scrub(text) == text)
OCTETS = st.binary(max_size=24)
PLAIN_OCTETS = OCTETS.filter(lambda octets: scrub(octets.decode("latin-1")) == octets.decode("latin-1"))
SECONDS = st.floats(0, 1e6)
FAILURES = st.none() | st.sampled_from([str(f) for f in Failure]) | TEXT.filter(bool)
IPS = st.ip_addresses().map(lambda ip: str(ipaddress.ip_address(int(ip)) if ip.version == 4 else ip))
ENDPOINTS = st.builds(Endpoint, IPS, st.integers(0, 65535))
IDS = st.integers(0, 2**40)

ANSWERS = st.builds(
    DNSAnswer,
    answer_type=st.sampled_from(["A", "AAAA", "CNAME", "HTTPS"]),
    ip=st.none() | IPS,
    hostname=st.none() | TEXT,
    ttl=st.none() | st.integers(0, 2**32),
)
DNS = st.builds(
    DNSObservation,
    hostname=TEXT,
    engine=st.sampled_from(["getaddrinfo", "udp", "doh"]),
    query_type=st.sampled_from(["ANY", "A", "AAAA"]),
    resolver_address=TEXT,
    answers=st.lists(ANSWERS, max_size=3).map(tuple),
    failure=FAILURES,
    rcode=st.none() | st.integers(0, 4095),
    t0=SECONDS,
    t=SECONDS,
)
TCP = st.builds(
    TCPObservation, endpoint=ENDPOINTS, failure=FAILURES, t0=SECONDS, t=SECONDS, transaction_id=IDS
)
PROOFS = st.builds(
    Proof,
    kind=st.sampled_from(ProofKind),
    scheme=st.integers(0, 65535),
    signature=OCTETS,
    signed=OCTETS,
    client_random=OCTETS,
    server_random=OCTETS,
    verified=st.none() | st.booleans(),
    transcript=OCTETS,
)
EVENTS = st.builds(
    NetworkEvent,
    operation=st.sampled_from(["connect", "read", "write", "record_handshake"]) | TEXT,
    t=SECONDS,
    num_bytes=st.integers(0, 2**40),
    failure=FAILURES,
)
HELLOS = st.builds(Hello, profile=TEXT, engine=TEXT, size=st.integers(0, 9999), split=st.sampled_from(Split))
TLS = st.builds(
    TLSObservation,
    endpoint=ENDPOINTS,
    sni=st.none() | TEXT | IPS,
    hello=HELLOS,
    role=st.sampled_from(Role),
    version=TEXT,
    cipher_suite=TEXT,
    alpn=TEXT,
    presented_chain=st.lists(OCTETS, max_size=4).map(tuple),
    chain_truncated=st.booleans(),
    alerts=st.lists(
        st.builds(Alert, st.integers(0, 255), st.integers(0, 255), st.booleans()), max_size=3
    ).map(tuple),
    failure=FAILURES,
    detail=WORDS,
    events=st.lists(EVENTS, max_size=4).map(tuple),
    proof=st.none() | PROOFS,
    client_certificate_requested=st.booleans(),
    server_extensions=st.lists(st.integers(0, 65535), max_size=3).map(tuple),
    ocsp_staple=OCTETS,
    first_bytes=PLAIN_OCTETS,
    t0=SECONDS,
    t=SECONDS,
    transaction_id=IDS,
    vantage_id=TEXT,
)
TARGETS = st.builds(
    Target,
    hostname=TEXT | IPS,
    port=st.integers(0, 65535),
    sni=st.none() | TEXT.filter(lambda sni: sni != "\0"),
    address=st.none() | IPS,
)
LOCAL_TRUST = st.builds(
    LocalTrust,
    leaf_sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    accepted=st.none() | st.booleans(),
    root=st.binary(max_size=40),
    root_class=TEXT,
    origins=st.lists(TEXT, max_size=2).map(tuple),
    applications=st.lists(TEXT, max_size=2).map(tuple),
    stores_read=st.integers(0, 99),
)
STEPS = st.builds(
    Step,
    ttl=st.integers(0, 255),
    flow=st.integers(0, 65535),
    answer=st.sampled_from(Answer),
    address=st.none() | IPS,
    reply_ttl=st.none() | st.integers(0, 255),
    quoted_ttl=st.none() | st.integers(0, 255),
    opened_ttl=st.none() | st.integers(0, 255),
    failure=FAILURES,
    tls=st.none() | TLS,
    t0=SECONDS,
    t=SECONDS,
)
WALKS = st.builds(
    Walk,
    kind=st.sampled_from(WalkKind),
    port=st.integers(0, 65535),
    name=st.none() | TEXT,
    steps=st.lists(STEPS, max_size=2).map(tuple),
)
TRACES = st.builds(
    TraceObservation,
    endpoint=ENDPOINTS,
    method=st.sampled_from(TraceMethod),
    walks=st.lists(WALKS, max_size=2).map(tuple),
    is_on_link=st.booleans(),
    is_complete=st.booleans(),
    t0=SECONDS,
    t=SECONDS,
)
MEASUREMENTS = st.builds(
    Measurement,
    target=TARGETS,
    vantage=st.builds(Vantage, TEXT, TEXT, TEXT, TEXT, TEXT),
    started_at=st.datetimes(
        min_value=datetime(1000, 1, 1),  # noqa: DTZ001 (the strategy adds the zone)
        timezones=st.just(UTC),
    ),
    dns=st.lists(DNS, max_size=2).map(tuple),
    tcp=st.lists(TCP, max_size=2).map(tuple),
    tls=st.lists(TLS, max_size=3).map(tuple),
    clock_offset_s=st.none() | st.floats(-1e9, 1e9),
    runtime_s=SECONDS,
    software_version=TEXT,
    local_trust=st.none() | LOCAL_TRUST,
    trace=st.lists(TRACES, max_size=1).map(tuple),
)
