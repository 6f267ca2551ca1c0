"""How busy the processors of this machine were, whoever used them; from /proc/stat (proc(5))."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """What all processors together have done since the machine's start, in ticks."""

    busy: int
    idle: int

    @classmethod
    def now(cls) -> Self:
        """Read it."""
        return cls.parse(Path("/proc/stat").read_text())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take it from the first line: user, nice, system, idle, iowait, irq, softirq, steal."""
        ticks = [int(field) for field in text.partition("\n")[0].split()[1:9]]
        idle = ticks[3] + ticks[4]
        return cls(sum(ticks) - idle, idle)

    def busy_percent_since(self, before: "ProcessorTime") -> int:
        """Say how much of the time since then they were busy."""
        busy, idle = self.busy - before.busy, self.idle - before.idle
        return round(100 * busy / (busy + idle)) if busy + idle else 0
