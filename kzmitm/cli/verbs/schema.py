"""The JSON Schema of a document of ours."""

import argparse
import json

from kzmitm.cli.exits import Exit
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.evidence.schema import schema_names, schema_text
from kzmitm.report.line import Line


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="the document; without it, what there is")
    parser.epilog = "The schemas are of draft 2020-12 (https://json-schema.org/draft/2020-12)."


def run(args: argparse.Namespace) -> int:
    if args.name is None:
        print_lines(Line(name) for name in schema_names())
    else:
        print_json(json.loads(schema_text(args.name)))
    return Exit.OK
