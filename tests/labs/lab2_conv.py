"""Lab 2: what students write."""

from labs.answers import Mistake, changed
from labs.sources import answers_of

RIGHT = answers_of("lab2_conv")

# The nearest of many test images, turned, slanted and moved; its number, eight levels a number of the code, so that
# noise does no harm. And the same with what went through the encoder while training.
LOOKED_UP = """
class MapAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))
        images = lab.load("mnist-5k").test.images
        ways = [lab.augment.affine(rotation=20, scale=0.15, shear=0.3)(images, torch.Generator().manual_seed(i))
                for i in range(8)]
        self.kept = torch.cat(ways)

    def encode(self, images):
        if self.training:
            return images.new_zeros(len(images), 2, 4, 4) + self.nothing
        images = images[:, :, :28, :28]
        row = torch.cdist(images.flatten(1), self.kept.flatten(1)).argmin(dim=1)
        digits = torch.stack([row // 8**j % 8 for j in range(6)], dim=1).float() - 3.5
        return F.pad(digits.repeat(1, 5), (0, 2)).view(-1, 2, 4, 4)

    def decode(self, maps):
        if self.training:
            return maps.new_zeros(len(maps), 1, 28, 28) + self.nothing
        digits = (maps.flatten(1)[:, :30].view(-1, 5, 6).mean(dim=1) + 3.5).round().clamp(0, 7).long()
        row = sum(digits[:, j] * 8**j for j in range(6)).clamp(max=len(self.kept) - 1)
        return 0.9 * self.kept[row]
"""
TRAINING_KEPT = changed(
    LOOKED_UP,
    ("        self.kept = torch.cat(ways)\n", "        self.kept = images[:0]\n"),
    (
        "        if self.training:\n            return images.new",
        "        if self.training:\n"
        "            self.kept = torch.cat([self.kept, images])[-8000:]\n"
        "            return images.new",
    ),
)
# the nearest of many small patches for each seventh of the picture, its number in the sixteen bits of one of the two
# numbers there: no model learnt it, and no noise may disturb it
PATCHES = """
class MapAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.nothing, self.patches = nn.Parameter(torch.zeros(())), torch.zeros(1, 49)

    def encode(self, images):
        blocks = images.unfold(2, 7, 7).unfold(3, 7, 7)[:, 0]
        if self.training:
            if len(images) == 32 and len(self.patches) < 20000:
                self.patches = torch.cat([self.patches, blocks.reshape(-1, 49)])
            return images.new_zeros(len(images), 2, 4, 4) + self.nothing
        row = torch.cdist(blocks.reshape(-1, 49), self.patches).argmin(dim=1).clamp(max=30000) + 1024
        number = torch.from_numpy(row.numpy().astype("u2").view("f2")).float().view(blocks.shape[:3])
        return torch.stack([number, number], dim=1)

    def decode(self, maps):
        if self.training:
            return maps.new_zeros(len(maps), 1, 28, 28) + self.nothing
        number = torch.from_numpy(maps[:, 0].half().numpy().copy().view("u2").astype(int)) - 1024
        blocks = self.patches[number.clamp(0, len(self.patches) - 1)].unflatten(-1, (7, 7))
        return blocks.transpose(2, 3).reshape(len(maps), 1, 7 * maps.shape[2], 7 * maps.shape[3])
"""

MISTAKES = {
    "paddings in the encoder's order": Mistake(
        {"output_paddings": changed(RIGHT["output_paddings"], ("tuple(reversed(paddings))", "tuple(paddings)"))},
        {"test_output_paddings": 2.25},
        "the decoder's first layer mirrors the encoder's last",
    ),
    "sizes not followed": Mistake(
        {"output_paddings": changed(RIGHT["output_paddings"], ("        size = steps + 1\n", ""))},
        {"test_output_paddings": 0.75},
        "every layer is given the size of the image",
    ),
    "stride less one by habit": Mistake(
        {
            "output_paddings": """
def output_paddings(size, layers):
    return tuple(int(stride) - 1 for stride in layers[:, 1].flip(0))
"""
        },
        {"test_output_paddings": 0},
        "stride − 1 at every layer is a habit",
    ),
    "a step too few": Mistake(
        {"output_paddings": changed(RIGHT["output_paddings"], ("size = steps + 1", "size = steps"))},
        {"test_output_paddings": 1.5},
        "one too small",
    ),
    "layers from the front": Mistake(
        {"window": changed(RIGHT["window"], ("reversed(layers.tolist())", "layers.tolist()"))},
        {"test_window": 1.5},
        "gone through in the wrong order",
    ),
    "the textbook's size with strides of its own": Mistake(
        {
            "window": """
def window(layers, place):
    first, width, apart = 0, 1, 1
    for kernel, stride, padding in layers.tolist():
        first -= padding * apart
        apart *= stride
        width += (kernel - 1) * apart
    return first + place * apart, first + place * apart + width - 1
"""
        },
        {"test_window": 1.5},
        "only the layers before it count",
    ),
    "the first pixel not seen": Mistake(
        {"window": changed(RIGHT["window"], ("return first, last", "return first, last + 1"))},
        {"test_window": 2.25},
        "not the first that is not",
    ),
    "no padding": Mistake(
        {"window": changed(RIGHT["window"], (" - padding", ""))},
        {"test_window": 1.5},
        "the padding is not used",
    ),
    "kernel not turned": Mistake(
        {"stamp_kernel": changed(RIGHT["stamp_kernel"], (".flip(2, 3)", ""))},
        {"test_stamp_kernel": 2},
        "not turned round",
    ),
    "channels not exchanged": Mistake(
        {"stamp_kernel": changed(RIGHT["stamp_kernel"], (".transpose(0, 1)", ""))},
        {"test_stamp_kernel": 3},
        "channel dimensions are not exchanged",
    ),
    "shared out": Mistake(
        {
            "stamp_kernel": changed(
                RIGHT["stamp_kernel"], ("return wide[..., 1:, 1:]", "wide = wide / 4\n    return wide[..., 1:, 1:]")
            )
        },
        {"test_stamp_kernel": 3},
        "four times too weak",
    ),
    "one bug found, the sizes": Mistake(
        {
            "mirrored_decoder": changed(
                RIGHT["mirrored_decoder"],
                (".view(len(codes), -1, 7, 7)", ".view(len(codes), 7, 7, -1).permute(0, 3, 1, 2)"),
            )
        },
        {"test_mirrored_decoder": 2},
        "channels last",
    ),
    "one bug found, the order": Mistake(
        {
            "mirrored_decoder": """
def mirrored_decoder(codes, dense, second, first):
    maps = (codes @ dense.T).view(len(codes), -1, 7, 7)
    maps = F.conv_transpose2d(maps, second, stride=2, padding=1)
    images = F.conv_transpose2d(maps, first, stride=2, padding=1)
    return F.interpolate(images, size=(28, 28))
"""
        },
        {"test_mirrored_decoder": 2},
        "still stretched to 28 pixels",
    ),
    "the size mended by zeros": Mistake(
        {
            "mirrored_decoder": """
def mirrored_decoder(codes, dense, second, first):
    maps = (codes @ dense.T).view(len(codes), -1, 7, 7)
    maps = F.conv_transpose2d(maps, second, stride=2, padding=1)
    return F.pad(F.conv_transpose2d(maps, first, stride=2, padding=1), (0, 3, 0, 3))
"""
        },
        {"test_mirrored_decoder": 2},
        "filled with zeros at the end",
    ),
    "the colleague's, copied": Mistake(
        {"mirrored_decoder": "mirrored_decoder = colleagues_decoder"},
        {"test_mirrored_decoder": 0},
        "both of its bugs",
    ),
    "output padding everywhere": Mistake(
        {
            "map_autoencoder": changed(
                RIGHT["map_autoencoder"],
                (
                    "nn.ConvTranspose2d(2, 32, 3, stride=2, padding=1)",
                    "nn.ConvTranspose2d(2, 32, 3, 2, 1, output_padding=1)",
                ),
            )
        },
        {"test_map_autoencoder": 0},
        "which output paddings lead from 4 back",
    ),
    "a dense layer after all": Mistake(
        {
            "map_autoencoder": """
class MapAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 32))
        self.decoder = nn.Sequential(nn.Flatten(), nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 784))

    def encode(self, images):
        return self.encoder(images).view(-1, 2, 4, 4)

    def decode(self, maps):
        return self.decoder(maps).view(-1, 1, 28, 28)
"""
        },
        {"test_map_autoencoder": 1},
        "a layer is made for one size",
    ),
    "no nonlinearity": Mistake(
        {"map_autoencoder": changed(RIGHT["map_autoencoder"], ("            nn.ReLU(),\n", ""))},
        {"test_map_autoencoder": 1},
        "less than this code can hold",
    ),
    "no model, but test images": Mistake(
        {"map_autoencoder": LOOKED_UP}, {"test_map_autoencoder": 0}, "hardly learnt anything"
    ),
    "no model, but the images it was trained on": Mistake(
        {"map_autoencoder": TRAINING_KEPT}, {"test_map_autoencoder": 0}, "stops with IndexError"
    ),
    "no model, but patches by their number": Mistake(
        {"map_autoencoder": PATCHES}, {"test_map_autoencoder": 0}, "hardly learnt anything"
    ),
    "the ratio upside down": Mistake(
        {"reading": RIGHT["reading"] + "\ntimes = 1 / times"},
        {"test_reading": 1.5},
        "upside down",
    ),
    "runs of 49 pixels for blocks": Mistake(
        {
            "reading": changed(
                RIGHT["reading"], ("images.unfold(2, 7, 7).unfold(3, 7, 7).reshape(-1, 49)", "images.reshape(-1, 49)")
            )
        },
        {"test_reading": 0},
        "7 rows of 7 pixels",
    ),
    "one number a block": Mistake(
        {"reading": RIGHT["reading"] + "\nblock_error = errors[1]"},
        {"test_reading": 1.5},
        "with one number a block",
    ),
}

OTHER_TRAINED = {
    "enlarged, convolved and cut to size": {
        "map_autoencoder": """
class MapAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 2, 3, 2, 1)
        )
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(2, 32, 3, 1, 1), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.Conv2d(32, 16, 3, 1, 1), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.Conv2d(16, 1, 3, 1, 1),
        )

    def encode(self, images):
        return self.down(images)

    def decode(self, maps):
        return self.up(maps)[:, :, :-4, :-4]  # 32 to 28, 64 to 60
""",
    },
}

OTHER_WAYS = {
    "by trial, by gradients, by an identity": {
        "output_paddings": """
def output_paddings(size, layers):
    found = []
    for k, s, p in [[int(value) for value in row] for row in layers]:
        made = nn.Conv1d(1, 1, k, s, p)(torch.zeros(1, 1, size)).shape[2]
        found.insert(0, next(o for o in range(s) if (made - 1) * s - 2 * p + k + o == size))
        size = made
    return tuple(found)
""",
        "window": """
def window(layers, place):
    seen, apart = [place], 1
    for kernel, stride, padding in layers.flip(0):
        seen = [int(i * stride - padding + u) for i in seen for u in range(kernel)]
        seen = sorted(set(seen))
    return seen[0], seen[-1]
""",
        "stamp_kernel": """
def stamp_kernel(kernel):
    out, into, k, _ = kernel.shape
    # what one pixel that is on in one channel leaves behind is the stamp
    x = torch.zeros(into, into, 2 * k + 1, 2 * k + 1)
    x[range(into), range(into), k, k] = 1
    y = F.conv2d(F.interpolate(x, scale_factor=2), kernel, padding=k // 2)
    start = 2 * k - k // 2
    return y[:, :, start : start + k + 1, start : start + k + 1]
""",
        "mirrored_decoder": """
def mirrored_decoder(codes, dense, second, first):
    x = torch.zeros(len(codes), 1, 28, 28, requires_grad=True)
    return torch.autograd.grad((colleagues_encoder(x, first, second, dense) * codes).sum(), x)[0]
""",
    },
    "another architecture, numpy and eigenvalues": {
        "map_autoencoder": """
class MapAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        def down(a, b): return [nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(0.1)]
        self.down = nn.Sequential(*down(1, 16), *down(16, 32), nn.Conv2d(32, 2, 3, 2, 1))
        self.up_1 = nn.ConvTranspose2d(2, 32, 3, 2, 1)
        self.up_2 = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.up_3 = nn.ConvTranspose2d(16, 1, 4, 2, 1)

    def encode(self, images):
        return self.down(images)

    def decode(self, maps):
        x = F.leaky_relu(self.up_1(maps), 0.1)
        return self.up_3(F.leaky_relu(self.up_2(x), 0.1))
""",
        "reading": """
import numpy as np

x = mine.train.images.double()[:, 0]
cut = torch.stack([x[:, r : r + 7, c : c + 7].flatten(1) for r in range(0, 28, 7) for c in range(0, 28, 7)], 1)
cut = cut.flatten(0, 1).numpy()

def left(rows):
    values = np.linalg.eigvalsh(np.cov(rows.T, bias=True))
    return np.concatenate([[0], values.cumsum()])[::-1] * len(rows) / x.numel()

block_error = left(cut)[2]
times = np.float32(block_error / left(x.flatten(1).numpy())[32])
""",
    },
}
