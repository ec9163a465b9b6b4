"""What a handshake has taught so far: the state that the message handlers work on."""

from collections.abc import Callable, Mapping

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, Hello, NetworkEvent, Proof, Role, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.wire.hello import ClientHello
from kzmitm.wire.iana.suites import suite_name
from kzmitm.wire.iana.versions import version_name
from kzmitm.wire.keyshare import Random
from kzmitm.wire.profiles import HelloProfile
from kzmitm.wire.schedule import HandshakeKeys, Suite
from kzmitm.wire.violation import ViolationError

Handler = Callable[["Session", bytes], None]
Expectation = Mapping[int, Handler]
"""Handlers of the message types that may come next."""


class Findings:
    """What an engine found out; becomes a TLSObservation at any time."""

    __slots__ = (
        "alerts",
        "alpn",
        "certificate_requested",
        "chain",
        "chain_truncated",
        "detail",
        "done",
        "failure",
        "first_bytes",
        "hello",
        "ocsp_staple",
        "proof",
        "server_extensions",
        "sni",
        "suite_name",
        "version_name",
    )

    def __init__(self, sni: str | None, hello: Hello) -> None:
        self.sni = sni
        self.hello = hello
        self.version_name = ""
        self.suite_name = ""
        self.alpn = ""
        self.chain: list[bytes] = []
        self.chain_truncated = False
        self.alerts: list[Alert] = []
        self.failure: str | None = None
        self.detail = ""
        self.proof: Proof | None = None
        self.certificate_requested = False
        self.server_extensions: tuple[int, ...] = ()
        self.ocsp_staple = b""
        self.first_bytes = b""
        self.done = False

    def end(self, failure: Failure | str | None, detail: str = "") -> None:
        """The handshake is over; to be called once."""
        self.done = True
        self.failure = None if failure is None else str(failure)
        self.note(detail)

    def note(self, detail: str) -> None:
        """Add to the detail."""
        if detail:
            self.detail = f"{self.detail}; {detail}" if self.detail else detail

    def observation(
        self,
        *,
        endpoint: Endpoint,
        role: Role,
        t0: float,
        t: float,
        transaction_id: int,
        events: tuple[NetworkEvent, ...],
    ) -> TLSObservation:
        """The findings with what only the caller knows."""
        return TLSObservation(
            endpoint=endpoint,
            sni=self.sni,
            hello=self.hello,
            role=role,
            version=self.version_name,
            cipher_suite=self.suite_name,
            alpn=self.alpn,
            presented_chain=tuple(self.chain),
            chain_truncated=self.chain_truncated,
            alerts=tuple(self.alerts),
            failure=self.failure,
            detail=self.detail,
            events=events,
            proof=self.proof,
            client_certificate_requested=self.certificate_requested,
            server_extensions=self.server_extensions,
            ocsp_staple=self.ocsp_staple,
            first_bytes=self.first_bytes,
            t0=t0,
            t=t,
            transaction_id=transaction_id,
        )


class Session:
    """A handshake in progress: our hello, the findings, what may come next, and the keys."""

    __slots__ = (
        "alpn",
        "change_cipher_specs",
        "expected",
        "findings",
        "hello",
        "hello_requests",
        "keys",
        "outgoing",
        "profile",
        "protest",
        "retried_suite",
        "rng",
        "server_random",
        "suite",
        "suite13",
        "transcript",
        "version",
    )

    def __init__(
        self,
        *,
        profile: HelloProfile,
        hello: ClientHello,
        alpn: tuple[str, ...],
        rng: Random,
        findings: Findings,
        expected: Expectation,
    ) -> None:
        self.profile = profile
        self.hello = hello
        self.alpn = alpn
        self.rng = rng
        self.findings = findings
        self.expected = expected
        self.version = 0
        self.suite = 0
        self.suite13: Suite | None = None
        self.retried_suite = 0
        """The suite of the HelloRetryRequest, 0 before one."""
        self.server_random = b""
        self.transcript: list[bytes] = [hello.message]
        self.keys: HandshakeKeys | None = None
        self.outgoing = b""
        """A second hello that waits to be sent, as a handshake message."""
        self.protest: ViolationError | None = None
        """The first breach that did not keep us from reading on."""
        self.hello_requests = 0
        self.change_cipher_specs = 0

    def put_up_with(self, violation: ViolationError) -> None:
        """Read on after a breach that changes nothing for what we came for; the handshake fails at its end.

        Boxes in the path are careless, and the chain they present is worth more than our correctness.
        """
        if self.protest is None:
            self.protest = violation

    def end(self, failure: Failure | str, detail: str) -> None:
        """The handshake failed; what was put up with before is told too."""
        self.findings.end(failure, detail)
        if self.protest is not None and self.protest.detail != detail:
            self.findings.note(self.protest.detail)

    def choose(self, version: int, suite: int) -> None:
        """The server chose; kept in the findings whatever comes after."""
        self.version = version
        self.suite = suite
        self.findings.version_name = version_name(version)
        self.findings.suite_name = suite_name(suite)
