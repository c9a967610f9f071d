"""docs/claims.md, made from the stored rows."""

from pathlib import Path

from evidence.runner import HERE, IDS, SEEDS, claim, figures, read_rows

PAGE = HERE.parent / "docs" / "claims.md"

# where a student meets the claim: notebook, and the beginning of its section's heading
START, LINEAR, CONV = "00_start_here", "01_linear_autoencoder", "02_convolutional_autoencoder"
DENOISING = "03_denoising_autoencoder"
VAE_MODEL, VAE_SPACE = "04_variational_autoencoder", "04b_latent_space"
GAN = "05_generative_adversarial_network"
CCAE = "06_contrastive_autoencoder"
SECTIONS = {
    "C01": (START, "3"),
    "C02": (LINEAR, "1"),
    "C03": (LINEAR, "7"),
    "C04": (LINEAR, "5"),
    "C05": (LINEAR, "5"),
    "C06": (LINEAR, "Deeper · Which g?"),
    "C07": (LINEAR, "6"),
    "C08": (LINEAR, "4"),
    "C09": (LINEAR, "2"),
    "C10": (LINEAR, "3"),
    "C11": (LINEAR, "Deeper · Whose axes can be read?"),
    "C12": (LINEAR, "Deeper · Time and memory"),
    "C13": (CONV, "4"),
    "C14": (CONV, "2"),
    "C15": (DENOISING, "2"),
    "C16": (DENOISING, "5"),
    "C19": (CONV, "6"),
    "C20": (CONV, "5"),
    "C21": (DENOISING, "5"),
    "C22": (VAE_MODEL, "1"),
    "C23": (VAE_MODEL, "2"),
    "C24": (VAE_SPACE, "1"),
    "C25": (VAE_SPACE, "Deeper · More than 20 dimensions"),
    "C26": (VAE_SPACE, "2"),
    "C27": (VAE_SPACE, "3"),
    "C28": (VAE_SPACE, "3"),
    "C29": (VAE_SPACE, "1"),
    "C30": (VAE_SPACE, "Deeper · Dimensions one can read"),
    "C31": (GAN, "6"),
    "C32": (GAN, "2"),
    "C33": (GAN, "3"),
    "C34": (GAN, "Deeper · A map of success"),
    "C35": (GAN, "4"),
    "C36": (START, "4"),
    "C38": (CCAE, "2"),
    "C39": (CCAE, "5"),
    "C40": (CCAE, "6"),
    "C41": (CONV, "Deeper · Retrieval"),
    "C42": (DENOISING, "Deeper · Sound"),
    "C51": (CONV, "Deeper · Correlated features"),
    "C52": (VAE_SPACE, "Deeper · Do similar images get similar codes?"),
    "C53": (VAE_MODEL, "6"),
    "C54": (VAE_MODEL, "5"),
    "C55": (GAN, "Deeper · Is collapse a kind of overfitting?"),
}

HEAD = """# What the slides claim, and what was measured

Made by `python -m evidence` from the rows in `evidence/results/`; do not edit it by hand.

Each claim has one short experiment in `evidence/`, run with {seeds} training seeds on one thread. Figures are means ±
one standard deviation over those seeds; a figure without ± moves by less than 0.02 % from seed to seed. *Error* is the
squared error per pixel on images not trained on. A difference counts only where it exceeds 2.78 standard errors over
the seeds (a one-sided error of 2.5 %). The seeds share their test images: what another thousand images would change is
in none of these spreads. The budgets are small, and stated in each experiment; the notebooks train longer.

{summary}

| id | slide | claim | verdict | measured | notebook · section | test |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole of docs/claims.md."""
    lines, words = [], []
    for name in IDS:
        if len(read_rows(name)) < len(SEEDS):
            continue
        module, verdict = claim(name), claim(name).verdict(figures(name))
        notebook, section = SECTIONS[name]
        where = f"`{notebook}` · {'section ' if section.isdigit() else ''}{section}"
        test = f"`test_verdict_is_borne_out[{name}]`"
        cells = (name, module.SLIDE, module.CLAIM, f"**{verdict.word}**", verdict.sentence, where, test)
        lines.append("| " + " | ".join(cells) + " |")
        words.append(verdict.word)
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words)))
    summary = f"Of {len(words)} claims: {counts}. The tests stand in `tests/test_evidence.py`."
    return HEAD.format(seeds=len(SEEDS), summary=summary) + "\n".join(lines) + "\n"


def write(path: Path = PAGE) -> None:
    """Write the page."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(page(), encoding="utf-8")
