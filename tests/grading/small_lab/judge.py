"""A small lab's judge: a formula, a function of functions, and a trained linear autoencoder in two stages."""

import numpy as np

from autoencoder_lab.grading.judge import Ask, Judge, Mark, Part, StagedPart, compared
from autoencoder_lab.grading.sandbox import Arrays

MSE = """
def probe(names, x, y):
    import torch
    return {"mse": names["mse"](torch.from_numpy(x), torch.from_numpy(y)).detach()}
"""
CENTRED = """
def probe(names, x):
    import torch
    return {"centred": names["centred"](torch.from_numpy(x))}
"""
ENCODE = """
def probe(names, x):
    import torch
    return {"codes": names["model"].encode(torch.from_numpy(x)).detach().half()}
"""
DECODE = """
def probe(names, z):
    import torch
    return {"x": names["model"].decode(torch.from_numpy(z).float()).detach()}
"""


def two_arrays(generator: np.random.Generator) -> Arrays:
    return {name: generator.normal(size=(5, 7)) for name in ("x", "y")}


def an_array(generator: np.random.Generator) -> Arrays:
    return {"x": generator.normal(size=(5, 7))}


def judge_mse(given: Arrays, inputs: Arrays) -> Mark:
    squared = (inputs["x"] - inputs["y"]) ** 2
    mistakes = {
        "sum for mean": (squared.sum(), 0.5, "this is the sum of the squared errors; divide by how many there are"),
        "root": (np.sqrt(squared.mean()), 0.5, "this is the root of the mean squared error"),
    }
    return compared(given["mse"], squared.mean(), mistakes)


def judge_centred(given: Arrays, inputs: Arrays) -> Mark:
    x = inputs["x"]
    rows = (x - x.mean(axis=1, keepdims=True), 0.0, "you take the mean of each image; the mean image is asked for")
    return compared(given["centred"], x - x.mean(axis=0), {"axis": rows})


def judge_model(ask: Ask, generator: np.random.Generator) -> Mark:
    x = generator.normal(size=(64, 2)).astype("f4") @ np.linspace(-1, 1, 16, dtype="f4").reshape(2, 8)
    codes = ask(ENCODE, x=x)["codes"]
    if codes.shape != (64, 2) or codes.dtype != np.float16:
        return Mark(0.0, f"a code has 2 numbers, yours {codes.shape[1:]}", "code size")
    restored = ask(DECODE, z=codes)["x"]
    error = float(((restored - x) ** 2).mean() / (x**2).mean()) if restored.shape == x.shape else np.inf
    return Mark(1.0) if error < 0.05 else Mark(0.0, f"the error is {error:.2f} of the images' own power", "not trained")


JUDGE = Judge(
    parts=[
        Part("test_mse", 2, ("mse",), MSE, judge_mse, two_arrays),
        Part("test_centred", 3, ("centred",), CENTRED, judge_centred, an_array),
        StagedPart("test_model", 5, ("model",), judge_model),
    ]
)
