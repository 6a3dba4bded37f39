"""What is measured. A measure is one function, the same for all who are measured."""

from benchmarks.measures import fan_out, flood, interrupts, memory, messages, storms

MEASURES = (
    *messages.MEASURES,
    *fan_out.MEASURES,
    *interrupts.MEASURES,
    *storms.MEASURES,
    *flood.MEASURES,
    *memory.MEASURES,
)
