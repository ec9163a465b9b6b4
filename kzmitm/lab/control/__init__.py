"""A laboratory that runs, seen from outside and from inside: starting, asking, answering."""
