"""How fast it is, and how fast it could be: ``python -m benchmarks``; docs/benchmarks.md says how to read the figures."""

# General layout
# --------------
#   _loops, _clock                what runs a sample, and how it is timed
#   _stage, _bodies, stages/      who is measured, on one interface: the hand-written floors, and bargein
#   _measure, measures/           what is measured: one function for each, the same for all stages
#   _rounds, _figures             the samples taken in turns, and what is made of them
#   _targets, _table              the figures to reach, and the table that tells how far it is
