"""Which metric and which run a number in a sentence speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.evidence.claims.lexicon import Mention
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.sentences import REFERENCE, Sentence
from orchestrator.evidence.ledger import Ledger

_LINK_BEFORE = re.compile(
    r"[\s:=≈~(,]*(?:\b(?:of|is|was|were|are|at|to|by|from|as|about|around|roughly|approximately|nearly|only|just|over|under|than|above|below|score|scores|value|values|equal|equals"
    r"|reaches|reached|stays|remains|becomes|falls|rises|drops|fell|rose|dropped|increases|decreases|improves|grows|goes|went|up|down|further|a|an|the|mean|average|between|in|stands|on|for|with|level|rate|be|more|less|most|least|exceeds|exactly|loss|error"
    r"|coefficient|set|fixed|had|has|have|been|increased|decreased|improved|reduced|loses|gains)\b[\s:=≈~(]*){0,6}[<>≤≥=\[{(]*\s*"
)
_LINK_AFTER = re.compile(
    r"[\s)-]*(?:\b(?:in|of|the|its|their|lower|higher|better|worse|less|fewer|more|greater|smaller|larger|relative|absolute|reduction|increase|improvement|drop|gain|decrease|rise|mean|average|points?"
    r"|percentage|change|difference|gap|for|a|decline|growth|saving|speed-?up|test|final|total|loss|active|distinct|different|as|low|high|much|random|training)\b[\s)-]*){0,6}"
)
_RUN_AFTER = re.compile(
    r"[\s,)]*(?:\b(?:for|with|by|of|in|under|at|is|was|were|are|reached|obtained|achieved|using|when|the|a|an|our|on|observed|measured|reported|found|seen|attained|that|from|and|it)\b\s*|['’]s\s*|\()*\s*",
    re.IGNORECASE,
)
_STEP = re.compile(r"\s*(?:,|/|\band\b|,\s*and\b|\bor\b|&|;|,?\s*to\b|→|vs\.?|versus|–)\s*(?:(?:the|a|an|our|on|in|of|by|about|is|was)\s+)*", re.IGNORECASE)


@dataclass(frozen=True)
class Binding:
    """Candidates of metric and run; more than one: the text leaves open which."""

    metrics: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    setting: tuple[str, ...] = ()
    failed: str = ""
    attached: bool = False
    """Whether the quantity stands right beside the number."""


def bind(number: Number, sentence: Sentence, ledger: Ledger) -> Binding:
    """The metric or setting, and the run, that the sentence gives to the number."""
    quantity, attached = _quantity(number, sentence)
    run = run_of(number, sentence, ledger)
    failed = run.targets[0] if run is not None and run.kind == "failed" else ""
    runs = run.targets if run is not None and not failed else ()
    if quantity is None:
        return Binding((), runs, (), failed)
    if quantity.kind == "setting":
        return Binding((), runs, quantity.targets, failed, attached)
    return Binding(quantity.targets, runs, (), failed, attached)


def _quantity(number: Number, sentence: Sentence) -> tuple[Mention | None, bool]:
    named = sentence.of("metric", "setting")
    listed = _listed(number, sentence, sentence.of("metric"))
    if listed is not None:
        return listed, True
    before = _attached_before(number, sentence, named)
    after = _attached_after(number, sentence, named)
    if before is not None and (after is None or after.kind == "setting" or before.kind == "metric"):
        return (before if before.kind == "metric" or after is None or after.kind == before.kind else after), True
    if after is not None:
        return after, True
    head = _list_head(number, sentence)
    if head is not number:
        found = _attached_before(head, sentence, named)
        if found is not None:
            return found, True
    return _near(number, sentence, sentence.of("metric")), False


def _attached_before(number: Number, sentence: Sentence, named: Sequence[Mention]) -> Mention | None:
    ahead = [m for m in named if m.end <= number.start]
    if not ahead:
        return None
    best = _pick(ahead, max(m.end for m in ahead))
    between = sentence.text[best.end : number.start]
    runs = [m for m in sentence.of("run", "failed") if best.end <= m.start and m.end <= number.start]
    for run in reversed(runs):
        between = between[: run.start - best.end] + " " + between[run.end - best.end :]
    bare = re.sub(r"[↑↓%]|\((?:[^()]{0,12})\)|['’]s\b", " ", between)
    return best if _LINK_BEFORE.fullmatch(bare) else None


def _pick(mentions: Sequence[Mention], end: int) -> Mention:
    """Of the mentions that end at a place, a metric rather than a setting, one in full rather than in part."""
    return min((m for m in mentions if m.end == end), key=lambda m: (m.weak, m.kind != "metric"))


def _attached_after(number: Number, sentence: Sentence, named: Sequence[Mention]) -> Mention | None:
    behind = [m for m in named if m.start >= number.end - 1]
    if not behind:
        return None
    start = min(m.start for m in behind)
    best = min((m for m in behind if m.start == start), key=lambda m: (m.weak, m.kind != "metric"))
    between = sentence.text[number.end : best.start]
    if not _LINK_AFTER.fullmatch(between):
        return None
    follower = next((n for n in sentence.numbers if n.start >= best.end), None)
    owns_next = follower is not None and re.fullmatch(r"\s*(?:of|is|=|:|at)\s*", sentence.text[best.end : follower.start])
    return None if owns_next and between.strip() in ("", "for") else best


def _near(number: Number, sentence: Sentence, metrics: Sequence[Mention]) -> Mention | None:
    """The nearest metric: before it in its clause, before it in the sentence, after it, in the sentences before."""
    start, end = sentence.clause(number.start)
    parenthesis = sentence.parenthesis(number.start)
    if parenthesis is not None:
        inner = [m for m in metrics if parenthesis[0] <= m.start < parenthesis[1]]
        if inner:
            ahead_inner = [m for m in inner if m.end <= number.start]
            return ahead_inner[-1] if ahead_inner else inner[0]
    groups = (
        [m for m in metrics if start <= m.start and m.end <= number.start][::-1],
        [m for m in metrics if number.end <= m.start < end],
        [m for m in metrics if m.end <= number.start][::-1],
        [m for m in metrics if m.start >= number.end],
    )
    for group in groups:
        if group:
            return _strongest_at(group)
    return _carried(sentence, "metric")


def _strongest_at(group: list[Mention]) -> Mention:
    same = [m for m in group if m.start == group[0].start]
    return min(same, key=lambda m: m.weak)


def _carried(sentence: Sentence, kind: str) -> Mention | None:
    """What the text before spoke of last: the lead of a list, the sentences before, the heading."""
    for earlier in reversed(sentence.before):
        found = earlier.of(kind)
        if found:
            own = {m.targets for m in found}
            return found[-1] if kind == "run" or len(own) == 1 else _merged(found)
    return None


def _merged(found: list[Mention]) -> Mention:
    last = found[-1]
    return Mention(last.kind, tuple(dict.fromkeys(t for m in found for t in m.targets)), last.start, last.end, True)


def _list_of(number: Number, sentence: Sentence) -> list[Number]:
    """The numbers that stand in one enumeration with this one."""
    numbers = sentence.numbers
    at = numbers.index(number)
    first = last = at
    while first > 0 and _STEP.fullmatch(sentence.text[numbers[first - 1].end : numbers[first].start]):
        first -= 1
    while last + 1 < len(numbers) and _STEP.fullmatch(sentence.text[numbers[last].end : numbers[last + 1].start]):
        last += 1
    return numbers[first : last + 1]


def _list_head(number: Number, sentence: Sentence) -> Number:
    return _list_of(number, sentence)[0]


def _mention_lists(sentence: Sentence, mentions: Sequence[Mention]) -> list[list[Mention]]:
    lists: list[list[Mention]] = []
    for mention in mentions:
        if lists and mention.start == lists[-1][-1].start:
            continue
        if lists and _STEP.fullmatch(sentence.text[lists[-1][-1].end : mention.start]):
            lists[-1].append(mention)
        else:
            lists.append([mention])
    return [found for found in lists if len(found) > 1]


def _listed(number: Number, sentence: Sentence, mentions: Sequence[Mention]) -> Mention | None:
    """In "A, B and C reach 1, 2 and 3" the mention at the number's own place."""
    numbers = _list_of(number, sentence)
    if len(numbers) < 2:
        return None
    lists = [found for found in _mention_lists(sentence, mentions) if len(found) == len(numbers)]
    ahead = [found for found in lists if found[-1].end <= numbers[0].start]
    behind = [found for found in lists if found[0].start >= numbers[-1].end]
    chosen = ahead[-1] if ahead else behind[0] if behind else None
    return chosen[numbers.index(number)] if chosen else None


def run_of(number: Number, sentence: Sentence, ledger: Ledger) -> Mention | None:
    """The run whose number this is, by the way the sentence is built."""
    runs = sentence.of("run", "failed")
    listed = _listed(number, sentence, runs)
    if listed is not None:
        return listed
    inside = _in_parentheses(number, sentence, runs)
    if inside is not None:
        return inside
    following = _directly_after(number, sentence, runs)
    if following is not None:
        return following
    if _is_reference(number, sentence):
        return _reference_for(number, sentence, runs, ledger)
    return _subject(number, sentence, runs) or _carried_run(sentence) or _method(ledger)


def _in_parentheses(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    bounds = sentence.parenthesis(number.start)
    if bounds is None:
        return None
    inner = [m for m in runs if bounds[0] <= m.start < bounds[1]]
    if inner:
        after = _directly_after(number, sentence, inner)
        ahead = [m for m in inner if m.end <= number.start and "," not in _own(sentence, m, number)]
        if after is not None:
            return after
        if ahead and not _switched(sentence.text[ahead[-1].end : number.start]):
            return ahead[-1]
        return None
    numbers = [n for n in sentence.numbers if bounds[0] <= n.start < bounds[1]]
    holder = [m for m in runs if m.end <= bounds[0] - 1]
    if holder and len(numbers) <= 2 and not _switched(sentence.text[bounds[0] : number.start]):
        gap = sentence.text[holder[-1].end : bounds[0] - 1]
        if re.fullmatch(r"\s*(?:[A-Za-z-]+\s*){0,2}", gap) and not re.search(r"\b(?:in|by|on|at|with)\b", gap):
            return holder[-1]
    return None


def _own(sentence: Sentence, mention: Mention, number: Number) -> str:
    between = sentence.text[mention.end : number.start]
    return between if any(mention.end <= n.start < number.start for n in sentence.numbers) else ""


def _switched(text: str) -> bool:
    """Whether a text goes over to the other side of a comparison."""
    return bool(re.search(r"\b(?:vs\.?|versus|against|compared|than|from|relative)\b", text))


def _directly_after(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    """A run right after the number: 0.51 for the baseline, 0.51 (TopK), 0.009 baseline."""
    behind = [m for m in runs if m.start >= number.end]
    if not behind:
        return None
    best = min((m for m in behind if m.start == behind[0].start), key=lambda m: m.weak)
    between = sentence.text[number.end : best.start]
    metrics = [m for m in sentence.of("metric", "setting") if number.end <= m.start and m.end <= best.start]
    for metric in reversed(metrics):
        between = between[: metric.start - number.end] + " " + between[metric.end - number.end :]
    if not _RUN_AFTER.fullmatch(between) or re.search(r",|\band\b|\bfrom\b", between.rstrip()):
        return None
    if re.search(r"\bof\b", between) and not re.fullmatch(r"\s*of\s+(?:the\s+)?", between):
        return None
    follower = next((n for n in sentence.numbers if n.start >= best.end), None)
    gap = sentence.text[best.end : follower.start] if follower else "."
    if follower and not between.strip(" ()") and re.fullmatch(r"\s*(?:['’]s|\(|reaches|at|has|is|:|=|with)\s*", gap):
        return None
    return best


def _is_reference(number: Number, sentence: Sentence) -> bool:
    """Whether the number is what another is compared with: "from 0.5", "against 0.5", "than 0.5"."""
    ahead = sentence.text[: number.start]
    last = None
    for last in REFERENCE.finditer(ahead):  # noqa: B007 (the last one is wanted)
        pass
    if last is None:
        return False
    tail = ahead[last.end() :]
    if re.search(r"\bto\s*(?:about|roughly|only)?\s*$", tail) or any(last.end() <= n.start < number.start for n in sentence.numbers):
        return False
    if last[0] == "over" and re.fullmatch(r"\s*", tail):
        return False
    if re.search(r"[;,]|\b(?:by|with|reaching|achieving|obtaining|yielding|attaining|giving|at)\b", tail):
        return bool(re.fullmatch(r"[^,;]*\bat\b\s*|[^,;]*\bwith\b[^,;]*", tail)) and not re.search(r"\bby\b", tail)
    return not re.search(r"\bby\s*$", ahead)


def _reference_for(number: Number, sentence: Sentence, runs: Sequence[Mention], ledger: Ledger) -> Mention | None:
    ahead = sentence.text[: number.start]
    last = list(REFERENCE.finditer(ahead))[-1]
    within = [m for m in runs if last.end() <= m.start and m.end <= number.start]
    if within:
        return within[-1]
    anywhere = referred(sentence, runs)
    if anywhere is not None:
        return anywhere
    return baseline_mention(ledger)


def referred(sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    """The run that others are compared with: after "than", "over", "compared to", "outperforms"."""
    for word in REFERENCE.finditer(sentence.text):
        if word[0] in ("from", "that of") and not re.match(r"\s*(?:the|our|an?)?\s*$", sentence.text[word.end() :][:1]):
            pass
        near = [m for m in runs if m.start >= word.end() and re.fullmatch(r"[\s]*(?:\b(?:the|a|an|our|all|both|either|any|that|those|of|by|unmodified|every|other|in|with)\b\s*|['’]s\s*)*", sentence.text[word.end() : m.start])]
        if near:
            return near[0]
    return None


def baseline_mention(ledger: Ledger) -> Mention | None:
    return Mention("run", tuple(ledger.baselines), 0, 0, True) if ledger.baselines else None


def _subject(number: Number, sentence: Sentence, runs: Sequence[Mention]) -> Mention | None:
    """The run that the number's clause is about."""
    start, end = sentence.clause(number.start)
    references = {id(m) for m in _references(sentence, runs)}
    opening = sentence.text[start : start + 12]
    in_clause = [m for m in runs if start <= m.start and m.end <= number.start]
    own = [m for m in in_clause if id(m) not in references] or ([] if references else in_clause)
    if own:
        return _at_same_place(own, own[-1])
    earlier = [m for m in runs if m.end <= start]
    if earlier and re.match(r",\s*(?:which|whose|where)", opening):
        return earlier[-1]
    subjects = [m for m in earlier if id(m) not in references]
    if subjects:
        return _at_same_place(subjects, subjects[-1])
    if in_clause:
        return None if _is_change(sentence, in_clause[-1], number) else in_clause[-1]
    later = [m for m in runs if number.end <= m.start < end and id(m) not in references]
    return later[0] if later else None


def _is_change(sentence: Sentence, reference: Mention, number: Number) -> bool:
    return True


def _at_same_place(mentions: Sequence[Mention], chosen: Mention) -> Mention:
    return min((m for m in mentions if m.start == chosen.start), key=lambda m: m.weak)


def _references(sentence: Sentence, runs: Sequence[Mention]) -> list[Mention]:
    """Every run that stands as the other side of a comparison."""
    found = []
    for word in REFERENCE.finditer(sentence.text):
        pattern = r"[\s]*(?:\b(?:the|a|an|our|all|both|either|any|that|those|of|by|unmodified|every|other)\b\s*)*"
        found += [m for m in runs if m.start >= word.end() and re.fullmatch(pattern, sentence.text[word.end() : m.start])]
    return found


def _carried_run(sentence: Sentence) -> Mention | None:
    for earlier in reversed(sentence.before):
        runs = earlier.of("run", "failed")
        if runs:
            references = {id(m) for m in _references(earlier, runs)}
            subjects = [m for m in runs if id(m) not in references]
            return subjects[0] if subjects else None
    return None


def _method(ledger: Ledger) -> Mention | None:
    others = [run for run in ledger.runs if run not in ledger.baselines]
    return Mention("run", tuple(others), 0, 0, True) if others else baseline_mention(ledger)


def subject_of(sentence: Sentence, ledger: Ledger, at: int) -> Mention | None:
    """The run a comparison at a place is about."""
    here = Number(at, at, "", 0.0, 1.0)
    runs = sentence.of("run", "failed")
    return _subject(here, sentence, runs) or _carried_run(sentence)
