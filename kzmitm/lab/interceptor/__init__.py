"""The laboratory's own interceptor: it stands in the operator's router and forges like Kazakhstan's system.

Inline, the TCP handshake and everything that is not watched go end to end; only a connection whose
ClientHello names a watched site is taken over, alive. As a proxy, every connection ends here.
Started as `python -m kzmitm.lab.interceptor`, with its configuration on standard input.
"""
