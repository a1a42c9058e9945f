"""The checkout's name of `bank_models`: `python -m src.train` is `python -m bank_models.train` without an installation.

`src.X` is the module object `bank_models.X` under a second name, never a copy of it. A wheel holds nothing of this.
"""

import os
import sys
from importlib import import_module, util
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path

HERE = str(Path(__file__).resolve().parent)
sys.path[:] = [HERE, *(place for place in sys.path if place != HERE)]  # before what may be installed
os.environ["PYTHONPATH"] = os.pathsep.join([HERE, *filter(None, [os.environ.get("PYTHONPATH")])])  # of processes to come


class Finder(MetaPathFinder):
    """Answers `src.X` with what `bank_models.X` is."""

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith("src."):
            return None
        real = util.find_spec("bank_models" + fullname.removeprefix("src"))
        if real is None:
            return None
        spec = ModuleSpec(
            real.name, Alias(fullname, real), origin=real.origin, is_package=bool(real.submodule_search_locations)
        )
        spec.submodule_search_locations, spec.cached, spec.has_location = real.submodule_search_locations, real.cached, True
        return spec


class Alias(Loader):
    """Gives the one module there is; `python -m` asks for its code alone."""

    def __init__(self, name: str, real: ModuleSpec):
        self.name, self.real = name, real

    def create_module(self, spec):
        return import_module(self.real.name)

    def exec_module(self, module):
        module.__spec__, module.__loader__ = self.real, self.real.loader
        sys.modules[self.name] = module

    def get_code(self, fullname):
        return self.real.loader.get_code(self.real.name)


if not any(isinstance(one, Finder) for one in sys.meta_path):
    sys.meta_path.insert(0, Finder())

from bank_models import __all__  # noqa: E402, F401


def __getattr__(name: str):
    return getattr(import_module("bank_models"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(import_module("bank_models"))})
