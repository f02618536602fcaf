"""Units of measurement: what they measure and how large they are."""

from __future__ import annotations


def _table(text: str) -> dict[str, tuple[str, float]]:
    """`measure size: unit; unit`, a line each."""
    found: dict[str, tuple[str, float]] = {}
    for line in text.strip().splitlines():
        measure, names = line.split(":", 1)
        kind, size = measure.split()
        found |= {name.strip(): (kind, float(size)) for name in names.split(";")}
    return found


UNITS = _table("""
share 0.01: %; percent; per cent
points 1.0: percentage points; percentage point; pp; points; point; pts
time 1e-09: ns
time 1e-06: µs; us
time 0.001: ms; milliseconds
time 1.0: s; sec; seconds; second
time 60.0: min; mins; minutes; minute
time 3600.0: h; hours; hour; hrs
time 86400.0: days
bytes 1.0: B
bytes 1000.0: KB; kB
bytes 1000000.0: MB
bytes 1000000000.0: GB
bytes 1000000000000.0: TB
bytes 1024.0: KiB
bytes 1048576.0: MiB
bytes 1073741824.0: GiB
dB 1.0: dB
bits 1.0: bits
nats 1.0: nats
Hz 1.0: Hz
Hz 1000.0: kHz
Hz 1000000.0: MHz
Hz 1000000000.0: GHz
W 1.0: W
W 1000.0: kW
J 1.0: J
J 1000.0: kJ
J 0.001: mJ
eV 1.0: eV
eV 0.001: meV
K 1.0: K
g 1000.0: kg
g 1.0: g
m 1.0: m
m 1000.0: km
m 0.01: cm
m 0.001: mm
fps 1.0: fps; FPS
°C 1.0: °C
""")
"""What a unit measures, and its size in that measure's base."""


def measure(unit: str) -> str:
    """What a unit measures; empty for one that is not known."""
    return UNITS.get(unit, ("", 1.0))[0]
