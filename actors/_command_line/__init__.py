"""``python -m actors``: looking into the store of a cancellation manager, and cancelling runs in it."""

# From bottom to top, as they import each other:
#
#   _exit, _output                     exit codes; text and JSON
#   _store                             the one door of the core to the backends
#   _runs, _cancel, _watch, _health    one command each
#   _parser                            what can be said on the command line
