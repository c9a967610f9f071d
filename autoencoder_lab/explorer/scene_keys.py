"""Every key of what Python sends to the page, and what it holds: the one place where they are written down.

A scene is JSON values and bytes; the browser can do all it does from it alone, with no kernel. Keys are in camelCase,
for JavaScript reads them. "f32" is little-endian float32, row by row; n images of C × H × W pixels are shown.
"""

from typing import Any, TypedDict


class AffineMap(TypedDict):
    """target ≈ matrix · source + offset."""

    matrix: bytes  # f32 (k′, k)
    offset: bytes  # f32 (k′,)
    r2: float  # the share of the target's variance that the map explains


class Alignment(TypedDict):
    """What brings the codes of two models onto each other."""

    forward: AffineMap  # from the first to the second
    backward: AffineMap


class SceneProgram(TypedDict):
    """What network.js runs; the weights are those of a snapshot. program.py's Program explains the operations."""

    operations: list[dict[str, Any]]
    inputShape: list[int]  # of one item


class Directions(TypedDict):
    """The codes of the n images at one moment; of N(0, I), with `codes` empty, where a model has none."""

    codes: bytes  # f32 (n, size)
    ranges: bytes  # f32 (size, 2): the values worth showing of each code value
    directionRanges: bytes  # f32 (k, 2): and along each direction, from the mean
    mean: bytes  # f32 (size,), of the codes
    spread: bytes  # f32 (size,), their standard deviations
    directions: bytes  # f32 (k, size): principal directions of the codes, of length 1, the strongest first
    directionSpread: bytes  # f32 (k,): standard deviations along them
    cholesky: bytes  # f32 (size, size): lower L with L·Lᵀ the covariance of the codes


class Snapshot(Directions):
    """One moment of a model."""

    step: int  # optimiser steps it was trained for
    mse: float | None  # squared error per pixel over the n images, where it has one
    weights: dict[str, bytes]  # by program; packed by `pack` or `compress`


class SceneModel(TypedDict):
    """One of the models, one or two."""

    name: str
    size: int  # of the code as it is moved: a long one is moved along a few directions
    decodes: bool  # a code suffices for a picture: there is a map
    encodes: bool
    reconstructs: bool  # what somebody draws can be given to it
    prior: bool  # codes are meant to be N(0, I)
    problem: str  # why it cannot be shown at all, or ""
    noMap: str  # why there is no map, or no image on it, or ""
    coordinates: str  # what was done to a long code, or ""
    programs: dict[str, SceneProgram]  # "decode" and "encode", or "reconstruct"; empty where the kernel computes
    snapshots: list[Snapshot]  # in time; one, unless it was watched while it trained


class Scene(TypedDict):
    """All of it."""

    title: str
    engine: str  # who computes: "browser", "worker" (beside an exported page) or "kernel"
    why: str  # why it is not the browser, or ""
    shape: list[int]  # C, H, W
    classes: list[str]
    labelBytes: int  # 1, or 4 where there are more than 256 classes
    labels: bytes  # n unsigned bytes or int32
    images: bytes  # n·C·H·W unsigned bytes
    notices: list[str]  # what stands above it all
    untrained: list[str]  # notices that a training takes away
    models: list[SceneModel]
    align: Alignment | None
    aligned: bool  # whether to begin so


class News(TypedDict):
    """The widget's trait `news`: one more snapshot, while a model trains. {} before."""

    model: int  # which one
    snapshot: Snapshot
    align: Alignment | None  # as it is now


class TrainingState(TypedDict):
    """The widget's trait `training`. {} before."""

    running: bool
    paused: bool
    step: int
    total: int  # steps


class GameMoment(TypedDict):
    """A look at the game in the plane."""

    round: int
    part: str  # which network has just moved: "critic", "generator" or "neither"
    accuracy: float  # how often the critic is right, in [0, 1]
    covered: int  # modes
    points: int  # which of the scene's
    belief: int  # which of the scene's


class GameScene(TypedDict):
    """The scene of `lab.show_game`: JSON values alone, bytes in base64."""

    title: str
    rounds: int
    modes: int
    edge: float  # the picture shows −edge … edge, both ways
    cells: int  # a belief has cells × cells numbers
    real: str  # int16 (POINTS, 2), of 1/5000
    points: list[str]  # as `real`, the generator's; each kept once while it stands still
    beliefs: list[str]  # unsigned bytes, 255 for certain that a point there is real; rows go upwards
    moments: list[GameMoment]


class PosteriorSetting(TypedDict):
    """One of the models that a setting is dragged over."""

    value: str  # of the setting
    means: list[list[float]]  # (n, 2): μ of each image
    sigmas: list[list[float]]  # (n, 2)
    rate: float  # mean KL of these images, in nats
    error: float  # squared error a pixel of what μ decodes to
    pictures: str  # n·C·H·W unsigned bytes in base64: what μ decodes to


class PosteriorScene(TypedDict):
    """The scene of `lab.show_posteriors`: JSON values alone."""

    title: str
    setting: str  # what is dragged: "β"
    shape: list[int]  # C, H, W
    classes: list[str]
    labels: list[int]
    originals: str  # n·C·H·W unsigned bytes in base64
    settings: list[PosteriorSetting]  # in the order of the slider
