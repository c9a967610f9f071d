"""What was given for an argument: taken where it can be meant; else an error says what came, what is asked, what to do.

TypeError for a thing of another kind, ValueError for a number, a shape or a name that cannot be.

Size: at most 270 lines of code, 110 a file.
"""

from autoencoder_lab.arguments.images import alike, batch, channels_last, drawable, images, stacked, tensor
from autoencoder_lab.arguments.numbers import number, sizes, whole
from autoencoder_lab.arguments.things import (
    data_set,
    function,
    generator,
    is_data,
    is_split,
    model,
    models,
    shown,
    split,
    text,
    texts,
)

__all__ = [
    "alike", "batch", "channels_last", "data_set", "drawable", "function", "generator", "images", "is_data", "is_split",
    "model", "models", "number", "shown", "sizes", "split", "stacked", "tensor", "text", "texts", "whole",
]  # fmt: skip
