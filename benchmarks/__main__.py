"""python -m benchmarks NAME [ARGUMENTS]: run one of the scripts in this folder; without a name, list them."""

import ast
import runpy
import sys
from pathlib import Path

SCRIPTS = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.py")) if not path.stem.startswith("_")}


def main() -> int | str:
    """Exit status 2 and the list without a known name."""
    if len(sys.argv) < 2 or sys.argv[1] not in SCRIPTS:
        for name, path in SCRIPTS.items():
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            print(f"{name:<16} {text.splitlines()[0]}", file=sys.stderr)
        return 2
    del sys.argv[0]  # the script finds its own arguments, as if it had been started by itself
    runpy.run_module(f"benchmarks.{sys.argv[0]}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
