"""Adam as fit uses it. Making a torch.optim.Adam loads PyTorch's compiler, which takes almost as long as PyTorch."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

SETTINGS: Any = {"fused": True, "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False, "maximize": False}


class Adam:
    """Adam (Kingma and Ba, 2015) in PyTorch's fused kernel: bit for bit torch.optim.Adam(parameters, fused=True), where
    that is right: it takes gradients to lie in memory as their parameters do, and here they may lie otherwise.

    The first optimiser of a process that torch.optim makes imports torch._dynamo: 1.4 s on two slow cores (4.5 s where
    nothing is compiled to bytecode yet), before the first step of every notebook. PyTorch's own functional form of the
    algorithm does without.
    """

    def __init__(self, parameters: Iterable[Tensor], betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.parameters, self.betas = list(parameters), betas
        self.means = [torch.zeros_like(p) for p in self.parameters]  # of the gradients
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), dtype=torch.float32, device=p.device) for p in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None], rate: float) -> None:
        """Move every parameter by about `rate` against its gradient; one gradient a parameter, of its shape.

        None for a parameter that the loss does not use: it is passed over.
        """
        # m ← β₁m + (1 − β₁)g,  v ← β₂v + (1 − β₂)g²,  θ ← θ − rate · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
        # the kernel reads memory in order: a gradient laid out otherwise, as that of a gradient penalty may be, would
        # move the wrong weights (on a CPU, PyTorch 2.15 does not notice)
        rows = zip(gradients, self.parameters, self.means, self.squares, self.steps, strict=True)
        used = [(g, *others) for g, *others in rows if g is not None]
        if not used:
            return
        found, parameters, means, squares, steps = map(list, zip(*used, strict=True))
        pairs = zip(found, parameters, strict=True)
        laid_out = [g if g.stride() == p.stride() else torch.empty_like(p).copy_(g) for g, p in pairs]
        state: Any = means, squares, [], steps
        adam(parameters, laid_out, *state, lr=rate, beta1=self.betas[0], beta2=self.betas[1], **SETTINGS)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, under the names torch.optim.Adam gives it."""
        states = zip(self.steps, self.means, self.squares, strict=True)
        return {"state": {i: {"step": t, "exp_avg": m, "exp_avg_sq": v} for i, (t, m, v) in enumerate(states)}}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from what `state_dict`, here or of torch.optim.Adam, gave."""
        for i, ours in enumerate(zip(self.steps, self.means, self.squares, strict=True)):
            for tensor, name in zip(ours, ("step", "exp_avg", "exp_avg_sq"), strict=True):
                tensor.copy_(saved["state"][i][name])
