"""What stands in the place of the package's checks while grading: they hold the answers, so they are not there.

A student's own call of a check, in an answer cell, prints a line and costs nothing; an answer that is one gives None.

Size: at most 40 lines of code.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class CheckFailed(AssertionError):
    """So that `except lab.checks.CheckFailed` stays what it is; nothing here raises it."""


class _Absent(ModuleType):
    """Has every attribute and takes every call: lab1.best_error.check(f) prints, and returns None."""

    def __getattr__(self, name: str) -> "_Absent":
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(f"{self.__name__}.{name}")

    def __call__(self, *_: Any, **__: Any) -> None:
        print("checks are not available while grading")


class _Finder(MetaPathFinder, Loader):
    """For `from autoencoder_lab.checks.labs.lab1 import best_error`: each module below this is there, and empty."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        # as a package, for any of them may be asked for one below it
        return ModuleSpec(fullname, self, is_package=True) if fullname.startswith(f"{__name__}.") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


sys.meta_path.append(_Finder())


def __getattr__(name: str) -> _Absent:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Absent(f"{__name__}.{name}")
