"""The pictures of a document: all of them, and what they are called as files."""

from collections.abc import Iterator
from dataclasses import replace

from kzmitm.report.document import Block, Document, Fold, Picture


def pictures(document: Document) -> Iterator[Picture]:
    """All pictures, in the order in which they stand."""
    for section in document.sections:
        yield from _within(section.blocks)


def _within(blocks: tuple[Block, ...]) -> Iterator[Picture]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Fold):
            yield from _within(block.blocks)


def with_names(document: Document, stem: str | None) -> Document:
    """The document with its pictures called STEM-NAME; without a stem they have no names and are no files."""
    sections = tuple(replace(each, blocks=_renamed(each.blocks, stem)) for each in document.sections)
    return replace(document, sections=sections)


def _renamed(blocks: tuple[Block, ...], stem: str | None) -> tuple[Block, ...]:
    return tuple(_one(block, stem) for block in blocks)


def _one(block: Block, stem: str | None) -> Block:
    if isinstance(block, Fold):
        return replace(block, blocks=_renamed(block.blocks, stem))
    if isinstance(block, Picture) and block.name:
        return replace(block, name=f"{stem}-{block.name}" if stem and block.file else "")
    return block
