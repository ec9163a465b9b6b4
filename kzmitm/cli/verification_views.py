"""What a verification found, for people and for programs."""

from collections.abc import Container, Iterator
from typing import Any

from kzmitm.evidence.damage import Code, Problem
from kzmitm.evidence.signing.sshsig import PublicKey
from kzmitm.evidence.token_check import TokenStatus
from kzmitm.evidence.verification.proof_check import ProofCheck
from kzmitm.evidence.verification.verify import Signer, SignerStatus, Verification
from kzmitm.model.codec import format_time
from kzmitm.report.language import N_, Words, _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

SCHEMA = "kzmitm.verification/1.0"

MEANINGS = Words(
    {
        Code.ARCHIVE_DAMAGED: N_("the archive is damaged or cut off"),
        Code.ARCHIVE_EXTRA_BYTES: N_("there is something in the archive's file that is not of the archive"),
        Code.ARCHIVE_UNSAFE_NAME: N_("a file's name is none that a result has"),
        Code.ARCHIVE_DUPLICATE_NAME: N_("two files have one name"),
        Code.ARCHIVE_SPECIAL_FILE: N_("something in it is no plain file"),
        Code.ARCHIVE_BOMB: N_("it would grow beyond all bounds when unpacked"),
        Code.ARCHIVE_TOO_MANY_FILES: N_("it has more files than any result"),
        Code.BUNDLE_RENAMED: N_("the folder has another name than its content gives it"),
        Code.FORMAT_UNKNOWN: N_("its format is unknown; a newer kzmitm may know it"),
        Code.FILE_MISSING: N_("a file is missing"),
        Code.FILE_ADDED: N_("a file was added"),
        Code.FILE_CHANGED: N_("a file was changed"),
        Code.FILE_TOO_LONG: N_("a file is longer than any of its kind"),
        Code.MANIFEST_SYNTAX: N_("a list of files is not as kzmitm writes it"),
        Code.SIGNATURE_INVALID: N_("the signature is not one over this"),
        Code.SIGNER_CHANGED: N_("another key signed it than the one that should have"),
        Code.COUNTERSIGNATURE_INVALID: N_("a partner's signature is not one over this"),
        Code.COUNTERSIGNER_CHANGED: N_("another key countersigned it than the one known by that name"),
        Code.TIMESTAMP_INVALID: N_("a timestamp is not one of this"),
        Code.JSON_SYNTAX: N_("a document is no proper JSON"),
        Code.JSON_DUPLICATE_KEY: N_("a document says two things under one name"),
        Code.JSON_NUMBER: N_("a document holds a number that is none, or has no end"),
        Code.JSON_TEXT: N_("a document holds text that is broken, or steers a terminal"),
        Code.JSON_DEPTH: N_("a document is nested without end"),
        Code.SCHEMA_UNKNOWN: N_("a document is of an unknown kind; a newer kzmitm may know it"),
        Code.DOCUMENT_INVALID: N_("a document is not what its kind must be"),
        Code.DOCUMENTS_DISAGREE: N_("two documents of it contradict each other"),
        Code.CERTIFICATE_MISNAMED: N_("a certificate bears the name of another one"),
        Code.PROOF_INVALID: N_("a server is said to have proven its key, and did not"),
    }
)


def document(found: Verification) -> dict[str, Any]:
    """The document of `verify --json`."""
    signer = found.signer
    return {
        "schema": SCHEMA,
        "version": "1.0",
        "result": "unaltered" if found.is_unaltered else "altered",
        "bundle_id": found.bundle_id,
        "level": found.level,
        "container": None if found.level is None else "folder" if found.is_folder else "archive",
        "repacked": found.is_repacked,
        "problems": [{"code": p.code, "file": p.file, "detail": p.detail} for p in found.problems],
        "withheld": list(found.withheld),
        "signer": None if signer is None else _signer_document(signer),
        "timestamps": [
            {
                "file": each.file,
                "status": each.status,
                "at": format_time(each.at) if each.at else None,
                "authority": each.authority,
                "reason": each.reason,
            }
            for each in found.attestations.timestamps
        ],
        "countersignatures": [
            {"file": each.file, "fingerprint": each.key.fingerprint, "known_as": each.known_as}
            for each in found.attestations.countersignatures
        ],
        "proof": _proof_document(found),
    }


def _signer_document(signer: Signer) -> dict[str, Any]:
    return {
        "fingerprint": signer.key.fingerprint,
        "name": signer.name,
        "status": signer.status,
        "known_as": signer.known_as,
    }


def _proof_document(found: Verification) -> dict[str, Any]:
    proof = found.proof
    return {
        "intercepted": proof.intercepted,
        "intercepted_proven": proof.intercepted_proven,
        "others": proof.others,
        "others_proven": proof.others_proven,
        "invalid": proof.invalid,
        "withheld": proof.withheld,
        "sentence": proof_sentence(proof),
    }


def lines(found: Verification, *, own_keys: Container[PublicKey] = ()) -> Iterator[Line]:
    """What is told to people; `own_keys` are those of this user."""
    if not found.is_unaltered:
        yield from _problem_lines(found)
        return
    yield Line(_("every file is what it was when it was signed"), lead=_("UNALTERED: "), style=Style.GOOD)
    assert found.signer is not None  # noqa: S101 - without one it is altered
    yield Line(signer_sentence(found.signer))
    if found.is_repacked:
        yield Line(_("Another program packed the archive again; its content is intact."))
    if found.withheld:
        yield Line(_("Withheld: {files}.").format(files=", ".join(map(harmless, found.withheld))))
    yield Line(proof_sentence(found.proof))
    yield from attached_lines(found, own_keys)
    yield Line(
        _("This does not prove who ran the measurement, from where, or that the clock was right."), indent=2
    )


def _problem_lines(found: Verification) -> Iterator[Line]:
    yield Line(_("do not rely on it"), lead=_("ALTERED: "), style=Style.ALARM)
    for problem in found.problems:
        yield Line(f"  {problem_sentence(problem)}", indent=4)
    if found.signer is not None and found.signer.status is SignerStatus.CHANGED:
        yield Line(_("If the signer told you of a new key, ask again on another way before you believe it."))


def problem_sentence(problem: Problem) -> str:
    """What is wrong, with its code and place."""
    where = harmless(problem.file, 200)
    detail = f" ({harmless(problem.detail, 200)})" if problem.detail else ""
    return f"{problem.code}: {f'{where}: ' if where else ''}{MEANINGS[problem.code]}{detail}"


def signer_sentence(signer: Signer) -> str:
    """Whose signature it is, as far as this computer knows."""
    fingerprint, known_as = signer.key.fingerprint, harmless(signer.known_as)
    match signer.status:
        case SignerStatus.EXPECTED:
            return _("Signed by the key that you named, {key}.").format(key=fingerprint)
        case SignerStatus.KNOWN:
            return _("Signed by {name}, {key}.").format(name=known_as, key=fingerprint)
        case SignerStatus.OWN:
            return _("Signed by your own key of the campaign {name}, {key}.").format(
                name=known_as, key=fingerprint
            )
        case _:
            return _(
                "Signed by an unknown key, {key}: ask the signer on another way whether it is theirs."
            ).format(key=fingerprint)


def proof_sentence(proof: ProofCheck) -> str:
    """What the proofs of possession show, in one sentence."""
    if proof.withheld:
        return _("The handshakes are not in it, so who held the keys cannot be checked here.")
    if proof.intercepted and not proof.intercepted_proven:
        return _(
            "None of the handshakes with intercepted sites holds a signature of the forged certificate's key "
            "over our nonce, so who held that key cannot be checked here."
        )
    if proof.intercepted:
        return ngettext(
            "In {proven} of {all} handshake with intercepted sites the key of the forged certificate signed "
            "our nonce, checked again now: whoever answered held that key, and did not just copy a "
            "certificate.",
            "In {proven} of {all} handshakes with intercepted sites the key of the forged certificate signed "
            "our nonce, checked again now: whoever answered held that key, and did not just copy a "
            "certificate.",
            proof.intercepted,
        ).format(proven=proof.intercepted_proven, all=proof.intercepted)
    if proof.others:
        return ngettext(
            "No interception was found; in {proven} of {all} handshake the key of the certificate signed "
            "our nonce, checked again now.",
            "No interception was found; in {proven} of {all} handshakes the key of the certificate signed "
            "our nonce, checked again now.",
            proof.others,
        ).format(proven=proof.others_proven, all=proof.others)
    return _("No certificate was presented, so there is no proof of a key to check.")


def attached_lines(found: Verification, own_keys: Container[PublicKey]) -> Iterator[Line]:
    """What timestamps and partners say of it."""
    for stamp in found.attestations.timestamps:
        if stamp.status is TokenStatus.VALID and stamp.at is not None:
            yield Line(
                _("Existed at {time}, says {authority} ({file}).").format(
                    time=format_time(stamp.at), authority=harmless(stamp.authority), file=harmless(stamp.file)
                )
            )
        else:
            yield Line(
                _("{file}: a timestamp that was not checked here ({reason}).").format(
                    file=harmless(stamp.file), reason=harmless(stamp.reason)
                )
            )
    for signature in found.attestations.countersignatures:
        own = signature.key in own_keys
        who = harmless(signature.known_as) or (_("you") if own else _("an unknown key"))
        yield Line(
            _("Countersigned by {who}, {key} ({file}).").format(
                who=who, key=signature.key.fingerprint, file=harmless(signature.file)
            )
        )
