"""The system whose trust stores are looked at: this computer, or another one below a folder."""

import argparse
import os
import sys
from pathlib import Path

from kzmitm.errors import UsageError
from kzmitm.roots.system import System
from kzmitm.roots.values import Platform


def system_of(args: argparse.Namespace) -> System:
    """The system that `--root`, `--platform` and `--deep` name; raises UsageError."""
    if args.root is None:
        if args.platform is not None:
            raise UsageError("--platform is for another system", hint="give --root PATH too")
        return this_system(deep=args.deep)
    if not args.root.is_dir():
        raise UsageError("--root: {root}: no folder", hint="name the folder of a system", root=args.root)
    platform = Platform(args.platform) if args.platform else _platform_of(args.root)
    return System(args.root.resolve(), platform=platform, deep=args.deep)


def _platform_of(root: Path) -> Platform:
    """What a system is by the folders at its top."""
    for mark, platform in (
        ("Windows/System32", Platform.WINDOWS),
        ("System/Library", Platform.MACOS),
        ("system/etc/security", Platform.ANDROID),
    ):
        if (root / mark).exists():
            return platform
    return Platform.LINUX


def this_system(*, deep: bool = False) -> System:
    """The computer that we run on, as its user sees it."""
    return System(platform=_this_platform(), environ=os.environ, home=str(Path.home()), deep=deep)


def _this_platform() -> Platform:
    if hasattr(sys, "getandroidapilevel"):
        return Platform.ANDROID
    return {"darwin": Platform.MACOS, "win32": Platform.WINDOWS}.get(sys.platform, Platform.LINUX)
