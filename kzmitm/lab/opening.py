"""Which laboratory this computer can have, and opening one that ends with its user."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from kzmitm.lab.control.client import own_lab
from kzmitm.lab.loopback.session import LoopbackSession
from kzmitm.lab.network.namespaces import refusal
from kzmitm.lab.network.session import NetworkSession
from kzmitm.lab.products import SERVERS, Products, how_to_get
from kzmitm.lab.session import Session
from kzmitm.wording import Wording


def why_no_network(products: Products) -> str | None:
    """Why there can be no network of namespaces here, in one line; None if there can."""
    if missing := products.lacks(SERVERS):
        return Wording("needs {what}", what=how_to_get(missing))
    return refusal()


@contextmanager
def open_session(*, is_network: bool, now: datetime, products: Products) -> Iterator[Session]:
    """A laboratory of its own; nothing of it is left afterwards. Raises LaboratoryError."""
    if is_network:
        lab = own_lab(now)
        try:
            yield NetworkSession(lab, products)
        finally:
            lab.close()
        return
    with LoopbackSession(now, products) as session:
        yield session
