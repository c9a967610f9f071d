"""The tool that compares every model's weights with an earlier commit's: it sees equal weights, and one bit."""

from pathlib import Path

import pytest
import torch

import autoencoder_lab as lab
from evidence import same_weights
from evidence.checkout import ROOT, checked_out
from evidence.same_weights import all_checksums, checksums, differences

QUICK = ("PCA", "LinearAutoencoder", "VAE, learned sigma")


@pytest.mark.slow
def test_a_model_trained_twice_is_the_same_and_its_names_are_those_of_its_state() -> None:
    threads = torch.get_num_threads()
    try:
        first, second = all_checksums(QUICK), all_checksums(QUICK)
    finally:
        torch.set_num_threads(threads)
    assert first == second and list(first) == list(QUICK)
    assert first["LinearAutoencoder"].keys() == {*lab.LinearAutoencoder(32).state_dict(), "history"}
    assert first["LinearAutoencoder"]["weight"] != checksums(lab.LinearAutoencoder(32).state_dict())["weight"]
    assert "log_sigma" in first["VAE, learned sigma"]


@pytest.mark.parametrize("name", ["weight", "trained_steps"])
def test_one_bit_is_seen_and_named(name: str) -> None:
    then = {key: value.clone() for key, value in lab.LinearAutoencoder(3, (1, 8, 8)).state_dict().items()}
    now = {key: value.clone() for key, value in then.items()}
    assert differences(checksums(then), checksums(now)) == []
    whole = now[name].view(-1).view(torch.int32)
    whole[len(whole) // 2] ^= 1
    assert differences(checksums(then), checksums(now)) == [f"{name} has other bits"]


def test_a_sign_of_zero_a_type_and_a_shape_count_and_the_layout_does_not() -> None:
    def same(a: torch.Tensor, b: torch.Tensor) -> bool:
        return not differences(checksums({"w": a}), checksums({"w": b}))

    zeros = torch.zeros(2, 3)
    assert not same(zeros, -zeros) and not same(zeros, zeros.int()) and not same(zeros, zeros.view(3, 2))
    image = torch.rand(2, 3, 4, 4)
    assert same(image, image.to(memory_format=torch.channels_last))
    assert same(torch.tensor(torch.nan), torch.tensor(torch.nan))


def test_names_that_come_and_go_are_named() -> None:
    assert differences({"a": "1", "b": "2"}, {"b": "2", "c": "1"}) == ["a was there", "c is new"]


def test_every_model_of_the_course_is_among_them() -> None:
    """By the names that the library makes public: a new model has to be added."""
    public = {name: getattr(lab, name) for name in lab.__all__}
    classes = {name: thing for name, thing in public.items() if isinstance(thing, type)}
    models = {name for name, thing in classes.items() if issubclass(thing, torch.nn.Module) or hasattr(thing, "fit")}
    assert {"PCA", "VICReg", "LatentMixture"} <= models
    source = Path(same_weights.__file__).read_text(encoding="utf-8")
    missing = {name for name in models if f"lab.{name}(" not in source}
    # base classes; and what puts two models together and has no weights of its own
    assert missing <= {"Autoencoder", "LatentModel", "Model"} | {"OnCodes"}


def test_a_model_of_which_the_library_has_none_gets_no_checksums_and_other_errors_are_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    monkeypatch.setitem(same_weights.MODELS, "Transformer", lambda: same_weights.trained(lab.Transformer(8)))
    assert all_checksums(["Transformer"]) == {"Transformer": {}}
    monkeypatch.setitem(same_weights.MODELS, "PCA", lambda: lab.PCA(3).no_such_name)
    with pytest.raises(AttributeError, match="no_such_name"):
        all_checksums(["PCA"])


def test_the_wide_one_computes_in_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    formats, fit = set[str](), lab.fit

    def one_step(model: torch.nn.Module, *args, **settings) -> lab.History:
        history = fit(model, *args, **settings | {"steps": 1})
        formats.add(history.settings["memory_format"])
        return history

    monkeypatch.setattr(lab, "fit", one_step)
    same_weights.MODELS["ConvAutoencoder, wide"]()
    assert formats == {"channels_last"}


# --- two trees -----------------------------------------------------------------------------------------


def test_a_model_that_differs_is_told_and_makes_the_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Tree:
        def __init__(self, commit: str) -> None:
            self.commit = commit

        def __enter__(self) -> Path:
            return Path(self.commit)

        def __exit__(self, *_: object) -> None: ...

    made = {
        "then": {"PCA": {"mean": "1"}, "VAE": {"w": "1"}, "VICReg": {}},
        ROOT.name: {"PCA": {"mean": "1"}, "VAE": {"w": "2"}, "VICReg": {"w": "1"}},
    }
    monkeypatch.setattr("evidence.checkout.checked_out", Tree)
    monkeypatch.setattr(same_weights, "run_in", lambda tree, names: {name: made[tree.name][name] for name in names})
    assert same_weights.main(["--against", "then", "PCA", "VICReg"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == ["same    PCA: 1 checksums", "new     VICReg: 1 checksums", "none of 2 differs from then"]
    assert same_weights.main(["--against", "then", "PCA", "VAE"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told == ["same    PCA: 1 checksums", "differs VAE: w has other bits", "1 of 2 differ from then"]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone")
def test_the_last_commit_is_checked_out_and_its_own_library_is_asked(tmp_path: Path) -> None:
    with checked_out("HEAD") as tree:
        assert (tree / "autoencoder_lab" / "__init__.py").exists() and tree != ROOT
        found = same_weights.run_in(tree, ["PCA"])  # raises where Python takes another library
    assert not tree.exists()
    assert found.keys() == {"PCA"} and {"mean", "components", "variances"} <= found["PCA"].keys()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone")
def test_an_unknown_commit_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        same_weights.main(["--against", "no-such-commit", "PCA"])
    assert "cannot check out 'no-such-commit'" in capsys.readouterr().err


def test_an_unknown_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        same_weights.main(["Transformer"])
    assert "no model Transformer" in capsys.readouterr().err
