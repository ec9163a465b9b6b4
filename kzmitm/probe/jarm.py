"""The JARM of whoever answers at an endpoint: ten connections, one after the other."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from kzmitm.model.failure import Failure
from kzmitm.model.target import Endpoint
from kzmitm.netio.pump import run_handshake
from kzmitm.probe.tls import Conditions
from kzmitm.wire.jarm import JARMQuestion, jarm_hash, jarm_hellos
from kzmitm.wire.keyshare import Random

Turn = Callable[[Endpoint], AbstractAsyncContextManager[None]]
"""Entered before each connection (`kzmitm.scan.pace`)."""

_SILENCE = frozenset({Failure.GENERIC_TIMEOUT, Failure.TIMED_OUT, Failure.PROXY_FAILED})


async def ask_jarm(
    sni: str, endpoint: Endpoint, conditions: Conditions, *, turn: Turn, rng: Random = os.urandom
) -> str | None:
    """The JARM for a name at an endpoint; None if a connect failed or an answer never came.

    A hash with a hole in it would be somebody else's. A reset or an end instead of an answer is a refusal.
    """
    answers: list[bytes] = []
    for hello in jarm_hellos(sni, rng):
        question = JARMQuestion(hello)
        async with turn(endpoint):
            exchange = await run_handshake(
                conditions.link,
                endpoint,
                question,
                stopwatch=conditions.stopwatch,
                limits=conditions.limits,
            )
        if exchange.connect_failure is not None or question.failure in _SILENCE:
            return None
        answers.append(question.answer)
    return jarm_hash(answers)
