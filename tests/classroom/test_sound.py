"""Players hold the samples they were given, as loud as beside each other; files are written on request alone."""

import base64
import io
import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import autoencoder_lab as lab

TONE = torch.linspace(0, 40, 8000).sin()


def samples(content: bytes) -> tuple[np.ndarray, int]:
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767, file.getframerate()


def test_the_samples_come_back_as_loud_as_they_are_beside_each_other(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    loud = (0.5 + TONE).view(2, 1, 40, 100).requires_grad_()
    players = lab.listen({"loud & clear": loud, "quiet": (0.25 * TONE).tolist()})
    found = {name: samples(content) for name, content in players.waves.items()}
    centred = (TONE - TONE.mean()).numpy()
    for name, share in (("loud & clear", 1.0), ("quiet", 0.25)):
        assert found[name][1] == 8000
        assert np.allclose(found[name][0], share * centred / np.abs(centred).max(), atol=1e-4)
    page = players._repr_html_()
    assert re.findall(r'aria-label="([^"]*)"', page) == ["Sound: loud &amp; clear", "Sound: quiet"]
    shown = re.findall(r'src="data:audio/wav;base64,([^"]*)"', page)
    assert [base64.b64decode(data) for data in shown] == list(players.waves.values())
    assert "autoplay" not in page and repr(players).endswith("loud & clear, quiet")
    assert list(tmp_path.iterdir()) == [], "nothing is written unasked"


def test_files_are_written_on_request_and_replace_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    players = lab.listen({"best linear map": TONE, "best/linear map": -TONE}, rate=16000)
    assert [path.name for path in players.save()] == ["best-linear-map.wav", "best-linear-map-1.wav"]
    assert [(tmp_path / name).read_bytes() for name in ("best-linear-map.wav", "best-linear-map-1.wav")] == list(
        players.waves.values()
    )
    assert samples((tmp_path / "best-linear-map.wav").read_bytes())[1] == 16000
    players.save()  # the same again
    (tmp_path / "best-linear-map-1.wav").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"best-linear-map-1\.wav is there already, with something else in it"):
        players.save()
    assert (tmp_path / "best-linear-map-1.wav").read_text(encoding="utf-8") == "mine"
    assert len(players.save(tmp_path / "other" / "folder")) == 2


def test_silence_is_silent() -> None:
    assert not samples(lab.listen({"silence": np.full(100, 0.5)}).waves["silence"])[0].any()


@pytest.mark.parametrize(
    ("sounds", "rate", "error", "message"),
    [
        (TONE, 8000, TypeError, "sounds with their names"),
        ({}, 8000, ValueError, "sounds with their names"),
        ({"a": []}, 8000, ValueError, "the sound 'a' needs at least one sample"),
        ({"a": [float("nan")]}, 8000, ValueError, "finite ones only"),
        ({"a": "tone"}, 8000, TypeError, "the sound 'a' is made of numbers"),
        ({"a": TONE}, 0, ValueError, "rate"),
        ({"a": TONE}, "8000 Hz", ValueError, "rate"),
    ],
)
def test_what_is_no_sound(sounds: Any, rate: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lab.listen(sounds, rate)
