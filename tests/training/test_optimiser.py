"""Our Adam is torch.optim.Adam to the bit, and does not load PyTorch's compiler."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.training.optimiser import Adam


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(48, 2))


def gradients(model: nn.Module, step: int) -> tuple[Tensor, ...]:
    x = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(step))
    return torch.autograd.grad(model(x).square().sum(), list(model.parameters()))


def torch_step(model: nn.Module, optimiser: torch.optim.Optimizer, step: int, rate: float) -> None:
    for parameter, gradient in zip(model.parameters(), gradients(model, step), strict=True):
        parameter.grad = gradient
    optimiser.param_groups[0]["lr"] = rate
    optimiser.step()


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.99)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bit_for_bit_torch_optim(betas: tuple[float, float], layout: torch.memory_format) -> None:
    """Thirty steps at changing rates."""
    ours, theirs = network().to(memory_format=layout), network().to(memory_format=layout)
    here, there = Adam(ours.parameters(), betas), torch.optim.Adam(theirs.parameters(), 1.0, betas, fused=True)
    for step in range(30):
        rate = 1e-2 / (1 + step)
        here.step(gradients(ours, step), rate)
        torch_step(theirs, there, step, rate)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b) and a.grad is None


def test_first_step_is_the_rate_against_the_sign() -> None:
    """t = 1: m̂ = g and v̂ = g², so that every weight moves by rate · g / (|g| + ε) (Kingma and Ba, 2015)."""
    weight = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    Adam([weight]).step([torch.tensor([0.5, -4.0, 1e-3])], 0.1)
    assert torch.allclose(weight.detach(), torch.tensor([0.9, -1.9, 2.9]), atol=1e-5)


def test_a_gradient_may_lie_otherwise_in_memory_than_its_parameter() -> None:
    """PyTorch's fused kernel takes both in the order of their memory, and so moves the wrong weights."""
    weight, generator = torch.zeros(4, 3, 2, 2, requires_grad=True), torch.Generator().manual_seed(0)
    gradient = torch.randn(3, 4, 2, 2, generator=generator).transpose(0, 1)
    assert gradient.stride() != weight.stride()
    Adam([weight]).step([gradient], 0.1)
    assert torch.allclose(weight.detach(), -0.1 * gradient.sign(), atol=1e-5)


def test_a_penalised_critic_s_first_step_goes_against_the_gradient_everywhere() -> None:
    """A gradient of a gradient is laid out otherwise: in GAN's default game that of the second convolution is."""
    gan = lab.GAN(64)
    x = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for parameters, loss in gan.steps():
        parts = loss(x, x)
        found = torch.autograd.grad(parts.total, parameters, retain_graph=True)
        before = [p.detach().clone() for p in parameters]
        Adam(parameters).step(found, 1e-3)
        for p, old, g in zip(parameters, before, found, strict=True):
            large = g.abs() > 1e-5  # ε and rounding decide the rest
            assert torch.equal((p.detach() - old).sign()[large], -g.sign()[large])


def test_goes_on_from_a_state_of_torch_optim() -> None:
    """A checkpoint written with torch.optim.Adam is no lost work; one of ours goes on as well."""
    ours, theirs = network(), network()
    there = torch.optim.Adam(theirs.parameters(), 1e-2, fused=True)
    for step in range(4):
        torch_step(theirs, there, step, 1e-2)
    ours.load_state_dict(theirs.state_dict())
    first, second = Adam(ours.parameters()), Adam(ours.parameters())
    first.load_state_dict(there.state_dict())
    second.load_state_dict(first.state_dict())
    second.step(gradients(ours, 9), 1e-2)
    torch_step(theirs, there, 9, 1e-2)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_training_does_not_load_the_compiler() -> None:
    """It takes almost as long as importing PyTorch, in every process that trains."""
    code = (
        "import sys, autoencoder_lab as lab; model = lab.DenseAutoencoder(4, image_shape=(1, 8, 8)); "
        "lab.fit(model, lab.load('digits', n=50), steps=1, progress=False); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
