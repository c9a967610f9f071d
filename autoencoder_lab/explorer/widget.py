"""The explorer's widget in the notebook, its kernel engine, and its part in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import traitlets

from autoencoder_lab.explorer import bundle, page, sheet
from autoencoder_lab.explorer.explored import ExploredModel
from autoencoder_lab.explorer.scene import alignment, choose_engine, f32, keep_signs, pixel_bytes, snapshot, whole_scene
from autoencoder_lab.explorer.scene_keys import News
from autoencoder_lab.explorer.standalone import StandaloneWidget
from autoencoder_lab.explorer.steering import Steering, when_the_cell_ends
from autoencoder_lab.plotting.figure import Figure

MOST_SNAPSHOTS = 24


class Explorer(StandaloneWidget):
    """The widget `explore` returns. Its scene reaches the browser with it: pictures need no answer from the kernel."""

    _esm = bundle.javascript()
    _css = bundle.stylesheet()
    news = traitlets.Dict().tag(sync=True)  # a News: the newest snapshot of a training
    training = traitlets.Dict().tag(sync=True)  # a TrainingState

    def __init__(
        self, models: Mapping[str, Any], images: Any, *, align: bool, engine: str, title: str | None = None
    ) -> None:
        self.originals = list(models.values())
        self.images: Any = images  # a Split
        self.title = title or f"Latent explorer: {' and '.join(models)}"
        self._repr = f"Explorer({', '.join(models)}; {len(images)} images)"
        self._steering = Steering()
        explored = [ExploredModel(name, model, images.images) for name, model in models.items()]
        self.engine, self.why, self.programs = choice = choose_engine(explored, engine)
        self.moments = [[model] for model in explored]  # [model][snapshot]: what the kernel decodes from
        self.snapshots = [
            [snapshot(model, programs if self.engine == "browser" else {})]
            for model, programs in zip(explored, self.programs, strict=True)
        ]  # [model][snapshot]: the same moments as the browser gets them
        scene = whole_scene(self.title, images, explored, self.originals, choice, self.snapshots, align)
        super().__init__(scene=scene)
        self.on_msg(self._answer)

    def run(self, index: int, moment: int, what: str, rows: np.ndarray) -> list[bytes]:
        """Compute for the browser. what: "decode" rows (m, size), or "reconstruct" rows (m, C·H·W) in [0, 1].

        Returns [pixels uint8, codes float32]; the codes are empty for "decode" and for models without them.
        """
        return computed(self.moments[index][moment], what, torch.from_numpy(np.array(rows, dtype="<f4")))

    def _answer(self, _widget: Any, message: dict[str, Any], buffers: Sequence[Any]) -> None:
        """A message from a view, which hears of every failure here."""
        kind = message.get("kind")
        if kind == "run":
            reply = {name: message[name] for name in ("view", "slot", "id")}
            try:
                rows = np.frombuffer(buffers[0], "<f4")
                self.send(reply, self.run(message["model"], message["snapshot"], message["what"], rows))
            except Exception as error:  # whatever it is, the view must not wait for ever
                self.send(reply | {"error": f"{type(error).__name__}: {error}"})
        elif kind == "training":
            self._steering.ask(message["action"])
            self._tell_training()

    def __call__(self, model: Any, history: Any) -> bool:
        """The callback of `fit`: keeps the weights of this moment, shows them, and obeys pause, step and stop."""
        self._refuse_if_closed()
        index = next((i for i, one in enumerate(self.originals) if one is model), None)
        if index is None:
            names = " and ".join(moments[0].name for moments in self.moments)
            raise ValueError(f"this explorer shows {names}, not the {model.label} that is trained")
        total, step = int(history.settings["steps"]), int(history.step[-1])
        if not self._steering.running:
            when_the_cell_ends(self._training_is_over)
        self._steering.begin(step, total)
        if is_due(history.step, total) or self._steering.paused:
            self._keep(index, model)
        self._tell_training()
        stop = self._steering.wait()
        if stop or step >= total:
            self._training_is_over()
        return stop

    def _keep(self, index: int, model: Any) -> None:
        """Freeze this moment, and send it."""
        moment = ExploredModel(self.moments[index][0].name, model, self.images.images)
        programs = moment.programs() if self.engine == "browser" and not moment.problem else {}
        taken = snapshot(moment, programs)
        keep_signs(taken, self.snapshots[index][-1], len(self.images.images))
        self.moments[index].append(moment)
        self.snapshots[index].append(taken)  # the scene's own list: a page that is loaded again gets them all
        self._png = None
        latest = [moments[-1] for moments in self.moments]
        news: News = {"model": index, "snapshot": taken, "align": alignment(*latest) if len(latest) == 2 else None}
        self.news = dict(news)

    def _training_is_over(self) -> None:
        self._steering.end()
        self._tell_training()
        if self.at_rest and self._png is None:  # on the page, and no longer what the picture of it shows
            self.leave_picture()

    def _tell_training(self) -> None:
        self.training = dict(self._steering.state())

    # --- what is left where nothing runs ----------------------------------------------------------

    def figure(self) -> Figure:
        """A contact sheet: the map of codes, and images above their reconstructions."""
        return sheet.contact_sheet([moments[-1] for moments in self.moments], self.images, self.title)

    def page_text(self) -> str:
        """The page, as `to_html` writes it."""
        return page.html(self)

    def __repr__(self) -> str:
        """Stable, where the default one holds a memory address."""
        return self._repr

    def forget(self) -> None:
        """Let go of scene, moments and models."""
        super().forget()
        self.news = {}
        for kept in (self.originals, self.moments, self.snapshots, self.programs):
            kept.clear()
        self.images = None


@torch.inference_mode()
def computed(model: ExploredModel, what: str, rows: torch.Tensor) -> list[bytes]:
    """What `Explorer.run` returns."""
    if what == "decode":
        return [pixel_bytes(model.decode(rows.view(-1, model.size))).tobytes(), b""]
    images = rows.view(-1, *model.images.shape[1:])
    codes = f32(model.encode(images)) if model.encodes and model.decodes else b""
    return [pixel_bytes(model.reconstruct(images)).tobytes(), codes]


def is_due(steps: Sequence[int], total: int) -> bool:
    """Whether a snapshot is taken at the last of these steps: evenly over √step, for most happens early."""
    before, now = (int(MOST_SNAPSHOTS * (step / total) ** 0.5) for step in ([0, *steps])[-2:])
    return now > before or steps[-1] >= total
