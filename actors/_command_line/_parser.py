"""What can be said on the command line."""

from __future__ import annotations

import argparse

from actors._command_line._store import VARIABLE

EXIT_CODES = f"""\
The store is the URL behind --backend, or the environment's {VARIABLE}: sqlite:runs.db, file:runs.json,
redis://host:6379/0, postgres://host/database, nats://host:4222. A password is safer in the environment.

exit codes:
  0    done. cancel: a living owner has the run and will be told; with --wait: the run has ended
  2    wrong use, or a URL that cannot be right
  3    the store cannot be reached, or refused. cancel: nothing is stored, unless the text says so
  4    cancel: no such run is registered; the cancel is stored, and waits for it
  5    cancel: the run had ended before; nothing was stored
  6    cancel: the run's owner is gone; it does not run any more, but nobody has ended it in order
  7    cancel --wait: the run had not ended when the time was up; the cancel is stored
  130  stopped by Ctrl-C
"""


def parser() -> argparse.ArgumentParser:
    """Makes sense of the arguments: ``command``, ``backend``, ``json`` and those of the command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--backend", metavar="URL", help=f"the store; default: the environment's {VARIABLE}")
    common.add_argument("--json", action="store_true", help="answer in JSON, one document a line")
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m actors",
        description="Look into the store of a cancellation manager, and cancel runs in it.",
        epilog=EXIT_CODES,
        formatter_class=raw,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=text, epilog=EXIT_CODES, formatter_class=raw, parents=[common]
        )

    add("runs", "list the active runs: owner, age, and whether they shall end")
    cancel = add("cancel", "store that a run shall end; whoever runs it is told")
    cancel.add_argument("run_id", metavar="RUN_ID")
    cancel.add_argument("--reason", default="", help="why, for people")
    cancel.add_argument("--by", help="who asks")
    cancel.add_argument("--wait", action="store_true", help="until the run has ended, however it ends")
    cancel.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="wait so long at most")
    watch = add("watch", "say whenever a run is registered, cancelled or gone")
    watch.add_argument("--seconds", type=_seconds, metavar="SECONDS", help="and end then; default: at Ctrl-C")
    add("health", "say whether the store answers, and how quickly")
    return top


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"{text} is no time to wait")
    return seconds
