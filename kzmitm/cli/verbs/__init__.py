"""The verbs, one module each. The first line of its docstring is its help, and it has two functions.

- `configure(parser: argparse.ArgumentParser) -> None`: its options;
- `run(args: argparse.Namespace) -> int`: does it and returns the exit code (`kzmitm.cli.exits.Exit`).
"""
