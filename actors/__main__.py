"""``python -m actors``: which runs are active in a store, and cancelling them. See ``python -m actors --help``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio

from actors._command_line._cancel import cancel_run
from actors._command_line._exit import Exit
from actors._command_line._health import show_health
from actors._command_line._output import Output
from actors._command_line._parser import parser
from actors._command_line._runs import show_runs
from actors._command_line._store import manager_at
from actors._command_line._watch import watch_runs
from actors._errors import ManagerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from actors._cancellation._manager import CancellationManager


def main(arguments: Sequence[str] | None = None) -> Exit:
    """Do what the arguments say.

    Args:
        arguments: without the program's name; None: those of the process.
    """
    top = parser()
    options = top.parse_args(arguments)
    if getattr(options, "timeout", None) is not None and not options.wait:
        top.error("--timeout is for --wait")
    try:
        manager = manager_at(options.backend)
    except (ValueError, ImportError) as error:
        return _complain(error, Exit.WRONG_USE)
    try:
        return anyio.run(_do, manager, options)
    except ManagerError as error:
        return _complain(error, Exit.NOT_STORED)
    except TimeoutError:
        return _complain(f"{type(manager).__name__} did not answer within {manager.timeout:g} s", Exit.NOT_STORED)
    except KeyboardInterrupt:
        return Exit.STOPPED


async def _do(manager: CancellationManager, options: argparse.Namespace) -> Exit:
    output = Output(_print, _warn, as_json=options.json)
    with anyio.fail_after(manager.timeout) as limit:
        async with manager:
            match options.command:
                case "runs":
                    return await show_runs(manager, output)
                case "health":
                    return await show_health(manager, output)
                case _:
                    limit.deadline = float("inf")  # these say by themselves how long they wait
            if options.command == "watch":
                return await watch_runs(manager, output, seconds=options.seconds)
            return await cancel_run(
                manager,
                output,
                run_id=options.run_id,
                reason=options.reason,
                by=options.by,
                wait=options.wait,
                timeout=options.timeout,
            )


def _print(line: str) -> None:
    print(line, flush=True)


def _warn(line: str) -> None:
    print(f"python -m actors: {line}", file=sys.stderr, flush=True)


def _complain(error: object, code: Exit) -> Exit:
    _warn(str(error))
    return code


if __name__ == "__main__":
    sys.exit(main())
