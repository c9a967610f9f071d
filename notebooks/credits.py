"""Whose pictures and weights the course uses: the rows of docs/credits.md, which python -m notebooks.tables writes.

Data sets are those of the library's own table, photographs those of its list, weights those that the package ships,
each with the provenance that its file keeps. Only what none of these says stands here: who took a photograph.
"""

import json
import re
from pathlib import Path

import numpy as np

from autoencoder_lab import weights
from autoencoder_lab.data.datasets import PHOTOS, SETS

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
PACKAGES = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
# photograph → by whom, licence: as scikit-image says in each function's docstring, scikit-learn in images/README.txt
TAKEN_BY = {
    "astronaut": ("NASA: Eileen Collins", "public domain"),
    "flower": ("[vultilion](https://www.flickr.com/photos/vultilion/6056698931/) on Flickr", "CC BY 2.0"),
    "galaxies": ("NASA, the Hubble eXtreme Deep Field", "public domain"),
    "motorcycle": (
        "Nesic, Westling, Wang, Kitajima, Krathwohl and Scharstein, Middlebury College: the 2014 stereo benchmark",
        "not stated",
    ),
    "retina": ("Mikael Häggström (2014), doi 10.15347/wjm/2014.008, from Wikimedia Commons", "CC0"),
    "rocket": ("SpaceX: the launch of DSCOVR", "public domain"),
    "tissue": ("Center for Microscopy And Molecular Imaging (CMMI)", "no known copyright restrictions"),
    "coffee": ("Rachel Michetti, courtesy of Pikolo Espresso Bar", "CC0"),
    "cat": ("Stefan van der Walt", "CC0"),
    "temple": ("[danielbuechele](https://www.flickr.com/photos/danielbuechele/6061409035/) on Flickr", "CC BY 2.0"),
}


def data_sets() -> list[list[str]]:
    """name, what it is, licence, how it comes; one row for each set that `lab.load` knows."""
    return [
        [f"`{name}`", one.source, one.licence, f"fetched on request, {one.megabytes} MB" if one.files else "at once"]
        for name, one in SETS.items()
    ]


def photographs() -> list[list[str]]:
    """name, by whom, licence, file and package; one row for each photograph of the set `photos`."""
    return [
        [f"`{name}`", *TAKEN_BY[name], f"`{one.file}`, with {PACKAGES[one.package]}"] for name, one in PHOTOS.items()
    ]


def trained() -> list[list[str]]:
    """file, trained on, how, licence; one row for each file of weights in the package."""
    rows = []
    for path in sorted(weights.FOLDER.glob("*.npz")):
        with np.load(path) as file:
            made = json.loads(str(file["provenance"]))
        how = f"by the course: {made['steps']:,} steps, seed {made['seed']}"
        rows.append([f"`{path.name}`", f"`{made['data']}`", how, f"MIT; the digits {SETS[made['data']].licence}"])
    return rows


def pictures() -> list[list[str]]:
    """file, made by, of which data sets; one row for each picture of the documents."""
    rows = []
    for path in sorted(PICTURES.glob("*.png")):
        program = path.with_suffix(".py")
        loaded = re.findall(r'lab\.load\("([\w-]+)"', program.read_text(encoding="utf-8"))
        rows.append([f"`{path.name}`", f"`docs/images/{program.name}`", ", ".join(f"`{one}`" for one in loaded)])
    return rows
