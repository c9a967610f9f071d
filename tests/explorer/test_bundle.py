"""The JavaScript files joined into one, the colours they share with Python, and the keys they read of a scene."""

import json
import re
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest

import autoencoder_lab as lab
from autoencoder_lab.explorer import bundle, scene_keys
from autoencoder_lab.models.planar_game import PlanarGAN
from autoencoder_lab.plotting import palette

ENTRIES = ("explorer", "game", "posteriors")


def written(folder: Path, **files: str) -> Path:
    """A folder with these JavaScript files."""
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder


# --- joining -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_module_is_small_and_has_one_export_at_the_end(entry: str) -> None:
    source = bundle.javascript(entry)
    assert len(source.encode()) <= 60_000
    assert re.findall(r"^(?:import|export)\b.*", source, flags=re.MULTILINE) == [source.splitlines()[-1]]
    assert source.splitlines()[-1].startswith("export default")
    assert "http://" not in source and "https://" not in source


def test_files_come_after_those_that_they_import_without_comments_imports_and_exports(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        top='// About it.\n\nimport { one, Two } from "./low.js";\nimport { COLOURS } from "./palette.js";\n\n'
        "/** What\n * it does. */\nfunction top() {\n\treturn one + Two; // why\n}\n\nexport default { top };\n",
        low='/** One. */\nexport const one = "//";\n\nexport class Two {}\nlet three = 3; // and more\n',
    )
    assert bundle.joined("top", folder=folder).splitlines() == [
        'const one = "//";',
        "class Two {}",
        "let three = 3;",
        f"const COLOURS = {json.dumps(palette.COLOURS, separators=(',', ':'))};",
        f"const MARKERS = {json.dumps(palette.MARKERS, separators=(',', ':'))};",
        "function top() {",
        "\treturn one + Two;",
        "}",
        "export default { top };",
    ]


@pytest.mark.parametrize(
    "line",
    [
        'import two from "./low.js";',
        'import * as low from "./low.js";',
        'import "./low.js";',
        "import {",
        'import { one as two } from "./low.js";',
        "import { one } from './low.js';",
        'const low = await import("./low.js");',
        "const here = import.meta.url;",
        "export { one };",
        'export * from "./low.js";',
        "export const { a, b } = one;",
        "export let four = 4, five = 5;",
        "export default function () {",
        "/* a */ const six = 6;",
        "const [a, b] = one;",
        'const text = "; // no comment";',
        "const text = `two",
    ],
)
@pytest.mark.parametrize("where", ["top", "low"])
def test_what_cannot_be_read_is_refused_with_file_and_line(tmp_path: Path, line: str, where: str) -> None:
    parts = {"top": 'import { one } from "./low.js";\n\n', "low": "export const one = 1;\n\n"}
    folder = written(tmp_path, **{name: text + line + "\n" if name == where else text for name, text in parts.items()})
    with pytest.raises(ValueError, match=rf"^{where}\.js, line 3 cannot be joined with the others: \w+"):
        bundle.joined("top", folder=folder)


def test_a_default_export_belongs_to_the_entry(tmp_path: Path) -> None:
    folder = written(
        tmp_path, top='import { one } from "./low.js";\n', low="export const one = 1;\nexport default {};\n"
    )
    with pytest.raises(ValueError, match=r"low\.js, line 2"):
        bundle.joined("top", folder=folder)


def test_names_that_are_missing_or_there_twice_and_circles_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, top='\nimport { one, two } from "./low.js";\n', low="export const one = 1;\n")
    with pytest.raises(ValueError, match=r"top\.js, line 2 .*low\.js exports no two"):
        bundle.joined("top", folder=folder)
    written(tmp_path, top='import { one } from "./low.js";\n\nasync function two() {}\n', low="export const one = 1;\n")
    written(tmp_path, low="export const one = 1;\nconst two = 2;\n")
    with pytest.raises(ValueError, match=r"top\.js and low\.js both have a two"):
        bundle.joined("top", folder=folder)
    written(tmp_path, low='import { three } from "./top.js";\n')
    with pytest.raises(ValueError, match="circle: top → low → top"):
        bundle.joined("top", folder=folder)


# --- one palette -------------------------------------------------------------------------------------


def test_javascript_has_the_colours_of_python() -> None:
    for entry, names in (("explorer", ("COLOURS", "MARKERS")), ("game", bundle.MADE_HERE["belief"])):
        source = bundle.joined(entry)
        for name in names:
            (value,) = re.findall(rf"^const {name} = (.*);$", source, flags=re.MULTILINE)
            assert json.loads(value) == json.loads(json.dumps(getattr(palette, name))), name


def test_every_marker_has_an_outline() -> None:
    source = (bundle.HERE / "parts.js").read_text(encoding="utf-8")
    table = re.search(r"const CORNERS = \{(.*?)\};", source, flags=re.DOTALL)
    assert table is not None
    assert set(re.findall(r'"?([^\s",]+?)"?: (?:"|PLUS)', table[1])) == set(palette.MARKERS)


def test_no_colour_stands_anywhere_else() -> None:
    """Black and white apart, and the greys and blue of a theme, which CSS names once for light and twice for dark."""
    colour = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b|\brgba?\(|\bhsla?\(")
    files = [file for file in bundle.HERE.iterdir() if file.suffix in (".js", ".css", ".py")]
    files += [file for file in Path(palette.__file__).parent.glob("*.py") if file.name != "palette.py"]
    assert len(files) > 30
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            theme = file.suffix == ".css" and re.match(r"\s*--\w+: ", line)
            page = file.name == "page.py" and "prefers-color-scheme: dark" in line
            found = set(colour.findall(line)) - {"#000", "#fff", "#000000"}
            assert theme or page or not found, f"{file.name}, line {number}: {found}"


# --- the keys of a scene -------------------------------------------------------------------------------


def read(*entries: str) -> set[str]:
    """What these modules read of objects: `.key` that is not set, and names in patterns that take an object apart."""
    source = re.sub(r'"[^"]*"', '""', bundle.joined(*entries))
    patterns = re.findall(r"(?:const|let) (.*?) (?:=|of) |\(([^()]*)\) =>|\w\((.*)\) \{$", source, flags=re.MULTILINE)
    names = {name for groups in patterns for group in groups for name in within_braces(group)}
    return names | set(re.findall(r"(?<!\.)\.([a-zA-Z]\w*)\b(?! = )", source))


def within_braces(pattern: str) -> list[str]:
    """The keys of `{ a, b: [c, d], e: { f } }`: a, b, e and f; none of the names outside braces."""
    found, above, before = [], [""], ""
    for token in re.findall(r"[a-zA-Z]\w*|\S", pattern):
        if token in "{[(":
            above.append(token)
        elif token in "}])":
            above = above[:-1] or [""]
        elif above[-1] == "{" and before in "{," and token.isidentifier():
            found.append(token)
        before = token
    return found


def declared(kind: Any) -> set[str]:
    """The keys of a TypedDict and of those within it."""
    if not is_typeddict(kind):
        return {key for inner in get_args(kind) for key in declared(inner)} if get_origin(kind) else set()
    hints = get_type_hints(kind)
    return set(hints) | {key for hint in hints.values() for key in declared(hint)}


def check(value: Any, kind: Any, where: str = "scene") -> None:
    """That a value has exactly the keys that its TypedDict declares, all the way down."""
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        assert set(value) == set(hints), where
        for key, hint in hints.items():
            check(value[key], hint, f"{where}.{key}")
    elif get_origin(kind) is list:
        for one in value:
            check(one, get_args(kind)[0], f"{where}[…]")
    elif get_origin(kind) is dict:
        for one in value.values():
            check(one, get_args(kind)[1], f"{where}{{…}}")
    elif kind is not Any and value is not None:
        kinds = get_args(kind) or (kind,)
        inner = next((one for one in kinds if is_typeddict(one)), None)
        if inner is None:
            assert isinstance(value, kinds), where
        else:
            check(value, inner, where)


def test_a_scene_has_the_keys_that_are_written_down(tiny: lab.ImageData) -> None:
    shape = tiny.shape
    model = lab.VAE(2, shape, width=4, hidden=8)
    unpooling = lab.ConvAutoencoder(2, shape, decoder="unpool", width=4, hidden=8)
    explorers = [
        lab.explore({"vae": model, "pca": lab.PCA(3).fit(tiny.train)}, tiny),
        lab.explore([unpooling, lab.GAN(2, shape, width=4, hidden=8)], tiny),
        lab.explore(lab.PCA(2, shape), tiny),
        lab.explore(model, tiny, engine="kernel"),
    ]
    lab.fit(model, tiny, epochs=2, progress=False, callbacks=[explorers[0]])
    for explorer in explorers:
        check(explorer.scene, scene_keys.Scene)
    assert len(explorers[0].scene["models"][0]["snapshots"]) > 1
    check(explorers[0].news, scene_keys.News)
    check(explorers[0].training, scene_keys.TrainingState)
    check(lab.show_game(PlanarGAN([0], hidden=4), rounds=2, kept=2).scene, scene_keys.GameScene)
    check(lab.show_posteriors({1.0: model, 2.0: model}, tiny).scene, scene_keys.PosteriorScene)


def test_javascript_reads_every_key_and_no_other() -> None:
    explorer, game = read("explorer"), read("game")
    sent = {key for kind in (scene_keys.Scene, scene_keys.News, scene_keys.TrainingState) for key in declared(kind)}
    assert len(sent) > 40 and sent - explorer == set()
    assert declared(scene_keys.GameScene) - game == set()
    assert declared(scene_keys.PosteriorScene) - read("posteriors") == set()
    assert not {"label", "outputShape", "macs", "noted"} & explorer, "or this test would find anything"
    # what is asked of a scene, a snapshot or a moment by name, in the code without its texts
    source = bundle.joined("explorer")
    asked = set(re.findall(r"\bscene\.(\w+)", source))
    assert len(asked) > 5 and asked <= set(get_type_hints(scene_keys.Scene))
    asked = set(re.findall(r"\bsnapshot\.(\w+)", source))
    apart = [names for pair in re.findall(r"\{ ([\w, ]+) \} = (?:\w+\.)?snapshot\b|snapshot: \{ ([\w, ]+) \}", source)
             for names in pair if names]  # fmt: skip
    asked |= {name for names in apart for name in names.split(", ")}
    assert len(asked) > 6 and asked <= set(get_type_hints(scene_keys.Snapshot))
    asked = set(re.findall(r"\bmoment\.(\w+)", bundle.joined("game")))
    assert len(asked) > 3 and asked <= set(get_type_hints(scene_keys.GameMoment))


def test_network_js_reads_every_setting_of_an_operation(tiny: lab.ImageData) -> None:
    from autoencoder_lab.explorer.explored import ExploredModel

    shape = tiny.shape
    small: dict[str, Any] = {"image_shape": shape, "width": 4, "hidden": 8}
    models = [
        lab.ConvAutoencoder(2, **small),
        lab.ConvAutoencoder(2, decoder="resize", **small),
        lab.ConvAutoencoder(2, decoder="unpool", **small),
        lab.ResidualAutoencoder(2, **small),
        lab.PCA(2).fit(tiny.train),
    ]
    programs = [p for m in models for p in ExploredModel("m", m, tiny.test.images[:2]).programs().values()]
    operations = [operation for program in programs for operation in program.operations]
    assert {"conv", "dense", "map", "affine", "resize", "unpool", "pool"} <= {one["op"] for one in operations}
    constants = {"weight", "bias", "scale", "shift", "value"}  # read by name from a list
    known = read("network") | constants

    def keys(value: Any) -> set[str]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return (set(value) if isinstance(value, dict) else set()).union(*map(keys, inner))

    assert keys(operations) - known == set()
    assert all("places" not in operation for operation in operations if operation["op"] == "conv")
