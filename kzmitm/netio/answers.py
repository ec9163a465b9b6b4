"""What a resolver replies, whichever way it was asked."""

from dataclasses import dataclass

import dns.exception
import dns.message
import dns.rdatatype
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from kzmitm.model.failure import Failure
from kzmitm.model.observation import DNSAnswer
from kzmitm.netio.failures import classify_rcode

MAX_ANSWERS = 64
"""Records kept of one reply: names in use have at most a dozen, a hostile reply of 64 KB has thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: answers (also beside a failure, as a CNAME without address), rcode if one was seen."""

    answers: tuple[DNSAnswer, ...] = ()
    failure: str | None = None
    rcode: int | None = None
    resolver_address: str = ""


def address_answer(ip: str, ttl: int | None = None) -> DNSAnswer:
    """The A or AAAA answer that holds `ip`."""
    return DNSAnswer(answer_type="AAAA" if ":" in ip else "A", ip=ip, ttl=ttl)


def read_reply(message: dns.message.Message, query_type: str, *, resolver_address: str) -> Reply:
    """What a DNS message says to a query for `query_type` (A or AAAA)."""
    rcode = int(message.rcode())
    answers: list[DNSAnswer] = []
    for rrset in message.answer:
        for rdata in rrset:
            answer = _read_record(rdata, rrset.ttl)
            if answer is not None and len(answers) < MAX_ANSWERS:
                answers.append(answer)
    failure = classify_rcode(rcode)
    if failure is None and not any(a.answer_type == query_type for a in answers):
        failure = Failure.DNS_NO_ANSWER
    return Reply(answers=tuple(answers), failure=failure, rcode=rcode, resolver_address=resolver_address)


def _read_record(rdata: object, ttl: int) -> DNSAnswer | None:
    match rdata:
        case A() | AAAA():
            return address_answer(rdata.address, ttl)
        case CNAME():
            return DNSAnswer(answer_type="CNAME", hostname=rdata.target.to_text(omit_final_dot=True), ttl=ttl)
        case _:
            return None


def make_query(hostname: str, query_type: str) -> dns.message.QueryMessage:
    """A recursive query; raises `dns.exception.DNSException` for a name that DNS cannot hold."""
    return dns.message.make_query(hostname + ".", query_type, use_edns=0, payload=1232)
