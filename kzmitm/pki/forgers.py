"""Which known ways of forging the field relations are consistent with. Consistent with is not proof.

No score: every required relation that could be told holds, at least one telling one does, none is refused.
"""

from kzmitm.model.verdict import Forger
from kzmitm.pki.registry import Registry
from kzmitm.pki.relations import FieldRelations
from kzmitm.pki.requirements import KnownForger, Requirement


def match_forgers(
    relations: FieldRelations,
    *,
    shared_key: bool | None,
    registry: Registry,
) -> tuple[Forger, ...]:
    """The forgers that the relations are consistent with, the most specific first; several are ambiguous.

    `shared_key`: whether the same leaf key was seen for several hosts; None if only one was seen. Each
    result lists the relations that fit, as they were seen. Empty if the key is the genuine one.
    """
    if relations.key_is_genuine:
        return ()
    found = [
        (len(fitting), known, fitting)
        for known in registry.forgers.values()
        if (fitting := _fitting(known, relations, shared_key=shared_key)) is not None
    ]
    found.sort(key=lambda entry: (-entry[0], entry[1].id))
    return tuple(
        Forger(known.id, known.name, _texts((*fitting, *known.optional), relations, shared_key=shared_key))
        for _, known, fitting in found
    )


def _fitting(
    known: KnownForger, relations: FieldRelations, *, shared_key: bool | None
) -> tuple[Requirement, ...] | None:
    """The required relations that were seen to hold, None if the forger is contradicted or nothing tells."""
    if any(requirement.holds(relations, shared_key) for requirement in known.forbidden):
        return None
    results = [(requirement, requirement.holds(relations, shared_key)) for requirement in known.required]
    if any(result is False for _, result in results):
        return None
    fitting = tuple(requirement for requirement, result in results if result)
    return fitting if any(requirement.name in known.telling for requirement in fitting) else None


def _texts(
    requirements: tuple[Requirement, ...], relations: FieldRelations, *, shared_key: bool | None
) -> tuple[str, ...]:
    """Each relation once, in the order of the file."""
    return tuple(
        dict.fromkeys(
            requirement.text(relations, shared_key)
            for requirement in requirements
            if requirement.holds(relations, shared_key)
        )
    )
