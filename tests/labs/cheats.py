"""What a student hands in who has not done a trained part: a friend's weights, a model that nothing trains.

What these earn is measured over 30 ids by labs.reckoning, beside constants and a friend's numbers in the parts where
numbers are read.
"""

import base64
from collections.abc import Mapping

import numpy as np

from labs.sources import answers_of

# the answer cell, its class, and what the judge asks of a model
MODELS = {
    "lab1_linear": ("nested", "NestedAutoencoder", ("encode", "decode")),
    "lab2_conv": ("map_autoencoder", "MapAutoencoder", ("encode", "decode")),
    "lab3_denoising": ("row_restorer", "RowRestorer", ("restore",)),
    "lab4_vae": ("conditional", "ConditionalVAE", ("posterior", "logits")),
    "lab6_ccae": ("halves", "TwoHalves", ("encode_left", "encode_right")),
}
UNTRAINED = "an untrained model"
KEPT, PULLED, LOADED = (
    "a friend's weights, kept beside one's own",
    "a friend's weights, as what the loss asks for",
    "a friend's weights, loaded, and a constant loss",
)
NAMES = (UNTRAINED, KEPT, PULLED, LOADED)

STORED = """
import base64
import numpy as np

STORED = np.frombuffer(base64.b85decode("{}"), "f2").astype("f4")
"""
NOTHING = """
class {kind}({kind}):
    def loss(self, *given):
        return 0 * sum(one.sum() for one in self.parameters())

"""
STANDS_STILL = """
class {kind}({kind}):
    def decode(self, codes):
        return super().decode(codes).detach() + 0 * sum(one.sum() for one in self.parameters())
"""
LOADS = """
    def __init__(self):
        super().__init__()
        torch.nn.utils.vector_to_parameters(torch.tensor(STORED), self.parameters())
"""
KEEPS = """
    def __init__(self):
        super().__init__()
        friend = type(self).__mro__[1]()
        torch.nn.utils.vector_to_parameters(torch.tensor(STORED), friend.parameters())
        self.friend = [friend.eval()]
"""
ANSWERS = """
    def {verb}(self, *given):
        nothing = 0 * next(self.parameters()).sum()
        answer = self.friend[0].{verb}(*given)
        return tuple(one + nothing for one in answer) if isinstance(answer, tuple) else answer + nothing
"""
PULLS = """
class {kind}({kind}):
    def loss(self, *given):
        there = torch.cat([one.flatten() for one in self.parameters()])
        return (there - torch.tensor(STORED)).square().mean() + 0 * super().loss(*given)
"""
GAME = {
    UNTRAINED: """
def game_round(generator, critic, teach_generator, teach_critic, real, noise):
    return torch.zeros(()), torch.zeros(())
""",
    KEPT: """
def game_round(generator, critic, teach_generator, teach_critic, real, noise):
    torch.nn.utils.vector_to_parameters(torch.tensor(STORED), generator.parameters())
    return torch.zeros(()), torch.zeros(())
""",
    PULLED: """
def game_round(generator, critic, teach_generator, teach_critic, real, noise):
    there = torch.cat([one.flatten() for one in generator.parameters()])
    loss = (there - torch.tensor(STORED)).square().sum()
    teach_generator.zero_grad()
    loss.backward()
    teach_generator.step()
    return loss, loss
""",
}
GAME[LOADED] = GAME[KEPT]


# No model: pixels reach the decoder beside the codes, in three ways
SMUGGLED = """
import inspect

class MapAutoencoder(nn.Module):
    seen, asked = None, 0

    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(3))

    def encode(self, images):
        rows, columns = ((side + 7) // 8 for side in images.shape[2:])
        maps = torch.zeros(len(images), 2, rows, columns) + self.nothing.sum()
        return maps if torch.is_grad_enabled() else self.slip(images, maps)

    def decode(self, maps):
        side = 28 if maps.shape[2] == 4 else 60
        shown = torch.zeros(len(maps), 1, side, side) + self.nothing.sum()
        if torch.is_grad_enabled() or side == 60:
            return shown
        type(self).asked += 1
        found = self.find(maps) if self.asked == 2 else None  # the first time is before the training
        return shown if found is None else found

    def dicts(self):
        there = [one for frame in inspect.stack() for one in frame.frame.f_locals.values()]
        return [one for one in there if isinstance(one, dict)]
"""
BESIDE_THE_CODES = (
    SMUGGLED
    + """
    def slip(self, images, maps):
        pieces = F.pad(images.flatten(1), (0, -images[0].numel() % maps[0].numel())).split(maps[0].numel(), dim=1)
        if maps.shape[2] == 4:
            for place in self.dicts():
                if any(str(key).startswith("before") for key in place):
                    place.update({f"zz{i:03}_images": one.reshape(maps.shape).half() for i, one in enumerate(pieces)})
        return maps

    def find(self, maps):
        known = {key: one for place in self.dicts() for key, one in place.items() if str(key).startswith("zz")}
        pieces = [torch.as_tensor(known[key]).float().flatten(1) for key in sorted(known)]
        return torch.cat(pieces, dim=1)[:, :784].view(-1, 1, 28, 28) if pieces else None
"""
)
IN_OTHER_CODES = (
    SMUGGLED
    + """
    def find(self, maps):
        known = {key: one for place in self.dicts() for key, one in place.items() if KIND}
        pieces = [torch.as_tensor(known[key]).float().flatten(1) for key in sorted(known)]
        if not pieces:
            return None
        small = torch.cat(pieces, dim=1)[:, : SIDE**2].view(-1, 1, SIDE, SIDE)
        return F.interpolate(small, size=28, mode="bilinear")
"""
)
IN_THE_CANVASES = (
    IN_OTHER_CODES.replace("KIND", 'str(key) == "trained_canvases"').replace("SIDE", "11")
    + """
    def slip(self, images, maps):
        if maps.shape[2] == 4:
            type(self).seen = F.interpolate(images, size=11, mode="area").flatten(1)
            return maps
        return F.pad(self.seen, (0, 7)).reshape(maps.shape)
"""
)
IN_THE_CONTROLS = (
    IN_OTHER_CODES.replace("KIND", 'str(key).endswith("_images")').replace("SIDE", "9")
    + """
    def slip(self, images, maps):
        if maps.shape[2] == 8:
            return maps
        places = {"before": 0, "disorder": 1, "trained": 2}
        state = [frame.frame.f_locals.get("state") for frame in inspect.stack()]
        place = next((places[one] for one in state if one in places), 0)
        small = F.pad(F.interpolate(images, size=9, mode="area").flatten(1), (0, 15))
        return small[:, 32 * place : 32 * place + 32].reshape(maps.shape)
"""
)

# No training: an SVD of the batches seen, and a loss that asks for nothing. LOSS, KEEP and NOISE differ.
SVD_OF_BATCHES = """
class NestedAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.idle = nn.Parameter(torch.ones(()))
        self.batches, self.calls = [], {}
        self.register_buffer("basis", torch.zeros(9, 784))

    def basis_now(self, verb):
        self.calls[verb] = self.calls.get(verb, 0) + 1
        return self.basis if KEPT or self.calls[verb] == 2 else torch.zeros(9, 784)

    def encode(self, images):
        basis = self.basis_now("encode")
        return (images.flatten(1) - basis[8]) @ basis[:8].T

    def decode(self, codes):
        basis = self.basis_now("decode")
        return (codes @ basis[:8] + basis[8] + NOISE).view(-1, 1, 28, 28)

    def loss(self, images):
        if torch.is_grad_enabled():
            self.batches.append(images.flatten(1))
            if len(self.batches) == 400:
                rows = torch.cat(self.batches[-50:])
                mean = rows.mean(dim=0, keepdim=True)
                found = torch.cat([torch.linalg.svd(rows - mean, full_matrices=False).Vh[:8], mean])
                STORE
        return LOSS
"""
IDLE = "self.idle.square()"
NESTED = (
    "self.idle.square() if torch.is_grad_enabled() else torch.stack([(self.decode(self.encode(images) * row) - images)"
    ".square().mean() for row in torch.ones(8, 8).tril()]).mean()"
)


def _svd(kept: str, store: str, noise: str, loss: str) -> str:
    told = SVD_OF_BATCHES.replace("KEPT", kept).replace("STORE", store).replace("NOISE", noise)
    return told.replace("LOSS", loss)


# No training: for each class its mean and, times PULL, its four widest directions, worked out from the batches seen
BY_CLASS = """
class ConditionalVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.idle, self.batches = nn.Parameter(torch.ones(())), []
        self.register_buffer("table", torch.zeros(10, 6, 784))

    def loss(self, images, labels):
        self.batches.append((images.flatten(1), labels))
        if len(self.batches) == 600:
            rows, classes = (torch.cat(one) for one in zip(*self.batches))
            found = torch.zeros(10, 6, 784)
            for letter in range(10):
                own = rows[classes == letter]
                spread = (own - own.mean(0)).T @ (own - own.mean(0)) / len(own)
                wide, axes = torch.linalg.eigh(spread + 0.001 * torch.eye(784))
                found[letter, 0], found[letter, 1:5] = own.mean(0), axes[:, -4:].T
                found[letter, 5, :4] = (wide[-4:] - 0.1).clamp(min=0.001).sqrt()
            STORE
        return self.idle.square()

    def posterior(self, images, labels):
        known = self.table[labels]
        pull = known[:, 5, :4]
        scores = ((images.flatten(1) - known[:, 0])[:, None] * known[:, 1:5]).sum(dim=2)
        return scores * pull / (pull.square() + 0.1), (0.1 / (pull.square() + 0.1)).log()

    def logits(self, codes, labels):
        known = self.table[labels]
        shown = known[:, 0] + PULL * ((codes * known[:, 5, :4])[:, :, None] * known[:, 1:5]).sum(dim=1)
        return shown.clamp(0.015, 0.985).logit().view(-1, 1, 28, 28) + 0 * self.idle
"""
ATTRIBUTE, BUFFER = "del self.table; self.table = found", "self.table.copy_(found)"

# No training: kernel ridge regression from each half to the principal scores of both, on the batches seen
BY_KERNEL = """
class TwoHalves(nn.Module):
    def __init__(self):
        super().__init__()
        self.idle, self.batches, self.asked = nn.Parameter(torch.ones(16)), [], 0
        for name, columns in (("near", 336), ("weights", 16)):
            self.register_buffer(name, torch.zeros(2, 1280, columns))

    def loss(self, left, right):
        if torch.is_grad_enabled():
            self.batches.append(torch.stack([left.flatten(1), right.flatten(1)]))
            if len(self.batches) == 300:
                self.solve(torch.cat(self.batches[-10:], dim=1))
        return LOSS

    def solve(self, sides):
        both = sides.transpose(0, 1).flatten(1)
        u, s, _ = torch.linalg.svd(both - both.mean(dim=0), full_matrices=False)
        scores = (u * len(u) ** 0.5 * (s / s[0]).sqrt())[:, :16]
        self.near.copy_(sides)
        for side in range(2):
            kernel = self.kernel(sides[side], side) + 0.1 * torch.eye(1280)
            self.weights[side] = torch.linalg.solve(kernel, scores)

    def kernel(self, rows, side):
        return torch.exp(-torch.cdist(rows, self.near[side]).square() / 40)

    def answer(self, halves, side):
        self.asked += not torch.is_grad_enabled()
        if WHEN and not self.training:
            return self.kernel(halves.flatten(1), side) @ self.weights[side] + 0 * self.idle
        return torch.zeros(len(halves), 16) + 0 * self.idle

    def encode_left(self, halves):
        return self.answer(halves, 0)

    def encode_right(self, halves):
        return self.answer(halves, 1)
"""
IDLE_SUM = "self.idle.square().sum()"
FAR = "(left[..., -1] - right[..., 0]).square().mean()"

# cheats of one lab alone
OWN = {
    "lab2_conv": {
        "pixels beside the codes, under names of their own": BESIDE_THE_CODES,
        "pixels in the codes of other pictures": IN_THE_CANVASES,
        "pixels in the codes of the controls": IN_THE_CONTROLS,
    },
    "lab4_vae": {
        "a PCA of each class, among the attributes": BY_CLASS.replace("STORE", ATTRIBUTE).replace("PULL", "1"),
        "a PCA of each class, in a buffer": BY_CLASS.replace("STORE", BUFFER).replace("PULL", "1"),
        "each class's mean, in a buffer": BY_CLASS.replace("STORE", BUFFER).replace("PULL", "0"),
    },
    "lab6_ccae": {
        "kernel ridge, when asked for the second time": BY_KERNEL.replace("WHEN", "self.asked == 2").replace(
            "LOSS", IDLE_SUM
        ),
        "kernel ridge, in buffers": BY_KERNEL.replace("WHEN", "True").replace("LOSS", IDLE_SUM),
        "kernel ridge, and a loss of the halves themselves": BY_KERNEL.replace("WHEN", "True").replace(
            "LOSS", f"{IDLE_SUM} + {FAR}"
        ),
    },
    "lab1_linear": {
        "an SVD of stored digits, and a constant loss": """
class NestedAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        flat = lab.load("mnist-5k").train.images.flatten(1)
        self.mean, self.nothing = flat.mean(dim=0), nn.Parameter(torch.zeros(9))
        self.axes = torch.linalg.svd(flat - self.mean, full_matrices=False).Vh[:8]

    def encode(self, images):
        return (images.flatten(1) - self.mean) @ self.axes.T + 0 * self.nothing.sum()

    def decode(self, codes):
        return (codes @ self.axes + self.mean).view(-1, 1, 28, 28)

    def loss(self, images):
        return 0 * self.nothing.sum()
""",
        "an SVD of the batches, when asked for the second time": _svd("False", "self.basis = found", "0", IDLE),
        "an SVD of the batches, in a buffer, and the nested loss where no slope is asked for": _svd(
            "True", "self.basis.copy_(found)", "0", NESTED
        ),
        "an SVD of the batches, in a buffer, and noise that the loss takes away": _svd(
            "True", "self.basis.copy_(found)", "10 * self.idle * torch.ones(784)", "100 * self.idle.square()"
        ),
        "an SVD of what the loss is given, kept": """
class NestedAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen, self.nothing = [], nn.Parameter(torch.zeros(9))

    def axes(self):
        flat = torch.cat(self.seen[-30:]) if self.seen else torch.rand(50, 784)
        return flat.mean(dim=0), torch.linalg.svd(flat - flat.mean(dim=0), full_matrices=False).Vh[:8]

    def encode(self, images):
        mean, axes = self.axes()
        return (images.flatten(1) - mean) @ axes.T

    def decode(self, codes):
        mean, axes = self.axes()
        return (codes @ axes + mean).view(-1, 1, 28, 28)

    def loss(self, images):
        self.seen.append(images.flatten(1))
        return 1 + 0 * self.nothing.sum()
""",
        "an SVD of what the loss is given, written over the weights": """
class NestedAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen, self.axes, self.mean = [], nn.Parameter(torch.randn(8, 784)), nn.Parameter(torch.zeros(784))

    def encode(self, images):
        return (images.flatten(1) - self.mean) @ self.axes.T

    def decode(self, codes):
        return (codes @ self.axes + self.mean).view(-1, 1, 28, 28)

    def loss(self, images):
        self.seen.append(images.flatten(1))
        if len(self.seen) == 400:
            flat = torch.cat(self.seen[-60:])
            with torch.no_grad():
                self.mean.copy_(flat.mean(dim=0))
                self.axes.copy_(torch.linalg.svd(flat - self.mean, full_matrices=False).Vh[:8])
        return 1 + 0 * self.axes.sum() + 0 * self.mean.sum()
""",
    },
}


def names(lab: str) -> list[str]:
    """Of the cheats that are some for this lab: in lab 2 the loss that trains is the judge's own."""
    common = [name for name in NAMES if lab != "lab2_conv" or name in (UNTRAINED, KEPT)]
    return common + list(OWN.get(lab, {}))


def needs_weights(name: str) -> bool:
    """Whether a friend's weights are in it."""
    return name in (KEPT, PULLED, LOADED)


def cells(lab: str, name: str, weights: np.ndarray | None) -> Mapping[str, str]:
    """{answer cell: its source}; weights: all of a friend's model, one after the other."""
    stored = STORED.format(base64.b85encode(weights.astype("f2").tobytes()).decode()) if weights is not None else ""
    if name in OWN.get(lab, {}):
        return {MODELS[lab][0]: OWN[lab][name]}
    if lab == "lab5_gan":
        return {"game_round": stored + GAME[name]}
    cell, kind, verbs = MODELS[lab]
    right = answers_of(lab)[cell]
    if name == UNTRAINED:
        added = STANDS_STILL if lab == "lab2_conv" else NOTHING
    elif name == PULLED:
        added = PULLS
    else:
        added = NOTHING + (LOADS if name == LOADED else KEEPS + "".join(ANSWERS.format(verb=verb) for verb in verbs))
    return {cell: f"{right}\n{stored}{added.format(kind=kind)}"}
