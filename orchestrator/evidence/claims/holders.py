"""Who a number in a sentence belongs to, of several that are mentioned: by enumeration, brackets, order and comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.evidence.claims.lexicon import Mention
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.sentences import Sentence

REFERENCE = re.compile(
    r"\b(?:vs\.?|versus|against|compared (?:to|with|against)|in comparison (?:to|with)|relative"
    r" to|with respect to|than|over|down from|up from|rather than|instead of"
    r"|outperform(?:s|ed|ing)?|beat(?:s|ing|en)?|exceed(?:s|ed|ing)?|surpass(?:es|ed|ing)?|underperform(?:s"
    r"|ed|ing)?|improv(?:es?|ed|ing|ements?) (?:on|over|upon)|from|match(?:es|ed|ing)?|trails?|behind"
    r"|ahead of"
    r"|that of|those of|dominates?|below|above|within (?:the )?noise of|(?:on par|comparable|similar"
    r"|equal|identical|inferior|superior|tied|indistinguishable) (?:with|to|from)|close to"
    r"|(?:difference|different|distinguishable) (?:from|to)|as (?:many|much|high|low|large|small"
    r"|fast|slow|long|good|accurate|few)\b[^.,;]{0,24}? as)\b",
    re.IGNORECASE,
)
"""What stands before the run that another is compared with."""
_TO_RUN = re.compile(
    r"(?:\s|\b(?:the|a|an|our|all|both|either|any|that|those|of|by|unmodified|every|other|for|with"
    r"|in|under|at|plain|about|around|only|just|roughly|nearly|sota|strong)\b|['’]s|[\d.,%×±~≈+\-−\u2009]+(?=[\s)])"
    r"|\bK\b|[a-zA-Z%/Å]{1,6}(?=\s+(?:for|with|of|by)\b)|[$()])*"
)
_RUN_AFTER = re.compile(
    r"[\s)]*(?:\b(?:for|with|by|of|in|under|at|is|was|were|are|reached|obtained|achieved|using|when"
    r"|the|a|an|our|on|observed|measured|reported|found|seen|attained|that|and|it)\b\s*|['’]s\s*"
    r"|\()*\s*",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"\s*(?:,|/|\band\b|,\s*and\b|\bor\b|&|;|,?\s*to\b|→|vs\.?|versus|–)\s*(?:(?:the|a|an|our|on"
    r"|in|of|for|by|about|is|was)\s+)*",
    re.IGNORECASE,
)
_WITH_OBJECT = ("outperform", "beat", "exceed", "surpass", "improv", "match", "dominate", "behind", "ahead", "trail")
_BREAK = re.compile(r",|\b(?:by|reaching|achieving|obtaining|yielding|attaining|giving|where|while)\b")
_PATIENT = re.compile(
    r"\b(?:reduc|rais|lower|increas|decreas|improv|cut|lift|boost|bring|doubl|halv|degrad)(?:es"
    r"|s|ed|e)?\s+(?:the\s+)?\s*(?:of|for)\s+(?:the\s+)?$"
)
"""A run whose metric another one changes: "raises the accuracy of A"."""
_TIMES_THAT = re.compile(r"\s*(?:the|that|those|what)\s[^,;.]{0,40}?\b(?:of|for)\s+(?:the\s+)?")
"""Between "1.7 times" and the run they are counted in: "the latency of"."""
_ALSO = re.compile(
    r"\s*(?:,|\band\b|,\s*and\b)\s*[\d.,%×±\s]+(?:[a-zA-Z%/Å]{1,6}\s+)?(?:for|with|by|of|in)\s+(?:the |a |an )?"
    r"|\s*(?:\([^()]*\)\s*)?by\s+[\d.,%×\s]+(?:points?|pp|percentage points?|times)?\s*(?:,|,?\s*and)\s+(?:the |a |an |over )?"
)
"""Between two runs on the same side of a comparison: "against 0.5 for A and 0.7 for B", "beats A (0.5) by 2 % and B"."""
_AGAINST = re.compile(r"\b(?:vs\.?|versus|against|compared|than|from|relative)\b")
_GOES_ON = re.compile(
    r"\s*(?:[.,;:)\]]|$|(?:for|on|in|with|respectively|at|of|and|or|to|while|across|whereas|when"
    r"|under|by|after|from|is|are|as|%)\b|[^\sA-Za-z])"
)


def run_holder(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> tuple[Mention | None, bool]:
    """The run whose number this is, and whether the number is the other side of a comparison with no run named there."""
    for rule in (listed, paired, in_parentheses, directly_after):
        found = rule(number, sentence, runs)
        if found is not None:
            return found, False
        if rule is paired and _opens_pair(number, sentence, runs):
            return subject(number, sentence, runs), False
    word = _reference_before(number, sentence)
    if word is not None:
        within = [m for m in runs if word.end() <= m.start and m.end <= number.start]
        if within:
            return within[-1], False
        return one_of(references(sentence, runs), number), True
    return subject(number, sentence, runs), False


def facet_holder(number: Number, sentence: Sentence, facets: Sequence[Mention]) -> Mention | None:
    """The data set or part a number is about: enumerated, in brackets, right after, or the nearest before."""
    for rule in (listed, in_parentheses, directly_after):
        found = rule(number, sentence, facets)
        if found is not None:
            return found
    numbers = number_list(number, sentence)
    ordered = list({m.targets: m for m in facets if m.end <= numbers[0].start}.values())
    if len(numbers) > 1 and len(ordered) == len(numbers):
        return ordered[numbers.index(number)]
    start, end = sentence.clause(number.start)
    before = [m for m in facets if m.end <= number.start]
    inside = [m for m in before if m.start >= start]
    after = [m for m in facets if number.end <= m.start < end]
    return next((group[i] for group, i in ((inside, -1), (before, -1), (after, 0), (list(facets), 0)) if group), None)


def number_list(number: Number, sentence: Sentence) -> list[Number]:
    """The numbers that stand in one enumeration with this one."""
    numbers = sentence.numbers
    if number not in numbers:
        return [number]
    at = numbers.index(number)
    first = last = at
    while first > 0 and _joined(sentence, numbers[first - 1], numbers[first]):
        first -= 1
    while last + 1 < len(numbers) and _joined(sentence, numbers[last], numbers[last + 1]):
        last += 1
    return numbers[first : last + 1]


def _joined(sentence: Sentence, a: Number, b: Number) -> bool:
    alike = (a.unit == b.unit or not a.unit or not b.unit) and a.times == b.times
    return (
        alike
        and bool(_STEP.fullmatch(sentence.text[a.end : b.start]))
        and bool(_GOES_ON.match(sentence.text[b.end :]) or b.unit or _named_after(sentence, b))
    )


def _named_after(sentence: Sentence, number: Number) -> bool:
    return any(m.start - number.end <= 2 and m.start >= number.end for m in sentence.mentions)


def listed(number: Number, sentence: Sentence, mentions: Sequence[Mention]) -> Mention | None:
    """In "A, B and C reach 1, 2 and 3" the mention at the number's own place."""
    numbers = number_list(number, sentence)
    if len(numbers) < 2:
        return None
    lists = [found for found in mention_lists(sentence, mentions) if len(found) == len(numbers)]
    ahead = [found for found in lists if found[-1].end <= numbers[0].start]
    behind = [found for found in lists if found[0].start >= numbers[-1].end]
    if not ahead and len(numbers) == 2 and _AGAINST.search(sentence.text[numbers[0].end : numbers[1].start]):
        return None
    chosen = ahead[-1] if ahead else behind[0] if behind else None
    return chosen[numbers.index(number)] if chosen else None


def mention_lists(sentence: Sentence, mentions: Sequence[Mention]) -> list[list[Mention]]:
    lists: list[list[Mention]] = []
    for mention in mentions:
        if lists and mention.start == lists[-1][-1].start:
            continue
        if lists and _STEP.fullmatch(sentence.text[lists[-1][-1].end : mention.start]):
            lists[-1].append(mention)
        else:
            lists.append([mention])
    return [found for found in lists if len(found) > 1 and len({m.targets for m in found}) == len(found)]


def paired(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    """In "A beats B in accuracy (1 vs. 2)" the first number is A's, the second B's."""
    bounds = sentence.parenthesis(number.start)
    if bounds is None or any(bounds[0] <= m.start < bounds[1] for m in runs):
        return None
    numbers = [n for n in sentence.numbers if bounds[0] <= n.start < bounds[1]]
    if (
        len(numbers) < 2
        or number not in numbers[:2]
        or not _AGAINST.search(sentence.text[numbers[0].end : numbers[1].start])
    ):
        return None
    start, _ = sentence.clause(number.start)
    ahead = [m for m in runs if start <= m.start and m.end <= bounds[0]] or [m for m in runs if m.end <= bounds[0]]
    distinct = list({m.targets: m for m in ahead}.values())
    if len(distinct) == 1 and distinct[0].start in {m.start for m in references(sentence, runs)}:
        return distinct[0] if number is numbers[1] else None
    return distinct[numbers.index(number)] if len(distinct) == 2 else None


def _opens_pair(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> bool:
    """Whether the number is the first of "(1 vs. 2)" after a comparison that names only the other side."""
    bounds = sentence.parenthesis(number.start)
    if bounds is None or any(bounds[0] <= m.start < bounds[1] for m in runs):
        return False
    numbers = [n for n in sentence.numbers if bounds[0] <= n.start < bounds[1]]
    return (
        len(numbers) == 2
        and number is numbers[0]
        and bool(_AGAINST.search(sentence.text[numbers[0].end : numbers[1].start]))
    )


def in_parentheses(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    """A (1), (A: 1, B: 2), (1 vs. 2 for B)."""
    bounds = sentence.parenthesis(number.start)
    if bounds is None:
        return None
    inner = [m for m in runs if bounds[0] <= m.start < bounds[1]]
    if inner:
        after = directly_after(number, sentence, inner)
        ahead = [m for m in inner if m.end <= number.start]
        if after is not None:
            return after
        return ahead[-1] if ahead and not _AGAINST.search(sentence.text[ahead[-1].end : number.start]) else None
    holder = [m for m in runs if m.end <= bounds[0] - 1]
    if holder and not _AGAINST.search(sentence.text[bounds[0] : number.start]):
        gap = sentence.text[holder[-1].end : bounds[0] - 1]
        if re.fullmatch(r"\s*(?:(?:model|method|baseline|run|variant|one|SAE|network|itself|alone)\s*){0,2}", gap):
            return _fullest(runs, holder[-1])
    return None


def directly_after(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    """A run right after its number: 0.51 for the baseline, 0.51 (TopK), 0.009 baseline."""
    behind = [m for m in runs if m.start >= number.end]
    if not behind:
        return None
    best = _fullest(runs, behind[0])
    between = sentence.without(number.end, best.start, "metric", "setting")
    bare = re.sub(
        r"^\s*(?!and\b|but\b|or\b|with\b|for\b)[a-zA-Z%µ°]{1,4}/?[a-zA-ZÅ]{0,2}(?=\s+(?:for|with|by|in|\())",
        "",
        between,
    )
    if not _RUN_AFTER.fullmatch(bare) or re.search(r"\band\b|\bfrom\b", bare):
        return None
    if re.search(r"\b(?:of|in)\b", bare) and not re.fullmatch(r"\s*(?:of|in)\s+(?:the\s+|our\s+)?", bare):
        return None
    follower = next((n for n in sentence.numbers if n.start >= best.end), None)
    gap = sentence.text[best.end : follower.start] if follower else "."
    owns_next = re.fullmatch(r"\s*(?:['’]s|\(|reach\w*|at|has|is|gets|:|=|with)\s*", gap)
    return None if follower and not bare.strip(" ()") and owns_next else best


def references(sentence: Sentence, runs: Sequence[Mention]) -> list[Mention]:
    """Every run that stands as the other side of a comparison."""
    found: list[Mention] = []
    for word in REFERENCE.finditer(sentence.masked("metric")):
        behind = [m for m in runs if m.start >= word.end()]
        if not behind or not _TO_RUN.fullmatch(sentence.without(word.end(), behind[0].start, "metric")):
            continue
        found += [m for m in behind if m.start == behind[0].start]
        enumeration = next((e for e in mention_lists(sentence, behind) if e[0].start == behind[0].start), [])
        if enumeration and re.search(r"\b(?:and|or)\b", sentence.text[enumeration[-2].end : enumeration[-1].start]):
            found += [m for e in enumeration[1:] for m in behind if m.start == e.start]
    found += [
        m for m in runs if _PATIENT.search(sentence.masked("metric", until=m.start)) and _follows_metric(sentence, m)
    ]
    for m in runs:
        before = [r for r in found if r.end <= m.start]
        if before and m not in found and _ALSO.fullmatch(sentence.text[max(r.end for r in before) : m.start]):
            found.append(m)
    found += [
        m for n in sentence.numbers if n.times for m in runs if _TIMES_THAT.fullmatch(sentence.text[n.end : m.start])
    ]
    for between in re.finditer(r"\bbetween\b", sentence.text):
        pair = [m for m in runs if m.start >= between.end()]
        if len(pair) >= 2 and re.fullmatch(r"\s+and\s+(?:the\s+)?", sentence.text[pair[0].end : pair[1].start]):
            found.append(pair[1])
    return found


def _follows_metric(sentence: Sentence, run: Mention) -> bool:
    return any(
        re.fullmatch(r"\s+(?:of|for)\s+(?:the\s+)?", sentence.text[m.end : run.start]) for m in sentence.of("metric")
    )


def one_of(found: Sequence[Mention], number: Number) -> Mention | None:
    """Of several references the one for this number: the first after it, else the last before it."""
    after = [m for m in found if m.start >= number.end]
    before = [m for m in found if m.end <= number.start]
    return after[0] if after and not before else before[-1] if before else None


def _reference_before(number: Number, sentence: Sentence) -> re.Match[str] | None:
    """The word that makes the number the other side of a comparison: "from 0.5", "against 0.5", "than TopK's 0.5"."""
    words = list(REFERENCE.finditer(sentence.masked("metric", until=number.start)))
    if not words:
        return None
    last = words[-1]
    tail = sentence.text[last.end() : number.start]
    earlier = [n for n in sentence.numbers if last.end() <= n.start and n.end <= number.start]
    if last.start() < sentence.clause(number.start)[0] or _leads_away(last[0].lower(), tail):
        return None
    if not earlier:
        return None if _BREAK.search(tail) else last
    head = number_list(number, sentence)[0]
    switched = re.search(r"\bto\b|→|–", sentence.text[earlier[-1].end : number.start])
    follows = head is not number and head.start >= last.end() and _reference_before(head, sentence) is not None
    return last if follows and not switched else None


def _leads_away(word: str, tail: str) -> bool:
    """Whether what follows the word turns back to the run that is spoken of: "from 1 to 2", "outperforms A with 2"."""
    if re.search(r"\b(?:to|by)\s*(?:about|roughly|only|just|nearly)?\s*$|;", tail):
        return True
    if word in ("over", "above", "below") and not tail.strip():
        return True
    return word.startswith(_WITH_OBJECT) and bool(re.search(r"\b(?:with|at|in)\b", tail))


def subject(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    """The run that the number's clause is about; that of the clause before where it names none."""
    start, end = sentence.clause(number.start)
    others = {m.start for m in references(sentence, runs)}
    own = [m for m in runs if start <= m.start and m.end <= number.start and m.start not in others]
    if own:
        return _composed(own) or _fullest(runs, own[-1])
    earlier = [m for m in runs if m.end <= start]
    if (
        earlier
        and re.match(r",\s*(?:which|whose|where)", sentence.text[start : start + 12])
        and earlier[-1].start not in others
    ):
        return earlier[-1]
    subjects = [m for m in earlier if m.start not in others]
    if subjects:
        return _fullest(runs, subjects[-1])
    later = [m for m in runs if number.end <= m.start < end and m.start not in others]
    passive = later and re.search(r"\b(?:by|for|with|of|in)\s+(?:the |our |an? )?$", sentence.text[: later[0].start])
    return _fullest(runs, later[0]) if passive else None


def _composed(own: Sequence[Mention]) -> Mention | None:
    """ "With learned weights, the two-branch model": a run named in part beside the one it builds on means itself."""
    for weak in own:
        if (
            weak.weak
            and not weak.role
            and len(weak.targets) == 1
            and any(weak.targets[0] in m.extended_by for m in own if not m.weak)
        ):
            return weak
    return None


def _fullest(mentions: Sequence[Mention], chosen: Mention) -> Mention:
    return min((m for m in mentions if m.start == chosen.start), key=lambda m: m.weak)
