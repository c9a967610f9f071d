"""python -m benchmarks [--short] [--json FILE]: everything that is measured, in one run, as one table.

python -m benchmarks NAME [ARGUMENTS]      one script of this folder; list names them
python -m benchmarks compare OLD NEW       two JSON files side by side; exit status 1 if a figure became worse
"""

import argparse
import ast
import importlib
import io
import runpy
import sys
import time
from pathlib import Path

from benchmarks import table

MEASURED = ("training_speed", "time_to_loss", "data_and_pca", "startup", "training_memory", "growth", "gpu")
SLOW = ("course",)  # left out of the short form
NO_SCRIPT = {"table", "rivals"}
SCRIPTS = {
    p.stem: p for p in sorted(Path(__file__).parent.glob("*.py")) if p.stem[0] != "_" and p.stem not in NO_SCRIPT
}


def measure(names: list[str], short: bool, file: Path | None, **settings: str) -> int:
    """Run the named measurements and print their rows as they come; 1 if a limit is not kept. settings: of one."""
    print("  ".join(f"{what}: {value}" for what, value in table.machine().items() if value != ""), flush=True)
    rows: list[table.Row] = []
    started = time.perf_counter()
    for name in names:
        begun = time.perf_counter()
        for row in importlib.import_module(f"benchmarks.{name}").measure(short, **settings):
            rows.append(row)
            print(row, flush=True)
        print(f"     ({name}: {time.perf_counter() - begun:.0f} s)", flush=True)
        if file is not None:
            table.keep(rows, file)
    failed = [row.name for row in rows if not row.holds]
    print(
        f"{len(rows)} figures in {time.perf_counter() - started:.0f} s; not as asked for: {', '.join(failed) or 'none'}"
    )
    return int(bool(failed))


def main() -> int:
    """Exit status 1 where a figure is not as it should be, 2 for an unknown name or a file that cannot be read."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # Windows has no ≥ in what a pipe or file is written in
    if len(sys.argv) > 1 and sys.argv[1] == "compare":
        try:
            lines = table.compare(*map(Path, sys.argv[2:4])) if len(sys.argv) == 4 else []
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 2
        print("\n".join(lines) or __doc__)
        return 2 if not lines else int(any(line.startswith("worse") for line in lines))
    named = len(sys.argv) > 1 and not sys.argv[1].startswith("-")
    if named and sys.argv[1] not in SCRIPTS:
        for name, path in SCRIPTS.items():
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            print(f"{name:<16} {text.splitlines()[0]}", file=sys.stderr)
        return 0 if sys.argv[1] == "list" else 2
    if named and sys.argv[1] not in MEASURED:
        del sys.argv[0]  # the script finds its own arguments, as if it had been started by itself
        runpy.run_module(f"benchmarks.{sys.argv[0]}", run_name="__main__", alter_sys=True)
        return 0
    names = [sys.argv.pop(1)] if named else []
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="fewer rounds, a part of the long recipes, no notebooks")
    parser.add_argument("--json", type=Path, help="keep the figures, to be compared with others")
    parser.add_argument("--device", choices=["cpu"], help=argparse.SUPPRESS)  # gpu's rehearsal, see there
    chosen = parser.parse_args()
    if chosen.device and names != ["gpu"]:
        parser.error("--device goes with gpu alone")
    settings = {"device": chosen.device} if chosen.device else {}
    return measure(names or [*MEASURED, *(() if chosen.short else SLOW)], chosen.short, chosen.json, **settings)


if __name__ == "__main__":
    sys.exit(main())
