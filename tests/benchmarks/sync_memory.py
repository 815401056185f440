"""What a worker's memory does between 1,000 and 100,000 contacts: it should stay flat.

    python -m tests.benchmarks.sync_memory [--contacts 100000]

Each number runs in a process of its own: first push, nothing changed, full sync; the peak resident size is printed.
"""

import argparse
import resource
import subprocess
import sys

from tests.benchmarks.stage import EMAIL, ROOT, make_setup, people, prepare, run, sandbox, scratch, table, timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--one", type=int, help="measure this number alone and print its figures")
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return
    rows = []
    for number in (1000, options.contacts):
        argv = [sys.executable, "-m", "tests.benchmarks.sync_memory", "--one", str(number)]
        out = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        rows.append([number, *map(float, out[-4:])])
    rows.append(["difference", rows[1][1] - rows[0][1], "", "", ""])
    table("Peak memory of a worker", ["contacts", "MB", "push s", "idle s", "full s"], rows)


def measure(number: int) -> None:
    with scratch() as folder, sandbox(folder) as tenant:
        prepare(folder, tenant.url)
        tenant.add_person(EMAIL, "Jens")
        make_setup()
        people(number)
        seconds = [timed(run)[0], timed(run)[0], timed(lambda: run(full=True))[0]]
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, *seconds)


if __name__ == "__main__":
    main()
