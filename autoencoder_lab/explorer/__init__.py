"""The latent explorer, and players of the game in the plane and of posteriors: in the notebook and in exported pages.

Size: at most 2,260 lines of code, 350 a file.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from autoencoder_lab.explorer.game import GamePlayer
    from autoencoder_lab.explorer.posteriors import PosteriorPlayer
    from autoencoder_lab.explorer.widget import Explorer

__all__ = ["Explorer", "explore", "show_game", "show_posteriors"]

Engine = Literal["auto", "browser", "kernel", "plain"]


def __getattr__(name: str) -> Any:
    # widgets and figures load when the first explorer is made, not with the library
    if name == "Explorer":
        from autoencoder_lab.explorer.widget import Explorer

        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def explore(
    models: Any,
    data: Any,
    *,
    split: Literal["train", "val", "test"] = "test",
    count: int = 500,
    align: bool = False,
    engine: Engine = "auto",
    title: str | None = None,
) -> Any:
    """Drag through a latent space: the codes of real images on a map, and the picture that every place decodes to.

    models: one model; a sequence or {name: model} of two for the same drag in both, side by side.
    data: an ImageData (its `split` is shown) or a Split; the first `count` images of it are shown.
    align: begin with the codes of the second model brought onto those of the first by the best affine map.
    engine: "browser" computes the pictures in the page, "kernel" here, "plain" uses ordinary sliders where no script
      runs; "auto" takes the browser unless a layer is unknown to it or the model is too large for 60 pictures a second.
    Pass the result to `fit(..., callbacks=[explorer])` to watch a model train. `.to_html(path)` writes a page that
    needs no kernel, `.to_png(path)` a picture.

    A model whose code suffices for a picture gets a map; one that only reconstructs can be drawn for. Raises TypeError
    for any other, with what it can do instead, and for images with targets; ValueError for more than two models, images
    of another shape than a model's, an unknown engine.
    """
    from autoencoder_lab import arguments
    from autoencoder_lab.comparison import named
    from autoencoder_lab.explorer.explored import refusal
    from autoencoder_lab.explorer.scene import ENGINES
    from autoencoder_lab.explorer.widget import Explorer

    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(map(repr, ENGINES))}, got {engine!r}")
    if not 1 <= len(given := named(arguments.models(models))) <= 2:
        raise ValueError(f"explore shows one model or two side by side, got {len(given)}")
    count = arguments.whole("count", count, 1, what="of images")
    if not arguments.is_split(data):
        if split not in ("train", "val", "test"):
            raise ValueError(f'split must be one of "train", "val" and "test", got {arguments.shown(split)}')
        data = getattr(arguments.data_set(data), split)
    images = data[:count]
    given = named(models, images.images)
    for name, model in given.items():
        if reason := refusal(name, model, images):
            raise TypeError(reason)
        if model.image_shape is not None and tuple(model.image_shape) != tuple(images.images.shape[1:]):
            raise ValueError(
                f"{name} was built for images {tuple(model.image_shape)}, these are {tuple(images.images.shape[1:])}; "
                "build it with image_shape=data.shape"
            )
    if engine == "plain":
        from autoencoder_lab.explorer.plain import plain_explorer

        return plain_explorer(given, images)
    return Explorer(given, images, align=align, engine=engine, title=title)


def show_game(gan: Any, rounds: int = 1000, kept: int = 40, title: str = "Generator against critic") -> "GamePlayer":
    """Play the first of a PlanarGAN's games for some rounds, and return a player of it: pause, step, scrub.

    Both halves of about `kept` rounds can be looked at: after the critic's step, and after the generator's.
    `.to_html(path)` writes a page that needs no kernel, `.to_png()` gives four moments as a picture.
    """
    from autoencoder_lab import arguments
    from autoencoder_lab.explorer.game import GamePlayer, record
    from autoencoder_lab.models.planar_game import PlanarGAN

    if not isinstance(gan, PlanarGAN):
        raise TypeError(f"show_game plays a lab.PlanarGAN(), got {arguments.shown(gan)}")
    rounds, kept = arguments.whole("rounds", rounds, 1), arguments.whole("kept", kept, 1)
    title = arguments.text("title", title, '"Generator against critic"')
    return GamePlayer(record(gan, rounds, kept), title)


def show_posteriors(
    models: Any, data: Any, count: int = 60, setting: str = "β", title: str | None = None
) -> "PosteriorPlayer":
    """Drag one setting of a VAE: μ of some images with their ellipses of 1 σ, and what a chosen image becomes.

    models: {value of the setting: model}, two or more, each with `posterior(x)` → (μ, log σ²), (B, 2) each: codes of
    two numbers. data: an ImageData, whose test images are shown, or a Split; its first `count`. Nothing is computed
    between the values: each is a model that was trained. `.to_html(path)` writes a page that needs no kernel.
    Raises TypeError for anything else, ValueError for one model alone or for codes of another size.
    """
    from autoencoder_lab import arguments
    from autoencoder_lab.explorer.posteriors import PosteriorPlayer
    from autoencoder_lab.plotting.diagram.asking import asked, check_verbs

    if not isinstance(models, Mapping):
        raise TypeError(
            f"models are {{value: model}}, such as {{1.0: vae, 4.0: another}}, got {arguments.shown(models)}"
        )
    if len(models) < 2:
        raise ValueError(f"a setting is dragged over two models or more, got {len(models)}")
    count = arguments.whole("count", count, 1, what="of images")
    setting = arguments.text("setting", setting, '"β"')
    images = (data if arguments.is_split(data) else arguments.data_set(data).test)[:count]
    for value, model in models.items():
        arguments.number("a value of the setting", value, "is a number", lambda number: True)
        check_verbs(model, "posterior", "decode")
        size = asked(model.posterior, images.images[:1])[0].shape[1]
        if size != 2:
            raise ValueError(
                f"the map has two axes, and {setting} = {value:g} has codes of {size} numbers: give it latent=2"
            )
    title = arguments.text("title", title or f"{setting} dragged: means and ellipses of one σ", '"β from 0.1 to 30"')
    return PosteriorPlayer(models, images, setting, title)
