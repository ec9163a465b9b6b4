"""How a reader checks a result without this program, and what that shows."""

from kzmitm.report.document import Block, Commands, Points, Section, Text
from kzmitm.report.language import _
from kzmitm.report.results.view import ResultView

_LIST = "tagmanifest-sha256.txt"


def check_section(view: ResultView, id_: str) -> Section:
    """The commands, and what the check says and does not say; `id_` is the section's address."""
    blocks: list[Block] = [
        Text(
            _(
                "The result is an archive of plain files, signed by the one who measured. Ask for it, unpack "
                "it, and type in the folder that holds manifest-sha256.txt:"
            )
        ),
        Commands(
            (
                f"cd {view.reference}",
                f"sha256sum --ignore-missing -c {_LIST} manifest-sha256.txt",
                f"ssh-keygen -Y check-novalidate -n kzmitm-bundle@v1 -s {_LIST}.sig < {_LIST}",
                f"sha256sum {_LIST}",
            )
        ),
        Points(
            (
                _("The first says that no file was changed since it was listed."),
                _("The second names the key that signed the list: {key}.").format(key=view.check.key),
                _("The third begins with the 16 characters in the name of the folder."),
            ),
            is_ordered=True,
        ),
        Text(
            _(
                "It proves that these files have not changed since this key signed them. It does not prove "
                "who measured, where, or that the clock was right: compare the key with the one that the "
                "signer told you in another way."
            )
        ),
    ]
    if view.is_reduced:
        blocks.append(
            Text(
                _(
                    "Files for a narrower circle may be left out; the list still names them, and the "
                    "signature holds."
                )
            )
        )
    blocks += [Text(each) for each in view.check.statements]
    return Section(id=id_, title=_("How to check it by hand"), blocks=tuple(blocks))
