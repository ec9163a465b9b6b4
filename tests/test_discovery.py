"""Discovery imports every module of a package once, in the order of names, and hides no failure."""

import importlib
import sys
from pathlib import Path

import pytest

from kzmitm._registry import discover


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "discovered_package"
    (folder / "inner").mkdir(parents=True)
    for path in ("__init__", "zebra", "ant", "inner/__init__", "inner/deep"):
        (folder / f"{path}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("discovered_package")
    for name in [name for name in sys.modules if name.startswith("discovered_package")]:
        del sys.modules[name]


def test_modules_come_in_the_order_of_their_names(package):
    names = [module.__name__ for module in discover(package)]
    assert names == ["discovered_package.ant", "discovered_package.inner", "discovered_package.zebra"]


def test_a_module_that_cannot_be_loaded_is_not_passed_over(package):

    Path(package.__file__).with_name("broken.py").write_text("import no_such_module_at_all")
    with pytest.raises(ModuleNotFoundError):
        list(discover(package))
