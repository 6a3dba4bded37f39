"""Cancel a run from another process, through the JSON file in which it is registered.

python examples/cancel_run.py runs.json story-42 --reason "enough for today" --by ops
"""

from __future__ import annotations

import argparse
import os
import time

from actors.backends import FileCancellationManager


def main() -> None:
    """Store that the run shall end; whoever runs it is told by the file."""
    parser = argparse.ArgumentParser(description="Cancel a run that another process has registered in a JSON file.")
    parser.add_argument("file", help="the file of the FileCancellationManager")
    parser.add_argument("run_id")
    parser.add_argument("--reason", default="")
    parser.add_argument("--by")
    options = parser.parse_args()
    manager = FileCancellationManager(options.file)
    called = time.time()
    registered = manager.cancel_run(options.run_id, reason=options.reason, by=options.by)
    found = "it was registered" if registered else "nobody has registered it, so far"
    print(f"process {os.getpid()} called cancel_run at {called:.4f} (seconds since 1970): {found}")


if __name__ == "__main__":
    main()
