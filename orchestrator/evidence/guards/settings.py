"""Guards on the settings: what was in force, what the code says, what must equal the baseline's."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.evidence.guards.context import Context, fail, last, listed, warn
from orchestrator.evidence.results import show
from orchestrator.records import Evidence, Finding, Scalar

USUALLY_COMPARABLE = {
    "lm_name",
    "model_name",
    "dataset",
    "dataset_name",
    "activation_dim",
    "dict_size",
    "d_sae",
}
USUALLY_COMPARABLE |= {"steps", "num_steps", "training_steps", "layer", "num_tokens", "training_tokens"}
_IDENTITY = {"lm_name", "model_name", "dataset", "dataset_name", "activation_dim"}
_LENGTH = {"steps", "num_steps", "training_steps", "num_tokens", "training_tokens"}
_FACTOR = 2.0
"""Training that is more than so many times as long or as short as the baseline's is another experiment."""
_ALIASES = (
    {"lr", "learning_rate"},
    {"l1_penalty", "sparsity_penalty", "l1_coefficient", "sparsity_coefficient", "l1_coeff"},
    {"k", "topk", "top_k"},
    {"dict_size", "d_sae", "n_latents"},
)
_CLASSES = ("trainer_class", "dict_class", "model_class", "trainer", "architecture")


def not_comparable(context: Context) -> Finding | None:
    """Settings that must equal the baseline's and do not."""
    if context.is_baseline or not context.baselines:
        return None
    if not context.comparable:
        return _usually_comparable(context)
    apart, unknown = [], []
    for key in context.comparable:
        theirs = {b.run: _stated(b, key) for b in context.baselines}
        ours = _stated(context.run, key)
        if ours is None and all(v is None for v in theirs.values()):
            unknown.append(key)
        elif not any(same(ours, v) for v in theirs.values()):
            apart.append(_against(key, ours, theirs))
    if apart:
        return fail("not_comparable", f"It cannot be compared with the baseline: {listed(apart)}.")
    if unknown:
        return warn(
            "not_comparable",
            f"Neither the run nor the baseline states {listed(unknown)}, which must be equal.",
        )
    return None


def _usually_comparable(context: Context) -> Finding | None:
    """Where experiment.toml names nothing: the model, data, layer, sizes and steps, by their usual names."""
    apart, serious = [], False
    for key in sorted({*context.run.settings, *context.measured}, key=_by_weight):
        theirs = {b.run: v for b in context.baselines if (v := _stated(b, key)) is not None}
        ours = _stated(context.run, key)
        known = last(key) in USUALLY_COMPARABLE and theirs and ours is not None
        if known and not any(same(ours, v) for v in theirs.values()):
            apart.append(_against(key, ours, theirs))
            serious = serious or last(key) in _IDENTITY or (last(key) in _LENGTH and _far(ours, theirs))
    if not apart:
        return None
    sentence = f"It differs from the baseline in more than its method: {listed(apart)}."
    return fail("not_comparable", sentence) if serious else warn("not_comparable", sentence)


def _by_weight(key: str) -> tuple[bool, int, str]:
    """Model and data first, and of each kind the keys nearest to the top."""
    return last(key) not in _IDENTITY, key.count("."), key


def _far(ours: Scalar, theirs: Mapping[str, Scalar]) -> bool:
    """Whether our length of training is out of proportion to every baseline's."""
    length, lengths = number_of(ours) or 0.0, [number_of(v) or 0.0 for v in theirs.values()]
    return all(not (n / _FACTOR <= length <= n * _FACTOR) for n in lengths)


def _stated(evidence: Evidence, key: str) -> Scalar:
    return evidence.settings.get(key, evidence.metrics.get(key, evidence.claimed.get(key)))


def _against(key: str, ours: Scalar, theirs: Mapping[str, Scalar]) -> str:
    values = sorted({"nothing" if v is None else str(v) for v in theirs.values()})
    return f"{key} is {'not stated' if ours is None else ours}, the baseline's {' or '.join(values)}"


def data_changed(context: Context) -> Finding | None:
    """Other data than the baseline's, or less of it in the evaluation."""
    name = "data_changed"
    prints = {b.provenance.data for b in context.baselines} - {None}
    ours = context.run.provenance.data
    if not context.is_baseline and ours is not None and prints and ours not in prints:
        first = sorted(p for p in prints if p)[0]
        return fail(name, f"The data are not the baseline's: fingerprint {ours[:12]}, there {first[:12]}.")
    for key, value in context.measured.items():
        theirs = [b.metrics[key] for b in context.baselines if key in b.metrics]
        if _counts_evaluation(key) and theirs and value < min(theirs) and not context.is_baseline:
            return warn(name, f"{key} = {show(value)}: the baseline was evaluated on {show(min(theirs))}.")
    return None


def _counts_evaluation(key: str) -> bool:
    words = set(last(key).split("_"))
    return bool(words & {"eval", "evaluation", "test"}) and bool(words & {"tokens", "samples", "examples", "batches"})


def settings_disagree(context: Context) -> Finding | None:
    """The run states other settings than the evaluator found."""
    if context.results is None or context.evaluated is None:
        return None
    for key, found in context.evaluated.settings.items():
        said = context.results.settings.get(key)
        if said is not None and not same(said, found):
            sentence = f"{context.results_file} says {key} = {said}, the evaluator found {found}."
            return fail("settings_disagree", sentence)
    return None


def settings_contradict(context: Context) -> Finding | None:
    """One setting with two values in one results file, or a TopK whose L0 is not its k."""
    values: dict[str, Scalar] = dict(context.run.settings)
    values |= {k: v for k, v in context.measured.items() if k not in values}
    for names in _ALIASES:
        stated = {key: v for key, v in values.items() if last(key) in names and number_of(v) is not None}
        keys = list(stated)
        other = next((k for k in keys[1:] if not same(stated[k], stated[keys[0]])), None)
        if other is not None:
            sentence = f"The results contradict themselves: {keys[0]} = {stated[keys[0]]}, {other} = {stated[other]}."
            return warn("settings_contradict", f"{sentence} Which was in force is not known.")
    twice = [p for p in (context.results.problems if context.results else []) if "stated twice" in p]
    return warn("settings_contradict", twice[0]) if twice else _k_against_l0(context, values)


def _k_against_l0(context: Context, values: dict[str, Scalar]) -> Finding | None:
    is_topk = any(isinstance(v, str) and "topk" in v.lower() for v in context.run.settings.values())
    k = next((number_of(v) for key, v in context.run.settings.items() if last(key) == "k"), None)
    l0 = next((number_of(v) for key, v in values.items() if last(key) == "l0"), None)
    if not is_topk or not k or l0 is None or k / 2 <= l0 <= 1.5 * k:
        return None
    sentence = f"The settings say k = {show(k)}, but {show(l0)} features are active: another k was in force."
    return warn("settings_contradict", sentence)


def baselines_method(context: Context) -> Finding | None:
    """Settings that name the baseline's own classes, where the code is not known."""
    if context.is_baseline or context.code or context.diff is not None:
        return None
    for baseline in context.baselines:
        shared = [k for k, v in context.run.settings.items() if last(k) in _CLASSES and v == baseline.settings.get(k)]
        if shared:
            named = listed([f"{last(k)} = {context.run.settings[k]}" for k in shared])
            sentence = f"Its settings name the baseline's own method ({named}), and its code is not known."
            return warn("baselines_method", f"{sentence} Nothing shows that it is another method.")
    return None


def number_of(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def same(a: Scalar, b: Scalar) -> bool:
    first, second = number_of(a), number_of(b)
    if first is not None and second is not None:
        return abs(first - second) <= 1e-9 * max(abs(first), abs(second))
    return a == b
