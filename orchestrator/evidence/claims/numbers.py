"""Numbers in flattened text: their value, how precisely they are written, and what stands around them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from orchestrator.evidence.claims.units import UNITS, measure

SPELLED = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "sixteen": 16, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
}  # fmt: skip
_SPELLED = "|".join(sorted(SPELLED, key=len, reverse=True))
_MULTIPLIERS = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_MINUS = str.maketrans("−–", "--")
_UNIT = "|".join(re.escape(u) for u in sorted(UNITS, key=len, reverse=True))
_DIGITS = r"(?:\d{1,3}(?:[,\u2009]\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_EXPONENT = r"[eE][+\-−–]?\d+|\s*[×x]\s*10\s*\^\s*[{(]?[+\-−–]?\d+[)}]?"
_NUMBER = re.compile(
    rf"(?<![\w.^_])(?P<sign>(?<![\d)\]%\w])[+\-−](?=[\d.])|(?<=\s)–(?=[\d.]))?"
    rf"(?P<digits>{_DIGITS})(?P<exponent>{_EXPONENT})?"
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
        return measure(self.unit) == "share"


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
    """A number, or None where its digits belong to a name, a version or a time."""
    if _goes_on(match, text) or _in_name(match, text):
        return None
    power = int(re.sub(r"^.*?\^\s*[{(]?|^[eE]|[)}]", "", (match["exponent"] or "0").strip()).translate(_MINUS) or 0)
    if abs(power) > 300 or len(match["digits"]) > 300:
        return None
    digits = Decimal(re.sub(r"[,\u2009]", "", match["digits"]))
    scale = Decimal(10) ** power * Decimal(_MULTIPLIERS.get((match["multiplier"] or "").strip(), 1))
    step = float(Decimal(1).scaleb(int(digits.as_tuple().exponent)) * scale)
    zeros = re.search(r"0*$", str(digits))
    whole_zeros = len(zeros[0]) if zeros and digits and "." not in str(digits) else 0
    sign = match["sign"] or ""
    return Number(
        match.start(), match.end(), match[0], float(digits * scale) * (-1 if sign and sign in "-−–" else 1), step,
        signed=bool(sign), unit=(match["unit"] or "").strip(), times=bool(match["times"]), coarse=step * 10**whole_zeros,
    )  # fmt: skip


def _goes_on(match: re.Match[str], text: str) -> bool:
    """Whether the word goes on after the digits: 2nd, 3D, 2.0.1, 8-bit."""
    if match["unit"]:
        return False
    pattern = r"[A-Za-z_^]|[.:]\d" if match["multiplier"] else r"[A-Za-z_^]|[.:]\d|-[A-Za-z]"
    after = text[match.end() : match.end() + 8]
    return bool(re.match(pattern, after)) and not re.match(r"-(?:fold|times|seed|run|point|percent)", after)


def _in_name(match: re.Match[str], text: str) -> bool:
    """Whether a word runs up to the digits: GPT-2, ViT-B/16; a range such as 0.1–0.3 is none."""
    if match["sign"] or not re.search(r"[A-Za-z0-9\ue000][-/–]$|[A-Za-z]\.$|\d:$", text[: match.start()][-2:]):
        return False
    return not re.search(r"(?:^|[\s(\[$])[\d.,]+[%x]?\s?[–-]$|\d/$", text[: match.start()][-12:])


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
