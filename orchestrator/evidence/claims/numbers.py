"""Numbers in flattened text: their value, how precisely they are written, and what stands around them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

SPELLED = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "sixteen": 16, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
}  # fmt: skip
_SPELLED = "|".join(sorted(SPELLED, key=len, reverse=True))
_MULTIPLIERS = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "thousand": 1e3, "million": 1e6, "billion": 1e9}
UNITS = {
    "%": ("share", 0.01), "percent": ("share", 0.01), "per cent": ("share", 0.01),
    "percentage points": ("points", 1.0), "percentage point": ("points", 1.0), "pp": ("points", 1.0), "points": ("points", 1.0),
    "point": ("points", 1.0), "pts": ("points", 1.0), "ns": ("time", 1e-9), "µs": ("time", 1e-6), "us": ("time", 1e-6),
    "ms": ("time", 1e-3), "milliseconds": ("time", 1e-3), "s": ("time", 1.0), "sec": ("time", 1.0), "seconds": ("time", 1.0),
    "second": ("time", 1.0), "min": ("time", 60.0), "mins": ("time", 60.0), "minutes": ("time", 60.0), "minute": ("time", 60.0),
    "h": ("time", 3600.0), "hours": ("time", 3600.0), "hour": ("time", 3600.0), "hrs": ("time", 3600.0), "days": ("time", 86400.0),
    "B": ("bytes", 1.0), "KB": ("bytes", 1e3), "kB": ("bytes", 1e3), "MB": ("bytes", 1e6), "GB": ("bytes", 1e9), "TB": ("bytes", 1e12),
    "KiB": ("bytes", 2.0**10), "MiB": ("bytes", 2.0**20), "GiB": ("bytes", 2.0**30), "dB": ("dB", 1.0), "bits": ("bits", 1.0),
    "nats": ("nats", 1.0), "Hz": ("Hz", 1.0), "kHz": ("Hz", 1e3), "MHz": ("Hz", 1e6), "GHz": ("Hz", 1e9), "W": ("W", 1.0), "kW": ("W", 1e3),
    "J": ("J", 1.0), "kJ": ("J", 1e3), "mJ": ("J", 1e-3), "eV": ("eV", 1.0), "meV": ("eV", 1e-3), "K": ("K", 1.0), "kg": ("g", 1e3),
    "g": ("g", 1.0), "m": ("m", 1.0), "km": ("m", 1e3), "cm": ("m", 1e-2), "mm": ("m", 1e-3), "fps": ("fps", 1.0), "FPS": ("fps", 1.0),
    "°C": ("°C", 1.0),
}  # fmt: skip
"""What a unit measures, and its size in that measure's base."""
_UNIT = "|".join(re.escape(u) for u in sorted(UNITS, key=len, reverse=True))
_DIGITS = r"(?:\d{1,3}(?:[,\u2009]\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_EXPONENT = r"[eE][+\-−–]?\d+|\s*[×x]\s*10\s*\^\s*[{(]?[+\-−–]?\d+[)}]?"
_NUMBER = re.compile(
    rf"(?<![\w.^_])(?P<sign>(?<![\d)\]%\w])[+\-−](?=[\d.])|(?<=\s)–(?=[\d.]))?(?P<digits>{_DIGITS})(?P<exponent>{_EXPONENT})?"
    r"(?:(?P<multiplier>[kKMBT](?![\w])|\s?(?:thousand|million|billion)\b)|(?P<times>\s?[×](?!\s*\d)"
    r"|x(?!\w)|-?\s?fold\b|[\s-]?times\b))?"
    rf"(?P<unit>\s?(?:{_UNIT})(?:\s?/\s?(?:Å|s|h|epoch|step|token|day|min|m|kg|g|K|GB|mol|atom)\b)?(?![\w/^]))?"
)
_POWER = re.compile(r"(?<![\w.])10\s*\^\s*(?P<exponent>[+\-−]?\d+)")
_WORDS = re.compile(
    rf"\b(?:(?P<fold>{_SPELLED})(?:-?\s?fold\b|[\s-]times\b)|(?P<twice>twice|doubl(?:es|ed|ing)|double the|doubling of)\b"
    r"|(?P<triple>tripl(?:es|ed|ing)|triple the|thrice)\b|(?P<quadruple>quadrupl(?:es|ed|ing))\b"
    r"|(?P<half>halv(?:es|ed|ing)|half (?:the|of|as|that)|by half|(?:cut|reduced) in half)\b"
    r"|(?P<third>(?:a|one) third(?= of| the| as)|by (?:a|one) third)\b|(?P<twothirds>(?:by )?two[- ]thirds)\b"
    r"|(?P<quarter>(?:a|one) quarter(?= of| the| as)|by (?:a|one) quarter)\b|(?P<order>(?:an|one) order of magnitude)\b)",
    re.IGNORECASE,
)
_WORD_VALUES = {
    "twice": 2,
    "triple": 3,
    "quadruple": 4,
    "half": 0.5,
    "third": 1 / 3,
    "twothirds": 2 / 3,
    "quarter": 0.25,
    "order": 10,
}
_TIMES_DONE = re.compile(r"\b(?:fail\w*|run|ran|repeat\w*|tried|crash\w*|evaluated|counted|cited)\s+$", re.IGNORECASE)
_COUNT = re.compile(
    rf"\b(?P<count>{_SPELLED})\b(?=[\s\u2009-]+(?:[A-Za-z0-9]+[\s-]){{0,2}}(?P<what>GPUs?|TPUs?"
    rf"|A100s?|H100s?|V100s?|nodes?|seeds?|runs?|repetitions?|replicates?|repeats|trials|attempts"
    rf"|baselines?|executions))",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"(?:about|around|approximately|roughly|nearly|almost|circa|ca\.|some|≈|~|close to|on the order of|up to)\s*$", re.I
)
_OVER = re.compile(
    r"(?:more than|over|above|exceed(?:s|ed|ing)|at least|greater than|surpass(?:es|ed|ing)|higher"
    r" than|>|≥|larger than|as high as)\s*$",
    re.I,
)
_UNDER = re.compile(
    r"(?:less than|under|below|at most|fewer than|lower than|within|<|≤|smaller than|as low as)\s*$", re.I
)


@dataclass(frozen=True)
class Number:
    """One number as written. `step` is one unit of its last written digit."""

    start: int
    end: int
    written: str
    value: float
    step: float
    signed: bool = False
    unit: str = ""
    times: bool = False
    """Whether it is a factor: 3×, threefold."""
    spelled: bool = False
    word: str = ""
    """For a count in words, what is counted."""
    bound: str = ""
    """"about", "over" or "under" where a word before says so."""
    coarse: float = 0.0
    """The step where zeros at the end do not count."""
    half: Number | None = None
    """What stands after a ±."""

    @property
    def share(self) -> bool:
        return UNITS.get(self.unit, ("", 0))[0] == "share"


def find_numbers(text: str) -> list[Number]:
    """Every number of a text in order, words such as "twofold" included; digits that belong to a name are none."""
    found = [n for m in _NUMBER.finditer(text) if (n := _number(m, text))]
    found += [_word(m) for m in _WORDS.finditer(text) if not _TIMES_DONE.search(text[: m.start()])] + [
        _power(m) for m in _POWER.finditer(text) if not _inside(m.start(), found)
    ]
    found += [
        _count(m)
        for m in _COUNT.finditer(text)
        if not any(w.start() <= m.start() < w.end() for w in _WORDS.finditer(text))
    ]
    found.sort(key=lambda n: (n.start, -n.end))
    return _with_halves([_with_bound(n, text) for n in _apart(found)], text)


def _inside(at: int, found: list[Number]) -> bool:
    return any(n.start <= at < n.end and n.end - n.start > 2 for n in found)


def _apart(found: list[Number]) -> list[Number]:
    kept: list[Number] = []
    for number in found:
        if not kept or number.start >= kept[-1].end:
            kept.append(number)
        elif number.end > kept[-1].end:
            kept[-1] = number
    return kept


def _number(match: re.Match[str], text: str) -> Number | None:
    after = text[match.end() : match.end() + 2]
    joined = r"[A-Za-z_^]|[.:]\d" if match["multiplier"] else r"[A-Za-z_^]|[.:]\d|-[A-Za-z]"
    if re.match(joined, after) and not match["unit"]:
        if not re.match(r"-(?:fold|times|seed|run|point|percent)", text[match.end() : match.end() + 8]):
            return None
    before = text[max(0, match.start() - 2) : match.start()]
    if (
        re.search(r"[A-Za-z0-9\ue000][-/–]$|[A-Za-z]\.$|\d:$", before)
        and not match["sign"]
        and not re.search(r"(?:^|[\s(\[$])[\d.,]+[%x]?\s?[–-]$|\d/$", text[max(0, match.start() - 12) : match.start()])
    ):
        return None
    try:
        digits = Decimal(re.sub(r"[,\u2009]", "", match["digits"]))
        power = int(
            re.sub(r"^.*?\^\s*[{(]?|^[eE]|[)}]", "", (match["exponent"] or "0").strip())
            .replace("−", "-")
            .replace("–", "-")
            or 0
        )
        if abs(power) > 300:
            return None
        scale = Decimal(10) ** power * Decimal(_MULTIPLIERS.get((match["multiplier"] or "").strip(), 1))
    except (InvalidOperation, ValueError):
        return None
    negative = (match["sign"] or "") in "-−–" and bool(match["sign"])
    places = Decimal(1).scaleb(int(digits.as_tuple().exponent))
    zeros = len(str(digits)) - len(str(digits).rstrip("0")) if "." not in str(digits) and digits else 0
    value = float(digits * scale)
    return Number(
        match.start(), match.end(), text[match.start() : match.end()], -value if negative else value, float(places * scale),
        signed=bool(match["sign"]), unit=(match["unit"] or "").strip(), times=bool(match["times"]),
        coarse=float(places * scale) * 10**zeros,
    )  # fmt: skip


def _word(match: re.Match[str]) -> Number:
    group = match.lastgroup or ""
    value = SPELLED[match["fold"].lower()] if group == "fold" else _WORD_VALUES[group]
    tolerance = 0.25 * value if value < 1 else 0.5 if group != "order" else 10.0
    return Number(
        match.start(), match.end(), match[0], float(value), tolerance, times=True, spelled=True, coarse=2 * tolerance
    )


def _power(match: re.Match[str]) -> Number:
    value = 10.0 ** max(-300, min(300, int(match["exponent"].replace("−", "-"))))
    return Number(match.start(), match.end(), match[0], value, value, coarse=value)


def _count(match: re.Match[str]) -> Number:
    value = float(SPELLED[match["count"].lower()])
    return Number(
        match.start("count"),
        match.end("count"),
        match["count"],
        value,
        1.0,
        spelled=True,
        word=match["what"].lower().rstrip("s"),
        coarse=1.0,
    )


def _with_bound(number: Number, text: str) -> Number:
    before = text[max(0, number.start - 24) : number.start]
    for bound, pattern in (("about", _ABOUT), ("over", _OVER), ("under", _UNDER)):
        if pattern.search(before):
            return replace(number, bound=bound)
    return number


def _with_halves(numbers: list[Number], text: str) -> list[Number]:
    """Joins `a ± b`; a unit after b counts for a too."""
    joined: list[Number] = []
    for number in numbers:
        between = text[joined[-1].end : number.start] if joined else ""
        if joined and joined[-1].half is None and re.fullmatch(r"[\s)%]*±\s*|\s*\+/-\s*", between):
            unit = joined[-1].unit or number.unit
            whole = text[joined[-1].start : number.end]
            joined[-1] = replace(joined[-1], half=number, unit=unit, end=number.end, written=whole)
        else:
            joined.append(number)
    return joined
