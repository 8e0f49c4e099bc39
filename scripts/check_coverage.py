"""Fail where the tests take too few of the branches, or run too few of the lines.

Reads what ``coverage combine`` has left; ``make coverage`` runs it all.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

COVERAGE = Path(sys.executable).with_name("coverage")
LEAST = 95.0
PARTS = ("app/sql.py", "app/rest/*", "app/auth/*")


def measure(part: str) -> dict[str, float]:
    """The percentages of one part."""
    report = subprocess.run(
        [COVERAGE, "json", "-q", "-o", "-", f"--include={part}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    counts: Counter[str] = Counter()
    for file in json.loads(report.stdout)["files"].values():
        counts.update({k: v for k, v in file["summary"].items() if isinstance(v, int)})
    return {
        "branches": 100 * counts["covered_branches"] / counts["num_branches"],
        "lines": 100 * counts["covered_lines"] / counts["num_statements"],
    }


def main() -> int:
    enough = True
    for part in PARTS:
        for what, percent in measure(part).items():
            print(f"{part}: {percent:.1f} % of the {what}")
            enough = enough and percent >= LEAST
    if not enough:
        print(f"less than {LEAST:g} %: 'coverage report' lists what is missing", file=sys.stderr)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
