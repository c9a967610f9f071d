"""python -m evidence [ID …] [--seeds 0 1 …] [--jobs 2] [--check] [--confirm [--against COMMIT]] [--rerun-some]"""

import argparse
import sys

from evidence import claims_page, runner


def main() -> int:
    """Run, check or re-run; 1 where something does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m evidence", description="Run the experiments behind docs/claims.md."
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="claims, such as C13; all of them if none is named")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(runner.SEEDS), help="training seeds")
    parser.add_argument("--jobs", type=int, default=1, help="experiments at a time, one thread each")
    parser.add_argument("--check", action="store_true", help="validate the stored rows; run nothing")
    parser.add_argument(
        "--confirm", action="store_true", help="after a change meant to change no figure: prove it, one seed a claim"
    )
    parser.add_argument(
        "--against",
        metavar="COMMIT",
        help="… where this machine rounds otherwise: by what the code of COMMIT gives",
    )
    parser.add_argument(
        "--rerun-some", action="store_true", help="run a few again, others each day, and compare; store nothing"
    )
    parser.add_argument("--minutes", type=float, default=5, help="how long --rerun-some may take")
    arguments = parser.parse_args()
    names = arguments.ids or list(runner.IDS)
    if unknown := set(names) - set(runner.IDS):
        parser.error(f"no experiment for {', '.join(sorted(unknown))}; there are {', '.join(runner.IDS)}")
    found: list[str] = []
    if arguments.check:
        found += [fault for name in names for fault in runner.faults(name)]
        if claims_page.PAGE.read_text(encoding="utf-8") != claims_page.page():
            found.append("docs/claims.md is not what the stored rows say; python -m evidence writes it anew")
        for name in runner.stale(names):
            print(
                f"warning: {name} has rows made by other code than there is now; python -m evidence {name} makes them "
                "anew"
            )
    if arguments.rerun_some:
        found += runner.rerun_some(arguments.minutes, jobs=arguments.jobs)
    if arguments.confirm:
        try:
            found += runner.confirm(names, arguments.against, arguments.jobs)
        except ValueError as error:
            parser.error(str(error))
    if not (arguments.check or arguments.rerun_some or arguments.confirm):
        found += runner.run(names, arguments.seeds, arguments.jobs)
        claims_page.write()
    print("\n".join(found) if found else "all as it should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
