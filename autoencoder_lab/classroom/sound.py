"""Sounds to be heard: a player each, with its name, and the waves as files for who asks for them."""

import base64
import html
import io
import re
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoencoder_lab import arguments
from autoencoder_lab.files import create_whole


class Players:
    """A player for each sound. waves: name → the bytes of a .wav file."""

    def __init__(self, waves: Mapping[str, bytes]) -> None:
        self.waves = dict(waves)

    def save(self, folder: str | Path = ".") -> list[Path]:
        """Write each wave as NAME.wav into folder, the notebook's own by default; gives the paths.

        Raises FileExistsError for a file that is there already and holds something else.
        """
        names = [re.sub(r"\W+", "-", name).strip("-") or "sound" for name in self.waves]
        ends = [f"-{names[:n].count(name)}" if name in names[:n] else "" for n, name in enumerate(names)]
        paths = [Path(folder) / f"{name}{end}.wav" for name, end in zip(names, ends, strict=True)]
        for path, content in zip(paths, self.waves.values(), strict=True):
            if path.exists() and (not path.is_file() or path.read_bytes() != content):
                raise FileExistsError(f'{path} is there already, with something else in it; try save("another folder")')
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, self.waves.values(), strict=True):
            if not path.exists():
                create_whole(path, content)
        return paths

    def __repr__(self) -> str:
        return f"Sounds to be played in a notebook: {', '.join(self.waves)}"

    def _repr_html_(self) -> str:
        players = ""
        for name, content in self.waves.items():
            label, data = html.escape(name), base64.b64encode(content).decode()
            audio = f'<audio controls aria-label="Sound: {label}" src="data:audio/wav;base64,{data}"></audio>'
            players += f"<figure><figcaption>{label}</figcaption>{audio}</figure>"
        return players


def listen(sounds: Mapping[str, Any], rate: int = 8000) -> Players:
    """Players for several sounds, all as loud as they are beside each other; nothing plays by itself.

    sounds: name → samples, real numbers of any shape, taken in their order; rate: samples a second, 3,000 to 96,000.
    Each sound is centred at 0; the loudest of all fills the range, without clipping. 16-bit mono.
    Raises ValueError for no sounds, an empty or infinite one, or such a rate; TypeError for what are no numbers.
    """
    rate = arguments.whole("rate", rate, 3000, 96000)
    asked = 'sounds with their names, {"clean": samples, …}'
    if not isinstance(sounds, Mapping):
        raise TypeError(f"this takes {asked}, got {arguments.shown(sounds)}")
    if not sounds:
        raise ValueError(f"this takes {asked}, got none")
    centred = {str(name): _samples(str(name), given) for name, given in sounds.items()}
    loudest = max(float(np.abs(samples).max()) for samples in centred.values()) or 1.0
    return Players({name: _wave(samples / loudest, rate) for name, samples in centred.items()})


def _samples(name: str, given: Any) -> Any:
    try:
        samples = torch.as_tensor(given).detach().cpu().double().flatten().numpy()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"the sound {name!r} is made of numbers, its samples, got {arguments.shown(given)}") from None
    if not samples.size or not np.isfinite(samples).all():
        raise ValueError(
            f"the sound {name!r} needs at least one sample and finite ones only, got {samples.size} samples"
        )
    return samples - samples.mean()


def _wave(samples: Any, rate: int) -> bytes:
    """A .wav file of samples in [−1, 1]."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return file.getvalue()
