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

# cheats of one lab alone
OWN = {
    "lab2_conv": {
        "pixels beside the codes, under names of their own": BESIDE_THE_CODES,
        "pixels in the codes of other pictures": IN_THE_CANVASES,
        "pixels in the codes of the controls": IN_THE_CONTROLS,
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
