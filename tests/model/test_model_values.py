"""What the values derive from their own fields."""

from datetime import UTC, datetime

from kzmitm.model.certificate import Certificate, Name, NameAttribute, PublicKey
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSAnswer, DNSObservation, Hello, Role, TLSObservation
from kzmitm.model.target import Endpoint, Target, Vantage

NAME = Name(
    b"\x30",
    (
        NameAttribute("2.5.4.6", "KZ"),
        NameAttribute("2.5.4.10", "ISCA"),
        NameAttribute("2.5.4.3", "first"),
        NameAttribute("2.5.4.3", "second"),
        NameAttribute("1.2.3", "x"),
    ),
)


def handshake(role=Role.FIRST, chain=(), number=1):
    return TLSObservation(
        endpoint=Endpoint("192.0.2.1", 443),
        sni="a.test",
        hello=Hello("small"),
        role=role,
        presented_chain=chain,
        transaction_id=number,
    )


def measurement(*tls: TLSObservation):
    return Measurement(
        target=Target("a.test"), vantage=Vantage(), started_at=datetime(2026, 1, 1, tzinfo=UTC), tls=tls
    )


def test_names():
    assert (NAME.common_name, NAME.organization, NAME.country) == ("first", "ISCA", "KZ")
    assert NAME.first("2.5.4.7") is None
    assert str(NAME) == "C=KZ, O=ISCA, CN=first, CN=second, 1.2.3=x"


def test_keys():
    rsa = PublicKey(kind="rsa", bits=2048, spki_sha256="a", exponent=3)
    assert [
        str(rsa),
        str(PublicKey(kind="ec", bits=256, spki_sha256="", curve="secp256r1")),
        str(PublicKey(kind="ec", bits=0, spki_sha256="")),
        str(PublicKey(kind="ed25519", bits=256, spki_sha256="")),
    ] == ["rsa2048", "secp256r1", "ec", "ed25519"]


def test_certificates():
    bare = Certificate(der=b"", sha256="", sha1="")
    assert bare.is_self_issued
    assert bare.spki_sha256 is None
    named = Certificate(
        der=b"", sha256="", sha1="", subject=NAME, public_key=PublicKey(kind="rsa", bits=1, spki_sha256="a")
    )
    assert not named.is_self_issued
    assert named.spki_sha256 == "a"


def test_the_handshake_that_the_verdict_is_about():
    dead, alive = handshake(number=1), handshake(number=2, chain=(b"x",))
    follow_up = handshake(Role.REPEAT, chain=(b"y",))
    assert measurement().first is None
    assert measurement(follow_up).first is None
    assert measurement(dead, follow_up).first is dead
    assert measurement(follow_up, dead, alive).first is alive


def test_addresses_of_a_lookup():
    answers = (
        DNSAnswer(answer_type="CNAME", hostname="b.test"),
        DNSAnswer(answer_type="A", ip="192.0.2.1"),
        DNSAnswer(answer_type="AAAA", ip="2001:db8::1"),
    )
    lookup = DNSObservation(hostname="a.test", engine="udp", query_type="A", answers=answers)
    assert lookup.ips == ("192.0.2.1", "2001:db8::1")
