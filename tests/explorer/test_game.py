"""The player of the game in the plane: what is recorded, and what a user sees of it in a browser."""

import base64
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

import autoencoder_lab as lab
from autoencoder_lab.data.plane import ring_points
from autoencoder_lab.explorer.game import CELLS, EDGE, GamePlayer, look, record, scene
from autoencoder_lab.models.planar_game import PlanarGAN

if TYPE_CHECKING:
    from playwright.sync_api import Page

GAME = "document.querySelector('.autoencoder-lab-game').game"


@pytest.fixture
def double() -> Iterator[None]:
    """In double precision, so that only rounding separates what should be equal."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def state(gan: PlanarGAN) -> list[Tensor]:
    """All weights."""
    return [weight.detach().clone() for network in gan.optimisers for weight in network.parameters()]


@pytest.fixture(scope="module")
def player() -> GamePlayer:
    return lab.show_game(PlanarGAN([0], hidden=16), rounds=60, kept=12, title="A <short> game")


# --- what is recorded --------------------------------------------------------------------------------


def test_a_record_shows_both_halves_of_its_rounds() -> None:
    gan = PlanarGAN([5], hidden=8)
    moments = record(gan, rounds=50, kept=10)
    assert (moments[0].round, moments[0].part) == (0, "neither")
    assert [moment.part for moment in moments[1:]] == ["critic", "generator"] * (len(moments) // 2)
    assert moments[-1].round == 50 == gan.rounds and sorted({m.round for m in moments}) == [
        m.round for m in moments[::2]
    ]
    for before, after in pairwise(moments):
        if after.part == "generator":  # it moves its points, and the critic's belief stays
            assert torch.equal(before.belief, after.belief) and not torch.equal(before.points, after.points)
        elif after.round == before.round + 1:
            assert torch.equal(before.points, after.points) and not torch.equal(before.belief, after.belief)


def test_looking_changes_nothing() -> None:
    looked_at, alone = PlanarGAN([5], hidden=8), PlanarGAN([5], hidden=8).play(20)
    record(looked_at, rounds=20, kept=5)
    assert all(torch.equal(a, b) for a, b in zip(state(looked_at), state(alone), strict=True))


def test_the_first_of_many_games_is_looked_at() -> None:
    many, alone = (PlanarGAN(seeds, hidden=8).play(5) for seeds in ((3, 4, 5), (3,)))
    torch.testing.assert_close(look(many, "critic").points, look(alone, "critic").points)
    torch.testing.assert_close(look(many, "critic").belief, look(alone, "critic").belief)


@pytest.mark.usefixtures("double")
def test_belief_and_accuracy_are_those_of_the_critic() -> None:
    gan = PlanarGAN([1], hidden=8)
    with torch.no_grad():  # a critic that holds for real what lies above the line y = x
        gan.critic.weights[0].zero_()[0, :, 0] = torch.tensor([-1.0, 1.0])
        for weight, value in zip(gan.critic.weights[1:], (1.0, 50.0), strict=True):
            weight.zero_()[0, 0, 0] = value
        for bias in gan.critic.biases:
            bias.zero_()
    moment = look(gan, "critic")
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    assert (moment.belief[rows > columns] > 0.9).all() and (moment.belief[rows < columns] < 0.5).all()
    real, made = ring_points(1000, generator=Generator().manual_seed(1)), moment.points
    right = torch.cat([real[:, 1] > real[:, 0], made[:, 1] < made[:, 0]]).double().mean()
    assert moment.accuracy == pytest.approx(float(right), abs=1e-6)


@pytest.mark.usefixtures("double")
def test_a_relativistic_critic_is_judged_by_differences() -> None:
    gan = PlanarGAN([1], game="relativistic", hidden=8)
    before = look(gan, "critic")
    with torch.no_grad():
        gan.critic.biases[-1] += 5  # moves all scores alike
    after = look(gan, "critic")
    torch.testing.assert_close(before.belief, after.belief)
    assert before.accuracy == after.accuracy


# --- what is sent ------------------------------------------------------------------------------------


def test_the_scene_holds_what_was_recorded_once() -> None:
    moments = record(PlanarGAN([2], hidden=8), rounds=10, kept=5)
    sent = json.loads(json.dumps(scene(moments, "t")))
    for kind, place in (("belief", "beliefs"), ("points", "points")):
        different = 1 + sum(not torch.equal(getattr(a, kind), getattr(b, kind)) for a, b in pairwise(moments))
        assert len(sent[place]) == different < len(moments)
    for moment, told in zip(moments, sent["moments"], strict=True):
        points = np.frombuffer(base64.b64decode(sent["points"][told["points"]]), "<i2").reshape(-1, 2) / 5000
        belief = np.frombuffer(base64.b64decode(sent["beliefs"][told["belief"]]), np.uint8).reshape(CELLS, CELLS) / 255
        np.testing.assert_allclose(points, moment.points[:300], atol=1.01e-4)
        np.testing.assert_allclose(belief, moment.belief, atol=0.502 / 255)
        assert (told["round"], told["part"], told["covered"]) == (moment.round, moment.part, moment.covered)


def test_a_game_that_runs_away_can_be_sent() -> None:
    moment = record(PlanarGAN([2], hidden=8), rounds=1, kept=1)[-1]
    far = moment._replace(points=torch.full((1000, 2), 1e6), belief=torch.full((CELLS, CELLS), 1.0))
    points = np.frombuffer(base64.b64decode(scene([far], "t")["points"][0]), "<i2")
    assert (points == 32767).all() and EDGE < 32767 / 5000  # outside the picture, as it should be


def test_what_a_notebook_stores(player: GamePlayer) -> None:
    data, metadata = player._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG") and len(data["image/png"]) < 100_000
    assert "round 60" in metadata["image/png"]["alt"]
    assert data["text/plain"] == "GamePlayer(A <short> game; 25 moments)"
    full = lab.show_game(PlanarGAN([0], hidden=4), rounds=90).scene
    assert len(json.dumps(full)) < 250_000


def test_a_page_replaces_only_a_page(player: GamePlayer, tmp_path: Path) -> None:
    path = player.to_html(tmp_path / "game.html")
    assert player.to_html(path) == path
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(FileExistsError, match=r"mine\.html"):
        player.to_html(tmp_path / "mine.html")


# --- what a user sees --------------------------------------------------------------------------------


@pytest.fixture
def game_page(page: "Page", player: GamePlayer, tmp_path: Path) -> "Page":
    page.goto(player.to_html(tmp_path / "game.html").as_uri())
    page.wait_for_selector(".autoencoder-lab-game[data-ready=true]")
    return page


def pixel(page: "Page", x: float, y: float) -> list[int]:
    """Red, green and blue where the plane's point (x, y) is drawn."""
    place = [420 * (1 + x / EDGE), 420 * (1 - y / EDGE)]
    shown: list[int] = page.locator("canvas.plane").evaluate(
        "(c, [x, y]) => [...c.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)", place
    )
    return shown


def at(page: "Page") -> int:
    """The number of the moment that is shown."""
    moment: int = page.evaluate(f"{GAME}.now")
    return moment


def test_the_words_are_those_of_the_moment(game_page: "Page", player: GamePlayer) -> None:
    facts = game_page.locator("dl")
    assert "0 of 60" in facts.inner_text() and "Before the first round" in facts.inner_text()
    for expected in player.moments[1:]:
        game_page.get_by_role("button", name="Forward").click()
        text = facts.inner_text()
        assert f"{expected.round} of 60" in text
        assert ("D was trained" in text, "G was trained" in text) == (
            expected.part == "critic",
            expected.part == "generator",
        )
        assert f"{round(100 * expected.accuracy + 1e-9)} % of points" in text and f"{expected.covered} of 8" in text
        assert f"Round: {expected.round} of 60" in (game_page.locator("canvas.plane").get_attribute("aria-label") or "")
        assert f"Round: {expected.round} of 60" in game_page.get_by_role("status").inner_text()


def test_dots_crosses_and_belief_stand_where_they_belong(page: "Page", tmp_path: Path) -> None:
    """One dot at (1, 2), and a critic that believes in the upper right corner only."""
    belief = torch.full((CELLS, CELLS), 0.5)
    belief[CELLS * 3 // 4 :, CELLS * 3 // 4 :] = 1.0
    belief[: CELLS // 4, : CELLS // 4] = 0.0
    moment = look(PlanarGAN([0]), "critic")._replace(points=torch.tensor([[1.0, 2.0]]).repeat(1000, 1), belief=belief)
    page.goto(GamePlayer([moment, moment], "t").to_html(tmp_path / "one.html").as_uri())
    page.wait_for_selector(".autoencoder-lab-game[data-ready=true]")
    assert pixel(page, 1, 2) == [178, 60, 0]  # the dot
    assert pixel(page, 2.8, 2.8) == [110, 176, 226] and pixel(page, -2.8, -2.8) == [246, 201, 143]
    assert min(pixel(page, -2.8, 2.8) + pixel(page, 2.8, -2.8)) >= 250  # one half is 127.5 of 255
    real = ring_points(300, generator=Generator().manual_seed(2))[7].tolist()
    assert pixel(page, *real) == [0, 0, 0]


def test_every_way_of_moving(game_page: "Page", player: GamePlayer) -> None:
    last = len(player.moments) - 1
    back, forward = (game_page.get_by_role("button", name=name) for name in ("Back", "Forward"))
    assert back.is_disabled() and not forward.is_disabled()
    forward.focus()
    for _ in range(2):
        game_page.keyboard.press("Enter")
    assert at(game_page) == 2
    back.focus()
    game_page.keyboard.press("Space")
    assert at(game_page) == 1
    scrub = game_page.get_by_label("Moment")
    scrub.focus()
    game_page.keyboard.press("ArrowRight")
    assert at(game_page) == 2 and scrub.get_attribute("aria-valuetext") == f"round {player.moments[2].round}, G trained"
    game_page.keyboard.press("End")
    assert at(game_page) == last and forward.is_disabled()
    game_page.keyboard.press("ArrowLeft")
    forward.focus()
    game_page.keyboard.press("Enter")
    assert game_page.evaluate("document.activeElement.textContent") == "Play"  # the focus is not lost with the button


def test_it_plays_to_the_end_pauses_and_begins_again(game_page: "Page", player: GamePlayer) -> None:
    game_page.get_by_label("Speed").select_option("fast")
    play = game_page.get_by_role("button", name="Play")
    spoken = game_page.get_by_role("status").inner_text()
    play.click()
    wait = "new Promise(done => {{ const look = () => {0} ? done() : setTimeout(look, 10); look(); }})"
    game_page.evaluate(wait.format(f"{GAME}.now >= 2"))
    assert game_page.get_by_role("status").inner_text() == spoken  # no comment on every picture of a film
    pause = game_page.get_by_role("button", name="Pause")
    pause.click()
    stopped = at(game_page)
    game_page.evaluate("new Promise(done => setTimeout(done, 400))")
    assert at(game_page) == stopped
    play.click()
    last = len(player.moments) - 1
    game_page.evaluate(wait.format(f"{GAME}.now === {last} && document.body.innerText.includes('Play')"))
    play.click()
    assert at(game_page) < last


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(game_page: "Page", axe: Callable[..., list[str]], scheme: Any) -> None:
    game_page.emulate_media(color_scheme=scheme)
    game_page.get_by_label("Moment").fill("3")
    assert axe(game_page, ".autoencoder-lab-game") == []
    sizes = game_page.evaluate(
        "[...document.querySelectorAll('button, input, select')].map(n => Math.min(n.offsetWidth, n.offsetHeight))"
    )
    assert min(sizes) >= 24


def test_no_wider_than_a_narrow_page(game_page: "Page") -> None:
    game_page.set_viewport_size({"width": 320, "height": 640})
    assert game_page.evaluate("document.documentElement.scrollWidth") <= 320
