"""Words of the trade: how names are written, what may be left out of them, what says nothing."""

from __future__ import annotations


def _words(text: str) -> set[str]:
    return set(text.split())


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """`name: way; other way`, a line each."""
    lines = (line.split(":", 1) for line in text.strip().splitlines())
    return {name.strip(): tuple(way.strip() for way in ways.split(";")) for name, ways in lines}


SYNONYMS = _table("""
acc: accuracy
accuracy: acc
auc: area under the curve
auroc: auc; roc auc; area under the roc curve
avg: average; mean
bleu: bleu score
bs: batch size
ce: cross entropy
ce loss score: loss recovered; ce loss recovered; cross entropy loss score
cer: character error rate
comm: communication; communication cost; traffic
corr: correlation
cos sim: cosine similarity
cosine similarity: cossim; cosine sim
cossim: cosine similarity; cosine sim
cross entropy: ce
ctx len: context length
d in: input dimension
d model: model dimension; hidden size; width
d sae: dictionary size; latents; sae width; dictionary
dev: development
dim: dimension
ece: expected calibration error; calibration error
embd: embedding
epochs: epoch
err: error
explained variance: variance explained; ev
f1: f1 score; f score; f1 measure
fid: frechet inception distance; fréchet inception distance
frac: fraction; fraction of; share of
frac alive: alive fraction; fraction of alive features; alive features; alive latents
gpu: gpu
hr: hit rate
iou: intersection over union
iters: iterations; steps
k: top k
kl: kl divergence; kullback leibler divergence
kl div: kl divergence; kl
l1 coeff: l1 coefficient; sparsity coefficient; sparsity penalty
lambda: λ
latency: inference time; delay
lm: language model
loss score: loss recovered
lr: learning rate
mae: mean absolute error; error; absolute error
map: mean average precision
max: maximum
mean: average
mem: memory
min: minimum
minutes: time
miou: mean iou
mrr: mean reciprocal rank
ms: milliseconds
mse: mean squared error; mean square error
n: number of
n embd: embedding size; embedding dimension; model width
n head: heads; attention heads
n layer: layers
ndcg: normalized discounted cumulative gain
nll: negative log likelihood
num: number of
params: parameters
pct: percentage; percent
peak mem: peak memory
perplexity: ppl
ppl: perplexity
psnr: peak signal to noise ratio
r2: r squared; coefficient of determination
ret: return
rew: reward
rmse: root mean squared error; root mean square error; error
rouge: rouge score
rtf: real time factor
sec: second
seconds: time
seq len: sequence length
ssim: structural similarity
std: standard deviation
success rate: success
temp: temperature
throughput: tokens per second
tok: tokens
tokens per second: throughput
train: training
val: validation
validation: val
wall time: wall clock time; training time; run time
wd: weight decay
wer: word error rate
""")
"""Parts of names in code, and the ways to write them in a text."""

UNIT_WORDS = _words(
    """
db gb h hours k kb m mb min minutes ms pct percent s sec seconds secs
"""
)
"""Units at the end of a metric's name."""
DROPPABLE = _words(
    """
average avg best eval final global mean metric n num overall rate score test total val value
"""
)
"""What is often left out of a metric's name."""
DROPPABLE_SETTING = _words(
    """
coeff coefficient deg gb h lm max mb ms n name num path s size target total type
"""
)
"""What is often left out of a setting's name."""
GENERIC = _words(
    """
a add added adds after all an and approach are as at baseline baselines be before best better both by change
combination combined data decrease default each experiment feature features final first for from full high
higher improved in increase increased is it its larger learning less loss low lower method model models more
network new no not of on one only or original our ours per plus proposed rate reduced result results run runs
sae same second set size smaller standard step steps test than that the this three time to train trained
training two use using value values variant version vs with without
"""
)
"""Words of a title that tell no run from another."""
FILLERS = _words(
    """
a and approach baseline method model network plus run sae the using variant version with
"""
)
"""Words that may stand inside a name without being part of it."""
STOP = _words(
    """
a an and as at by for from in is no of on or plus the to using with without
"""
)
"""Words that neither begin nor end a name."""
METHOD = tuple(
    """
our method
our approach
our model
our proposed method
the proposed method
the proposed approach
our proposal
proposed method
our variant
our system
our algorithm
the proposed model
our technique
our architecture
ours
our full method
our full model
proposed
our sae
our framework
our estimator
our policy
our network
our classifier
our agent
our scheme
our implementation
the new method
""".strip().splitlines()
)
"""What a paper calls its own method."""
BASELINE = tuple(
    """
the baseline
baseline
the baselines
baselines
the control
the unmodified baseline
our baseline
the baseline model
baseline model
the reference
""".strip().splitlines()
)
"""What a paper calls its baseline."""
