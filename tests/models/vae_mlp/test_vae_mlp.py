"""The perceptron autoencoder: what trained is what codes, rows do not touch each other, damage is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny_vae

from rdzip.entropy.cdf import make_tables
from rdzip.errors import InputError, ModelError
from rdzip.exact.layers import IntegerLinear
from rdzip.models import build, check_known_answer, model_file
from rdzip.models.vae_mlp.file import export
from rdzip.models.vae_mlp.model import VaeMlpModel
from rdzip.models.vae_mlp.network import bound
from rdzip.models.vae_mlp.refine import Refinement

X = tiny_vae.images(40)


def drawn(model: VaeMlpModel, x: np.ndarray, refine: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, scale of the posterior and logits of the likelihood at a quantile."""
    site = model.posterior(x, refine)
    z = site.quantile(np.full(site.shape, 1 << 22))
    return site.mean, site.scale, model.likelihood(z).index


def test_the_trained_network_is_the_one_that_codes() -> None:
    net, model = tiny_vae.net(), tiny_vae.model()
    x = torch.from_numpy(X.reshape(len(X), -1)).float()
    with torch.no_grad():
        q = net.posterior(x, torch.float32)
        site = model.posterior(X)
        np.testing.assert_array_equal(q.mean.numpy() * 64, site.mean)
        np.testing.assert_allclose(q.deviation.numpy(), 2 ** (site.scale / 6) / 16, rtol=1e-5)
        z = site.quantile(np.random.default_rng(0).integers(0, 1 << 24, site.shape))
        nats = net.emission(torch.from_numpy(z).float()[:, None], x, torch.float32)[:, 0].numpy()
    likelihood = model.likelihood(z)
    np.testing.assert_allclose(likelihood.bits(X) * np.log(2), nats, rtol=1e-3)
    noise = torch.from_numpy((z - site.mean / 64) / (2 ** (site.scale / 6) / 16)).float()[:, None]
    with torch.no_grad():
        weights = bound(net.log_weights(x, noise, torch.float32)).numpy() / np.log(2)
    exact = site.bits(z) - model.prior(len(X)).bits(z) - likelihood.bits(X)
    np.testing.assert_allclose(weights, exact, rtol=0.01, atol=0.05)


@pytest.mark.parametrize("refine", [0, 2])
def test_results_do_not_depend_on_the_batch(refine: int) -> None:
    model = tiny_vae.model()
    whole = drawn(model, X, refine)
    for part in (slice(0, 1), slice(3, 10), slice(39, 40)):
        for a, b in zip(whole, drawn(model, X[part], refine), strict=True):
            np.testing.assert_array_equal(a[part], b)
    for a, b in zip(whole, drawn(model, np.repeat(X, 3, axis=0), refine), strict=True):
        np.testing.assert_array_equal(np.repeat(a, 3, axis=0), b)


def test_refinement_lowers_the_bound() -> None:
    model = tiny_vae.model()
    rng = np.random.default_rng(0)

    def rate(refine: int) -> float:
        site = model.posterior(X, refine)
        total = 0.0
        for _ in range(40):
            z = site.quantile(rng.integers(0, 1 << 24, site.shape))
            total += float((model.prior(len(X)).bits(z) + model.likelihood(z).bits(X) - site.bits(z)).mean())
        return total / 40

    rates = [rate(steps) for steps in (0, 5, 40)]
    assert rates[0] > rates[1] + 0.1
    assert rates[1] > rates[2] + 0.1


def test_gradients_of_the_refinement_are_those_of_the_network() -> None:
    net, model = tiny_vae.net(), tiny_vae.model()
    x = X.reshape(len(X), -1)
    z = np.random.default_rng(0).integers(100, 156, (len(X), tiny_vae.CONFIG.latents)).astype(np.float64)
    exact = model._refinement._slope(z, x.astype(np.float64))
    latents = torch.from_numpy(z).float().requires_grad_()
    (-net.emission(latents[:, None], torch.from_numpy(x).float(), torch.float32).sum()).backward()
    assert latents.grad is not None
    np.testing.assert_allclose(exact, latents.grad.numpy(), atol=0.01 * float(latents.grad.abs().max()))


def test_the_file_gives_the_same_model_and_answer(tmp_path: Path) -> None:
    export(tmp_path / "a.safetensors", tiny_vae.net(), {"id": "tiny-vae", "steps": 3})
    tensors, meta = model_file.read(tmp_path / "a.safetensors")
    model = build(tensors, meta)
    check_known_answer(model, meta)
    assert meta["sample"] == {"kind": "image", "values": 2, "shape": [5, 6]}
    assert meta["training"] == {"steps": 3}
    assert isinstance(model, VaeMlpModel)
    assert model.values() == 2
    model.check_item((5, 6))
    for shape in ((6, 5), (5, 6, 1), (30,)):
        with pytest.raises(InputError, match="binary images"):
            model.check_item(shape)
    assert model.to("cpu") is model


def test_the_known_answer_notices_every_tensor(tmp_path: Path) -> None:
    export(tmp_path / "a.safetensors", tiny_vae.net(), {"id": "tiny-vae"})
    tensors, meta = model_file.read(tmp_path / "a.safetensors")
    for name, values in tensors.items():
        if name == "mixture.exponential":
            continue  # a single component has the weight 1
        changed = values.copy()
        if name.endswith("bias"):
            changed += 300
        elif name.endswith("exponent"):
            changed -= 1
        elif name in ("mixture.inverse_scale", "mixture.sigmoid"):
            changed[len(changed) // 2 :] += 7
            changed = np.minimum(changed, 65535 if name.endswith("sigmoid") else 1 << 16).astype(np.int32)
        elif name == "emission":
            changed[:] = changed[::-1]
        else:
            changed = np.clip(-values, -127, 127)
        with pytest.raises(ModelError, match="other tables"):
            check_known_answer(build(tensors | {name: changed}, meta), meta)


def test_bad_tensors_and_documents_are_refused(tmp_path: Path) -> None:
    export(tmp_path / "a.safetensors", tiny_vae.net(), {"id": "tiny-vae"})
    tensors, meta = model_file.read(tmp_path / "a.safetensors")
    for name, values in tensors.items():
        for wrong in (values[..., :-1], values.astype(np.int16 if values.dtype != np.int16 else np.int8), None):
            broken = {k: v for k, v in tensors.items() if k != name}
            if wrong is not None:
                broken[name] = wrong
            with pytest.raises(ModelError) as caught:
                build(broken, meta)
            assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="exactness needs"):
        build(tensors | {"encoder.0.bias": tensors["encoder.0.bias"] + (1 << 30)}, meta)
    with pytest.raises(ModelError, match="emission within"):
        build(tensors | {"emission": tensors["emission"] * 0}, meta)
    network = meta["network"]
    for change in ({"version": 2}, {"network": None}, {"network": network | {"depth": 3}},
                   {"network": network | {"hidden": -1}}, {"network": network | {"hidden": 2.5}},
                   {"network": network | {"latents": 1 << 40}}, {"network": network | {"layers": 0}}):  # fmt: skip
        with pytest.raises(ModelError):
            build(tensors, meta | change)


def test_normal_tables_are_those_of_the_normal_distribution() -> None:
    tables = make_tables(64, 1 / 16, 6, "normal", floor=1)
    assert tables.floor == 1
    z = (np.arange(1 << 14) - 8191.5) * 24 / (1 << 14)
    below = torch.special.ndtr(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(tables.sigmoid, 65535 * below, atol=0.51)


def test_refinement_wants_sums_that_53_bits_hold() -> None:
    """docs/explanation/exactness.md, section 6: 2**10 sum |w| 2**-e < 2**37 u, of layers whose own sums are exact."""

    def refinement(last: int) -> Refinement:
        weights, exponents = [127] * 129 + [last, 1], [-2] * 129 + [0, 11]
        layer = IntegerLinear(
            torch.tensor(weights, dtype=torch.int8)[:, None],
            torch.tensor(exponents, dtype=torch.int8),
            torch.zeros(131, dtype=torch.int32),
        )
        return Refinement([layer], np.zeros(383, np.int32), tiny_vae.model().tables)

    assert len(refinement(3)._backward()) == 1  # 129 * 127 * 4 + 3 + 2**-11, in units of 2**-11
    with pytest.raises(ModelError, match="too large for exact refinement"):
        refinement(4)._backward()
