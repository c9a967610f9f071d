"""The widget in the notebook, its kernel engine, and its part in training."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets

from autoencoder_lab.explorer import bundle, page, sheet
from autoencoder_lab.explorer.scene import (
    ExploredModel,
    alignment,
    choose_engine,
    f32,
    keep_signs,
    pixel_bytes,
    snapshot,
    untrained,
)

MOST_SNAPSHOTS = 24
_open: dict[str, tuple[int, list[Any]]] = {}  # cell -> (its execution count, its explorers)
_lock = threading.RLock()  # messages may arrive on another thread than the cells


class Explorer(anywidget.AnyWidget):
    """The widget `explore` returns. Its scene reaches the browser with it: pictures need no answer from the kernel."""

    _esm = bundle.javascript()
    _css = bundle.stylesheet()
    scene = traitlets.Dict().tag(sync=True)
    news = traitlets.Dict().tag(sync=True)  # the newest snapshot of a training
    training = traitlets.Dict().tag(sync=True)

    def __init__(
        self, models: Mapping[str, Any], images: Any, *, align: bool, engine: str, title: str | None = None
    ) -> None:
        self.originals = list(models.values())
        self.images = images
        self.title = title or f"Latent explorer: {' and '.join(models)}"
        self._training = _Training()
        self._sheet: bytes | None = None
        explored = [ExploredModel(name, model, images.images) for name, model in models.items()]
        self.engine, self.why, self.programs = choose_engine(explored, engine)
        self.moments = [[model] for model in explored]  # [model][snapshot]: what the kernel decodes from
        self.snapshots = [
            [snapshot(model, programs if self.engine == "browser" else {}, _steps(model), "float16")]
            for model, programs in zip(explored, self.programs, strict=True)
        ]  # [model][snapshot]: the same moments as the browser gets them
        super().__init__(scene=self._scene(align))
        self.on_msg(self._answer)
        _close_former_of_this_cell(self)

    # --- what the browser is told -----------------------------------------------------------------

    def _scene(self, align: bool) -> dict[str, Any]:
        split, both = self.images, [moments[0] for moments in self.moments]
        wide = len(split.classes) > 256
        outside = float(split.images.min()) < 0 or float(split.images.max()) > 1
        return {
            "title": self.title,
            "engine": self.engine,
            "why": self.why,
            "shape": list(split.images.shape[1:]),
            "classes": list(split.classes),
            "label_bytes": 4 if wide else 1,
            "labels": split.labels.numpy().astype("<i4" if wide else "u1").tobytes(),
            "images": pixel_bytes(split.images).tobytes(),
            "notices": ["Pixel values outside [0, 1] are shown as black or white."] if outside else [],
            "untrained": [
                f"{model.name} has not been trained: its pictures mean nothing yet. Train it with lab.fit(model, data)."
                for model, original in zip(both, self.originals, strict=True)
                if untrained(original)
            ],
            "models": [
                {
                    "name": model.name,
                    "size": model.size,
                    "decodes": model.decodes,
                    "encodes": model.encodes,
                    "prior": bool(getattr(model.model, "has_prior", False)),
                    "problem": model.problem,
                    "no_map": model.no_map,
                    "coordinates": model.coordinates,
                    "programs": {name: one.to_json() for name, one in programs.items()}
                    if self.engine == "browser"
                    else {},
                    "snapshots": snapshots,
                }
                for model, programs, snapshots in zip(both, self.programs, self.snapshots, strict=True)
            ],
            "align": alignment(*both) if len(both) == 2 else None,
            "aligned": align,
        }

    # --- the kernel engine ------------------------------------------------------------------------

    def run(self, index: int, moment: int, what: str, rows: np.ndarray) -> list[bytes]:
        """Compute for the browser. what: "decode" rows (m, size), or "reconstruct" rows (m, C·H·W) in [0, 1].

        Returns [pixels uint8, codes float32]; the codes are empty for "decode" and for models without them.
        """
        model = self.moments[index][moment]
        x = torch.from_numpy(np.array(rows, dtype="<f4"))
        with torch.inference_mode():
            if what == "decode":
                return [pixel_bytes(model.decode(x.view(-1, model.size))).tobytes(), b""]
            images = x.view(-1, *self.images.images.shape[1:])
            codes = f32(model.encode(images)) if model.encodes and model.decodes else b""
            return [pixel_bytes(model.reconstruct(images)).tobytes(), codes]

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
            self._training.ask(message["action"])
            self._tell_training()

    # --- while a model trains ---------------------------------------------------------------------

    def __call__(self, model: Any, history: Any) -> bool:
        """The callback of `fit`: keeps the weights of this moment, shows them, and obeys pause, step and stop."""
        index = next((i for i, one in enumerate(self.originals) if one is model), None)
        if index is None:
            names = " and ".join(moments[0].name for moments in self.moments)
            raise ValueError(f"this explorer shows {names}, not the {getattr(model, 'label', model)} that is trained")
        total, step = int(history.settings["steps"]), int(history.step[-1])
        before = int(history.step[-2]) if len(history.step) > 1 else 0
        # evenly over the square root of the steps, for most happens early
        due = int(MOST_SNAPSHOTS * (step / total) ** 0.5) > int(MOST_SNAPSHOTS * (before / total) ** 0.5)
        if not self._training.running:
            self._end_with_the_cell()
        self._training.begin(step, total)
        if due or step >= total or self._training.paused:
            self._keep(index, model)
        self._tell_training()
        stop = self._training.wait()
        if stop or step >= total:
            self._training.end()
            self._tell_training()
        return stop

    def _keep(self, index: int, model: Any) -> None:
        """Freeze this moment, and send it."""
        first = self.moments[index][0]
        moment = ExploredModel(first.name, model, self.images.images)
        programs = moment.programs() if self.engine == "browser" and not moment.problem else {}
        taken = snapshot(moment, programs, _steps(moment), "float16")
        keep_signs(taken, self.snapshots[index][-1], len(self.images.images))
        self.moments[index].append(moment)
        self.snapshots[index].append(taken)  # the scene's own list: a page that is loaded again gets them all
        self._sheet = None
        latest = [moments[-1] for moments in self.moments]
        self.news = {"model": index, "snapshot": taken, "align": alignment(*latest) if len(latest) == 2 else None}

    def _end_with_the_cell(self) -> None:
        """`fit` calls nobody after Ctrl-C; the end of the cell is the end of its training."""
        from IPython import get_ipython

        shell = get_ipython()
        if shell is None:
            return

        def over(_result: Any) -> None:
            shell.events.unregister("post_run_cell", over)
            self._training.end()
            self._tell_training()

        shell.events.register("post_run_cell", over)

    def _tell_training(self) -> None:
        self.training = self._training.state()

    # --- what is left where nothing runs ----------------------------------------------------------

    def to_png(self, path: str | Path | None = None) -> bytes:
        """A contact sheet: the map of codes, and images above their reconstructions. Writes it to `path` if given.

        Raises FileExistsError rather than replace a file that is not a PNG.
        """
        if self._sheet is None:
            figure = sheet.contact_sheet([moments[-1] for moments in self.moments], self.images, self.title)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", metadata={"Software": None, "Description": figure.alt})
            self._sheet, self._alt = buffer.getvalue(), figure.alt
        if path is not None:
            page.write(Path(path), self._sheet, b"\x89PNG")
        return self._sheet

    def to_html(self, path: str | Path) -> Path:
        """Write one page that holds everything: no network, no kernel; all but live training works. Returns the path.

        Raises FileExistsError rather than replace a file that is not such a page, ValueError for a model with a layer
        that no browser can run.
        """
        return page.write(Path(path), page.html(self).encode(), page.BEGINNING)

    @property
    def alt(self) -> str:
        """What the contact sheet shows, in words."""
        self.to_png()
        return self._alt

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live widget, and the contact sheet for GitHub, PDF and readers without JavaScript."""
        live = super()._repr_mimebundle_(**kwargs)
        data, metadata = live if isinstance(live, tuple) else (live or {}, {})
        sheet_png = base64.b64encode(self.to_png()).decode()
        return {**data, "text/plain": repr(self), "image/png": sheet_png}, {**metadata, "image/png": {"alt": self.alt}}

    def __repr__(self) -> str:
        """Stable, where the default one holds a memory address."""
        return f"Explorer({', '.join(moments[0].name for moments in self.moments)}; {len(self.images)} images)"

    def close(self) -> None:
        """Take the widget off the page and free what it holds; the layout that comes with every widget too."""
        self.layout.close()
        super().close()


class _Training:
    """Pause, step and stop: asked for in the page, obeyed between two epochs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.running = self.paused = self._stopping = False
        self._single = 0  # epochs still due while paused
        self._step = self._total = 0

    def begin(self, step: int, total: int) -> None:
        """An epoch is done."""
        self.running, self._step, self._total = True, step, total

    def end(self) -> None:
        """The training is over; what is asked from now on is too late."""
        self.running = self.paused = self._stopping = False
        self._single = 0

    def ask(self, action: str) -> None:
        """ "pause", "continue", "step" (one more epoch, then pause) or "stop"; ignored while nothing trains."""
        with self._changed:
            if not self.running:
                return
            self.paused = action in ("pause", "step")
            self._single += action == "step"
            self._stopping = action == "stop"
            self._changed.notify_all()

    def wait(self) -> bool:
        """Hold the training while it is paused; True to stop it. Ctrl-C gets through."""
        with self._changed:
            while self.paused and not self._single and not self._stopping:
                self._changed.wait(0.2)
            self._single = max(0, self._single - 1)
            return self._stopping

    def state(self) -> dict[str, Any]:
        """As the page shows it."""
        return {"running": self.running, "paused": self.paused, "step": self._step, "total": self._total}


def _steps(model: ExploredModel) -> int:
    return int(getattr(model.model, "trained_steps", 0))


def _close_former_of_this_cell(explorer: Explorer) -> None:
    """Close what an earlier run of the same cell left: a widget that is only forgotten stays alive for good."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    metadata = shell.get_parent().get("metadata", {})
    cell = str(metadata.get("cellId") or hash(shell.user_ns.get("In", [""])[-1]))
    with _lock:
        execution, explorers = _open.get(cell, (-1, []))
        if execution != shell.execution_count:
            for former in explorers:
                former.close()
            explorers = []
        _open[cell] = (shell.execution_count, [*explorers, explorer])
