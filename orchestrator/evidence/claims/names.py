"""Models and data sets that a text says were used: they must stand in the runs' settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from orchestrator.evidence.claims.records import CITE
from orchestrator.evidence.claims.sentences import Sentence
from orchestrator.evidence.ledger import Ledger

_MODELS = (
    r"GPT-?(?:2|3|4|J|Neo|NeoX)(?:[- ](?:small|medium|large|XL|xl))?|Pythia(?:-\d+\.?\d*[mMbB])?"
    r"|Gemma(?:-\d(?:-\d+[bB])?|-\d+[bB]| \d[bB])?|L[Ll]a[Mm][Aa]-?\s?\d?(?:\.\d)?(?:-\d+[bB])?"
    r"|Mistral(?:-\d+[bB])?|Mixtral|Qwen[\d.]*(?:-\d+\.?\d*[bB])?|Phi-\d"
    r"|OPT-\d+\.?\d*[mMbB]|BLOOM|T5(?:-\w+)?|(?:Ro|De|Distil|Al)?BERT[a]?(?:-\w+)?|ResNet-?\d+|WideResNet(?:-\d+-\d+"
    r")?|VGG-?\d+|DenseNet-?\d+|EfficientNet(?:-\w\d)?|MobileNet(?:V\d)?|ViT-\w+(?:/\d+)?|DeiT|Swin"
    r"|ConvNeXt|AlexNet|LeNet|U-?Net|CLIP"
    r"|Mamba(?:-\d+[mMbB])?|TinyLlama|TinyStories-\d+[mM]"
)
_DATA = (
    r"CIFAR-?\d+|(?:Tiny|Mini)?-?ImageNet(?:-\w+)?|(?:Fashion-?|K|E)?MNIST|SVHN|STL-?10|CelebA|COCO"
    r"|LSUN|Places365|WikiText-?\d*|(?:the )?Pile|OpenWebText|C4|FineWeb|BookCorpus|enwik8|text8"
    r"|shakespeare_char|Tiny ?Shakespeare|PTB|Penn Treebank|SQuAD|GLUE|SuperGLUE|SST-?2"
    r"|MNLI|QNLI|CoLA|IMDB|AG ?News|WMT-?\d*|IWSLT-?\d*|LibriSpeech|CommonVoice|QM9|ZINC|Cora|Citeseer"
    r"|PubMed|OGB\w*|ogbn-\w+|MuJoCo|Atari|HalfCheetah|Hopper|Walker2d|CartPole|LunarLander|D4RL"
    r"|KITTI|Cityscapes|ADE20K|MovieLens(?:-\w+)?|ETTh\d|ETTm\d|MMLU|HellaSwag|GSM8K|TinyStories"
)
_NAMED = re.compile(rf"(?<![\w-])(?:(?P<model>{_MODELS})|(?P<data>{_DATA}))(?![\w])")
_USED = re.compile(
    r"\b(?:train\w*|evaluat\w*|test(?:ed|ing)?|experiments?|run|ran|measur\w*|use[ds]?|using|fine-?tun\w*"
    r"|results? (?:on|for)|activations|on (?:the )?(?:residual|layer)|benchmark\w*|reach\w*|achiev\w*"
    r"|obtain\w*|report\w*|perform\w*|conduct\w*|demonstrat\w*|comput\w*|collect\w*|extract\w*|stud(?:y"
    r"|ied))\b",
    re.IGNORECASE,
)
_UNUSED = re.compile(
    r"\b(?:future|larger models|such as|e\.g\.|prior|previous|other work|do not|did not|not (?:been"
    r" )?(?:test|train|evaluat|run|use)\w*|remains?|could|unlike|would|extend|has been|have been"
    r"|instead of|rather than|beyond)\b",
    re.IGNORECASE,
)


def names(sentence: Sentence, ledger: Ledger, texts: tuple[str, ...]) -> Iterator[tuple[int, int, str, str]]:
    """Every model or data set said to be used: start, end, where it stands in the settings or '', what is wrong or ''."""
    if not _USED.search(sentence.text) or _UNUSED.search(sentence.text):
        return
    if CITE in sentence.text and not re.search(r"\b(?:[Ww]e|[Oo]urs?)\b", sentence.text) and not sentence.of("run"):
        return
    for match in _NAMED.finditer(sentence.text):
        if any(m.start <= match.start() and match.end() <= m.end for m in sentence.of("run", "failed", "metric")):
            continue
        if re.match(rf"[^,.;]{{0,30}}{CITE}", sentence.text[match.end() :]) and not re.search(
            r"\b(?:[Ww]e|[Oo]ur)\b", sentence.text
        ):
            continue
        known = _known(ledger, texts)
        if not known[0].strip():
            continue
        where = _where(match[0], ledger, known)
        what = "model" if match["model"] else "data set"
        problem = "" if where else f"no run's settings name the {what} {match[0]}"
        yield match.start(), match.end(), where, problem


def _where(name: str, ledger: Ledger, known: tuple[str, str]) -> str:
    wanted = _letters(name.removeprefix("the "))
    for run in ledger.runs:
        for key, value in ledger.executions(run)[0].settings.items():
            if isinstance(value, str) and wanted in _letters(value):
                return f"setting {key} of {run}"
    return "the runs' names, metrics or code" if wanted in known[1] else ""


def _known(ledger: Ledger, texts: tuple[str, ...]) -> tuple[str, str]:
    """The settings that are text, and everything else where a name may stand."""
    settings = [v for run in ledger.runs for v in ledger.executions(run)[0].settings.values() if isinstance(v, str)]
    others = [*ledger.metric_names[:2000], *(ledger.title(run) for run in ledger.runs), *texts]
    return " ".join(settings) or " ".join(others), _all_letters(tuple(others))


@lru_cache(maxsize=8)
def _all_letters(texts: tuple[str, ...]) -> str:
    return " ".join(_letters(text) for text in texts)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
