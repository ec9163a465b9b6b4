"""`python -m kzmitm`."""

from kzmitm.cli.main import run

if __name__ == "__main__":
    run()
