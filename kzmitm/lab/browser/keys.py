"""Keys of a keyboard as the DevTools protocol wants them."""

from typing import Any

from kzmitm.errors import UsageError

MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
"""Input.dispatchKeyEvent, `modifiers`."""

_NAMED = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Escape": (27, ""),
    "Space": (32, " "),
    "Backspace": (8, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
    "Home": (36, ""),
    "End": (35, ""),
    "PageUp": (33, ""),
    "PageDown": (34, ""),
}
"""Windows virtual key code and text of the keys that have names."""


def key_events(key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Down and up of a key: `a`, `Enter`, `Shift+Tab`; raises UsageError for one that is not known."""
    *held, name = key.split("+") if len(key) > 1 else [key]
    if name in _NAMED:
        code, text = _NAMED[name]
        shown, physical = (" ", "Space") if name == "Space" else (name, name)
    elif len(name) == 1 and name.isascii() and name.isprintable():
        code, text, shown = ord(name.upper()), name, name
        physical = f"Digit{name}" if name.isdigit() else f"Key{name.upper()}" if name.isalpha() else ""
    else:
        raise UsageError("no key is called {name}", name=repr(name[:40]))
    if not MODIFIERS.keys() >= set(held):
        raise UsageError("no such key can be held: {key}", key=repr(key[:40]))
    common = {
        "key": shown,
        "code": physical,
        "windowsVirtualKeyCode": code,
        "modifiers": sum(MODIFIERS[one] for one in held),
    }
    down = {"type": "keyDown" if text else "rawKeyDown", **common, **({"text": text} if text else {})}
    return down, {"type": "keyUp", **common}
