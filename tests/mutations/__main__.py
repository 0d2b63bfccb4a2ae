"""Breaks each rule of the rollout protocol on purpose: python -m tests.mutations [--only TEXT] [--jobs 2]

What stays green is a missing test.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.mutations.every import MUTATIONS
from tests.mutations.run import copied, require_green, tried


def main() -> int:
    parser = argparse.ArgumentParser(description="Breaks each rule of the rollout protocol on purpose.")
    parser.add_argument("--only", default="", help="only rules, or files, that hold this text")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at the same time")
    asked = parser.parse_args()
    chosen = [m for m in MUTATIONS if asked.only in m.rule or asked.only in m.file]
    green = []
    with copied() as repository, ThreadPoolExecutor(asked.jobs) as pool:
        require_green(sorted({test for mutation in chosen for test in mutation.seen_by}), repository, asked.jobs)
        for done in as_completed([pool.submit(tried, mutation, repository) for mutation in chosen]):
            verdict = done.result()
            green += [] if verdict.red else [verdict.mutation]
            color = "red  " if verdict.red else "LATE " if verdict.late else "GREEN"
            print(f"{color} {verdict.seconds:5.1f} s  {verdict.mutation.file}: {verdict.mutation.rule}", flush=True)
    by_suite = sum(mutation.seen_by_the_suite for mutation in chosen)
    print(f"{len(chosen) - len(green)} of {len(chosen)} broken rules are seen, {by_suite} of them by the suite")
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main())
