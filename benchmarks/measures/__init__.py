"""What is measured. A measure is one function, the same for all who are measured."""

from benchmarks.measures import crowds, flood, interrupts, lives, memory, messages, storms

MEASURES = (
    *messages.MEASURES,
    *crowds.MEASURES,
    *lives.MEASURES,
    *interrupts.MEASURES,
    *storms.MEASURES,
    *flood.MEASURES,
    *memory.MEASURES,
)
