"""Requests to the console as its page makes them."""

import http.client
import json
import time

DONE_WITHIN_S = 10.0


def ask(base, path, body=None, *, method=None, **headers):
    """Status, headers and JSON or text of the answer to a request like the page's own."""
    connection = http.client.HTTPConnection(base.hostname, base.port, timeout=DONE_WITHIN_S)
    own = {"Host": base.netloc}
    if body is not None:
        own |= {"Origin": f"http://{base.netloc}", "Content-Type": "application/json"}
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    method = method or ("GET" if body is None else "POST")
    connection.putrequest(method, path, skip_host=True)
    for name, value in (own | changed).items():
        if value is not None:
            connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    is_json = answer.headers["Content-Type"] == "application/json"
    return answer.status, answer.headers, json.loads(text) if is_json else text.decode()


def settled(base):
    """The state once nothing is being done any more."""
    deadline = time.monotonic() + DONE_WITHIN_S
    state = ask(base, base.path + "state")[2]
    while state["doing"]:
        assert time.monotonic() < deadline
        state = ask(base, f"{base.path}state?after={state['version']}")[2]
    return state


def order(base, what, body=None, **headers):
    return ask(base, base.path + what, {} if body is None else body, **headers)
