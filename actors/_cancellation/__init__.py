"""How a cancellation manager is built. The doors are `actors.abc` for those who write one, `actors.testing` to prove it."""

# From bottom to top, as they import each other:
#
#   _intent, _health, _fading, _owner, _survive  records and small parts
#   _lifetime, _blocking, _watch, _worker_lane  opening, calls from synchronous code, the push side, blocking work
#   _manager, _local, _adapted                  the contract, and ways to fulfil it
#   _registration, _upkeep                      what a system's registrar is made of
