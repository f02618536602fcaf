"""The parts of sae_variants against their equations, computed independently; quick, without the language model."""

import json
import sys

import pytest
import torch

from orchestrator.shipped import folder

sys.path.insert(0, str(folder("experiments") / "sae_variants"))

import evaluate
import experiment
from corpus import SetupError
from sparse import decode_topk, encode_topk

VARIANTS = tuple(experiment.BASELINES)


def made(variant, d_in=12, d_sae=40, k=4):
    torch.manual_seed(0)
    cfg = experiment.replace(experiment.BASELINES[variant], d_sae=d_sae, k=k)
    sae = experiment.SAE(cfg, torch.randn(d_in) * 0.1)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        sae.normalise_decoder()
        if variant in ("batchtopk", "matryoshka"):
            sae.threshold.fill_(0.3)
    return sae


def batch(tokens=64, d_in=12):
    torch.manual_seed(1)
    numbers = torch.zeros(tokens, dtype=torch.long)
    return experiment.Batch(torch.randn(tokens, d_in), numbers, numbers, numbers)


def test_sparse_and_dense_topk_give_the_same_values_and_gradients():
    x = batch().x
    results = []
    for sparse in (True, False):
        sae = made("topk")
        if sparse:
            values, index = encode_topk(x, sae.W_enc, sae.b_enc - sae.W_enc @ sae.b_dec, 4)
            x_hat = decode_topk(values.relu(), index, sae.W_dec) + sae.b_dec
        else:
            x_hat = sae.decode(sae.encode(x))
        experiment.squared_error(x, x_hat).backward()
        results.append((x_hat, sae.W_enc.grad, sae.W_dec.grad, sae.b_enc.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_standard_loss_is_its_equation():
    sae, data = made("standard"), batch()
    loss, l0 = experiment.standard_loss(sae, data, progress=1.0)
    f = torch.relu((data.x - sae.b_dec) @ sae.W_enc.T + sae.b_enc)
    x_hat = f @ sae.W_dec + sae.b_dec
    wanted = ((data.x - x_hat) ** 2).sum(1).mean() + sae.cfg.sparsity_weight * f.abs().sum(1).mean()
    torch.testing.assert_close(loss, wanted)
    assert l0.item() == (f > 0).sum(1).float().mean().item()


def test_the_jumprelu_gradients_are_the_papers():
    z = torch.tensor([[0.05, 0.2, 0.11]], requires_grad=True)
    threshold = torch.tensor([0.1, 0.1, 0.1], requires_grad=True)
    f, on = experiment.JumpReLU.apply(z, threshold, 0.1)
    (2 * f + 3 * on).sum().backward()
    assert f.tolist()[0] == pytest.approx([0.0, 0.2, 0.11])
    assert z.grad.tolist()[0] == pytest.approx([0.0, 2.0, 2.0])
    # Within half a bandwidth of the threshold: -(2 θ + 3) / ε; elsewhere nothing.
    assert threshold.grad.tolist() == pytest.approx([0.0, 0.0, -(2 * 0.1 + 3) / 0.1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_evaluator_rebuilds_what_training_encodes(variant, tmp_path):
    sae, x = made(variant), batch().x
    source = experiment.default_source()
    experiment.save(sae, source, 2.0, tmp_path)
    config = json.loads((tmp_path / "sae_config.json").read_text())
    encoder = evaluate.load_encoder(tmp_path, config, 12)
    with torch.no_grad():
        f = sae.encode(x)
        torch.testing.assert_close(encoder.encode(x / 2), f, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(encoder.decode(f), sae.decode(f) / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_loss_reaches_encoder_and_decoder_and_encoding_changes_no_state(variant):
    sae, data = made(variant), batch()
    loss, _ = experiment.LOSSES[variant](sae, data, 1.0)
    loss.backward()
    assert sae.W_enc.grad.abs().sum() > 0
    assert sae.W_dec.grad.abs().sum() > 0
    before = {name: buffer.clone() for name, buffer in sae.named_buffers()}
    sae.encode(data.x)
    assert all(torch.equal(before[name], buffer) for name, buffer in sae.named_buffers())


def test_metrics_equal_an_independent_computation():
    torch.manual_seed(2)
    x, f = torch.randn(200, 6), torch.relu(torch.randn(200, 10) - 1)
    f[:, 3] = 0
    x_hat = 0.8 * x + 0.1
    sums = evaluate.Sums(6, 10)
    for part in (slice(0, 150), slice(150, 200)):
        sums.add(x[part], x_hat[part], f[part])
    found = sums.metrics()
    x, x_hat = x.double(), x_hat.double()
    assert found["explained_variance"] == pytest.approx(
        1 - ((x - x_hat) ** 2).sum().item() / ((x - x.mean(0)) ** 2).sum().item()
    )
    assert found["mse"] == pytest.approx(((x - x_hat) ** 2).mean().item())
    assert found["l0"] == pytest.approx((f > 0).sum().item() / 200)
    assert found["dead_features"] == (f.sum(0) == 0).sum().item()
    assert found["l2_ratio"] == pytest.approx((x_hat.norm(dim=1) / x.norm(dim=1)).mean().item())


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"d_sae": 8}, "less than the 12"), ({"k": 99}, "between 1 and d_sae"), ({"variant": "none"}, "no variant")],
)
def test_settings_that_cannot_be_are_told(changes, says):
    cfg = experiment.replace(experiment.Config(d_sae=40, k=4), **changes)
    with pytest.raises(SetupError, match=says):
        experiment.check(cfg, 12)


@pytest.mark.parametrize("text", ['{"encoder": "mine", "lm_name": "a", "layer": 1}', '{"encoder": "topk", "k": 0}'])
def test_the_evaluator_refuses_an_encoder_it_does_not_know(text, tmp_path):
    experiment.save(made("topk"), experiment.default_source(), 1.0, tmp_path)
    with pytest.raises(SetupError):
        evaluate.load_encoder(tmp_path, json.loads(text), 12)


def test_weights_are_not_read_from_pickles(tmp_path):
    torch.save({"W_enc": torch.zeros(4, 12)}, tmp_path / "sae.safetensors")
    with pytest.raises(SetupError, match="cannot be read"):
        evaluate.load_encoder(tmp_path, {"encoder": "relu"}, 12)
