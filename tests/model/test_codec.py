from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.errors import BundleError
from kzmitm.model.codec import CodecError, _reader, from_json, parse_time, to_json
from kzmitm.model.measurement import ControlChain, ControlEntry
from kzmitm.model.observation import Alert, Proof, ProofKind, Role
from kzmitm.model.target import Target
from kzmitm.model.verdict import Authority, Cause, Outcome, RuledOut, Verdict

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """One field of every kind that the model has."""

    name: str
    octets: bytes = b""
    moment: datetime = NOON
    count: int = 0
    seconds: float = 0.0
    flag: bool = False
    role: Role = Role.FIRST
    pair: tuple[str, int] = ("", 0)
    many: tuple[Alert, ...] = ()
    usages: frozenset[str] | None = None
    proof: Proof | None = None


SAMPLES = st.builds(
    Sample,
    name=st.text(st.characters(exclude_categories=["Cs"])),
    octets=st.binary(),
    moment=st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)),  # noqa: DTZ001
    count=st.integers(),
    seconds=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    role=st.sampled_from(Role),
    pair=st.tuples(st.text("ab"), st.integers()),
    many=st.lists(st.builds(Alert, st.integers(), st.integers(), st.booleans())).map(tuple),
    usages=st.none() | st.frozensets(st.text("ab", max_size=2)),
    proof=st.none()
    | st.builds(
        Proof,
        st.sampled_from(ProofKind),
        st.integers(),
        *[st.binary(max_size=4)] * 4,
        st.none() | st.booleans(),
        st.binary(max_size=4),
    ),
)


def test_every_kind_is_read_by_a_reader_that_is_made_anew():
    _reader.cache_clear()
    proof = Proof(ProofKind.TLS13, 0x0403, b"a", b"b", b"c", b"d", None, b"e")
    sample = Sample(
        name="a",
        octets=b"\0",
        count=1,
        seconds=0.5,
        flag=True,
        pair=("b", 2),
        many=(Alert(2, 40, True),),  # noqa: FBT003
        usages=frozenset({"c"}),
        proof=proof,
    )
    assert from_json(Sample, to_json(sample)) == sample


@given(SAMPLES)
def test_nothing_is_lost(sample):
    assert from_json(Sample, to_json(sample)) == sample


@pytest.mark.parametrize(
    "value",
    [
        Target("a.test"),
        Target("a.test", sni=None),
        Verdict(
            outcome=Outcome.INTERCEPTION,
            confidence=None,
            authority=Authority("a", "b", "c", "key"),
            ruled_out=(RuledOut(Cause.CLOCK, "x"),),
        ),
        ControlEntry(hostname="a", chains=(ControlChain(chain=(b"x",), seen_at=NOON),)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_of_the_model(value):
    assert from_json(type(value), to_json(value)) == value


def test_how_it_looks():
    assert to_json(Sample("a", b"\xff", usages=frozenset("ba"))) == {
        "name": "a",
        "octets": "/w==",
        "moment": "2026-01-02T12:00:00Z",
        "count": 0,
        "seconds": 0.0,
        "flag": False,
        "role": "first",
        "pair": ["", 0],
        "many": [],
        "usages": ["a", "b"],
        "proof": None,
    }
    assert type(to_json(Role.FIRST)) is str
    assert to_json({"a": [NOON]}) == {"a": ["2026-01-02T12:00:00Z"]}


def test_times_are_utc_whatever_the_zone():
    almaty = datetime(2026, 1, 2, 17, 0, 0, 5, timezone(timedelta(hours=5)))
    assert to_json(almaty) == "2026-01-02T12:00:00.000005Z"
    assert parse_time("2026-01-02T12:00:00.000005Z") == almaty
    with pytest.raises(ValueError, match="aware"):
        to_json(datetime(2026, 1, 2))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", 7, r"\$\.name: text expected, not an integer"),
        ("name", None, r"\$\.name: text expected, not null"),
        ("name", "\udc00", r"\$\.name: half of a surrogate pair"),
        ("octets", "a", r"\$\.octets: not base64"),
        ("octets", "YQ==\n", r"\$\.octets: not base64"),
        ("octets", "é", r"\$\.octets: not base64"),
        ("moment", "2026-01-02 12:00:00", r"\$\.moment: not a UTC time"),
        ("moment", "2026-13-02T12:00:00Z", r"\$\.moment: month"),
        ("moment", "2026-01-02T12:00:00+05:00", r"\$\.moment: not a UTC time"),
        ("count", True, r"\$\.count: an integer expected, not true or false"),
        ("count", 1.0, r"\$\.count: an integer expected, not a number"),
        ("seconds", True, r"\$\.seconds: a number expected"),
        ("seconds", float("nan"), r"\$\.seconds: not a finite number"),
        ("seconds", 10**400, r"\$\.seconds: not a finite number"),
        ("flag", 1, r"\$\.flag: true or false expected"),
        ("role", "spy", r"\$\.role: not one of first, .*'spy'"),
        ("role", [], r"\$\.role: text expected, not a list"),
        ("pair", ["a"], r"\$\.pair: 2 elements expected, not 1"),
        ("pair", ["a", "b"], r"\$\.pair\[1\]: an integer"),
        ("many", {}, r"\$\.many: a list expected, not an object"),
        ("many", [{"level": 1}], r"\$\.many\[0\]\.description: missing"),
        ("many", [{"level": 1, "description": 2, "x": 3}], r"\$\.many\[0\]: unknown key 'x'"),
        ("usages", [["a"]], r"\$\.usages\[0\]: text"),
        ("proof", {"kind": "x"}, r"\$\.proof\.scheme: missing"),
        ("proof", 5, r"\$\.proof: an object expected"),
        ("name", object(), r"\$\.name: text expected, not that"),
    ],
)
def test_errors_begin_with_the_path(key, value, message):
    with pytest.raises(CodecError, match=f"^{message}") as caught:
        from_json(Sample, to_json(Sample("a")) | {key: value})
    assert isinstance(caught.value, BundleError)


def test_integers_are_numbers():
    assert from_json(Sample, {"name": "a", "seconds": 3}).seconds == 3.0


def test_what_the_model_does_not_hold_is_our_fault():
    with pytest.raises(TypeError, match="complex"):
        to_json(1j)
    with pytest.raises(TypeError, match="not a type"):
        from_json(complex, 1)
    with pytest.raises(TypeError, match="told apart"):
        from_json(int | str, 1)  # type: ignore[arg-type]
