"""How a root is taken out of each kind of store. We tell it; we never do it.

Removing a state's e-signature root breaks government services, so steps are told for alarms and for what
nobody knows, and who needs a root is for its owner to say.
"""

from collections.abc import Mapping

from kzmitm.report.language import N_, Words, _

_BROWSER = N_(
    "In {application}: Settings, Privacy and Security, Certificates, Authorities; choose it, then Delete or "
    "Distrust."
)
_MACHINE = N_("Somebody with an administrator's rights put it there; ask who did before you remove it.")

# Commands are the same in every language.
_UPDATE_CERTIFICATES = "sudo update-ca-certificates --fresh"
_UPDATE_TRUST = "sudo update-ca-trust"

STEPS: Mapping[str, tuple[str, ...]] = Words(
    {
        "debian": ("sudo rm {place}", _UPDATE_CERTIFICATES),
        "alpine": ("sudo rm {place}", _UPDATE_CERTIFICATES),
        "opensuse": ("sudo rm {place}", _UPDATE_CERTIFICATES),
        "fedora": ("sudo rm {place}", _UPDATE_TRUST),
        "arch": ("sudo rm {place}", _UPDATE_TRUST),
        "linux": (N_("Take it out of {place}."), _MACHINE),
        "p11_kit": (N_("trust list shows it with its address; sudo trust anchor --remove 'ADDRESS'"),),
        "environment": (
            N_(
                "Unset the variable or setting where it is made (such as ~/.profile), and delete "
                "the file {path}."
            ),
        ),
        "tool_setting": (N_("Take the setting out of {path}, and delete the file that it names."),),
        "vendored": (N_("Install {application} again, from its own source."),),
        "nss": (_BROWSER,),
        "firefox_policy": (
            N_("Delete the certificate from {path}, which an organisation's rules made."),
            _MACHINE,
        ),
        "chromium": (_BROWSER,),
        "java": (N_("keytool -delete -cacerts -alias '{label}' (or with -keystore {path})"),),
        "windows": (
            N_(
                "Start certlm.msc (computer) or certmgr.msc (user), Trusted Root Certification Authorities; "
                "delete it there."
            ),
        ),
        "macos": (N_("Keychain Access, System or login, Certificates; choose it, Delete."),),
        "android": (
            N_("Settings, Security, Encryption and credentials, User credentials; choose it, Remove."),
        ),
    }
)
"""By the beginning of the store's kind, the longest that fits."""

AFTERWARDS = N_(
    "Then change the passwords that you used meanwhile, from another network that you trust, on a device "
    "without this root."
)


def removal_steps(kind: str, *, application: str, path: str, place: str, label: str) -> tuple[str, ...]:
    """The steps for a root in a store of this kind; the values are filled in as they are, harmless or not."""
    known = max((key for key in STEPS if kind.startswith(key)), key=len, default="")
    words = {"application": application, "path": path, "place": place or path, "label": label}
    return tuple(step.format(**words) for step in STEPS.get(known, (_(_MACHINE),)))
