"""Tells of an alarm: a command with the alarm on its stdin, a web address that it is posted to."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from kzmitm.campaign.sections import HooksPart
from kzmitm.wording import Wording, joined, reason_of

TIMEOUT_S = 30.0
"""Seconds for a command or a web server to take an alarm."""

Post = Callable[[str, bytes], Awaitable[str]]
"""Posts octets to a URL; "" or why it failed (`kzmitm.netio.webhook.post`)."""


async def tell(alarm: Mapping[str, object], hooks: HooksPart, post: Post) -> str:
    """Tell all hooks of an alarm; returns "" or why one failed. Never raises, whatever a hook does."""
    octets = json.dumps(alarm, ensure_ascii=True).encode() + b"\n"
    failures = []
    if hooks.on_finding:
        failures.append(await _run(hooks.on_finding, octets))
    if hooks.webhook:
        failures.append(await post(hooks.webhook, octets))
    return "; ".join(filter(None, failures))


async def _run(command: tuple[str, ...], octets: bytes) -> str:
    """No shell has a part in it, so that nothing of a stranger's can be one of its words."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as exc:
        return joined(": ", (command[0], reason_of(exc)))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            with suppress(BrokenPipeError, ConnectionResetError):
                await process.communicate(octets)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return Wording(
            "{command}: did not end within {timeout_s} s", command=command[0], timeout_s=f"{TIMEOUT_S:.0f}"
        )
    return (
        Wording("{command}: ended with {returncode}", command=command[0], returncode=process.returncode)
        if process.returncode
        else ""
    )
