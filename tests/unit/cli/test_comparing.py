"""``nitari compare``: what can be compared, what it says, and when it fails."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitari.cli.comparing import DROPPED, relative, thumbnail
from nitari.cli.main import cli
from nitari.errors import DataError, NitariError, NotFoundError, UsageError
from nitari.evaluate.compare_run import read_saved, write_saved
from nitari.evaluate.qrels import write_qrels
from nitari.images.decode import ImageDecoder
from nitari.wiring import QUERY_PHOTOS
from support.comparing import run, runs
from support.models import tiny_card, tiny_network
from support.shop import make_shop, write_photo

ITEMS = 8
CARDS = {"tiny": 8, "other": 3}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a shop, its queries, and two models that are quick; commands run in it."""
    shop = make_shop(tmp_path / "shop", ITEMS)
    with (shop.folder / "queries.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query_id", "image_link", "category"))
        for number in range(ITEMS):
            write_photo(shop.folder / "asked" / f"{number}.jpg", number * 100, side=64)
            writer.writerow((f"q{number}", f"asked/{number}.jpg", "Hats" if number % 2 else "Shoes"))
    write_qrels(shop.folder / "qrels.txt", {f"q{number}": {f"i{number:04}": 1} for number in range(ITEMS)})
    for name, dim in CARDS.items():
        folder = tmp_path / "cards"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.onnx").write_bytes(tiny_network(dim=dim).SerializeToString())
        card = tiny_card(f'path = "{name}.onnx"', name=name, dim=dim)
        (folder / f"{name}.toml").write_text(card, "utf-8")
    monkeypatch.setenv("NITARI__HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NITARI__MODELS__CARDS", str(tmp_path / "cards"))
    monkeypatch.setenv("NITARI__MODELS__CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITARI__MODELS__EMBEDDER", "tiny")
    monkeypatch.setenv("NITARI__EXTRACT__REGIONS", "whole")
    monkeypatch.setenv("NITARI__EXTRACT__VIEWS", "whole")
    monkeypatch.setenv("NITARI__INGEST__WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nitari(*words: str | Path, code: int = 0) -> str:
    """What a command prints; an error of ours is raised."""
    result = CliRunner().invoke(cli, list(map(str, words)), standalone_mode=False)
    if isinstance(result.exception, NitariError):
        raise result.exception
    assert result.exception is None, result.output
    assert (result.return_value or 0) == code, result.output
    return str(result.stdout)


def as_json(*words: str | Path, code: int = 0) -> dict[str, Any]:
    """The same as JSON."""
    told: dict[str, Any] = json.loads(nitari(*words, "--json", code=code))
    return told


def test_cards_are_measured_as_eval_measures_them(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are asked through the production eval; numbers, and those of the saved runs, are the same."""
    found = as_json("compare", "tiny", work / "cards" / "other.toml", "--protocol", "qrels", "shop", "--save", "runs")
    for side, name in (("a", "tiny"), ("b", "other")):
        monkeypatch.setenv("NITARI__MODELS__EMBEDDER", name)
        told = as_json("eval", "qrels", "shop", "--save", f"{name}.json")
        assert {m: one["value"] for m, one in told["measures"].items()} == {
            measure: one[side] for measure, one in found["measures"].items()
        }
        for category, entry in told["categories"].items():
            for measure, one in entry["measures"].items():
                assert found["categories"][category][measure][side] == one["value"]
        assert found[side]["name"] == name
    again = as_json("compare", "tiny.json", "other.json")
    assert again["measures"] == found["measures"]
    assert as_json("compare", "runs/a.json", "runs/b.json")["measures"] == found["measures"]
    assert as_json("compare", "tiny.json", "tiny.json", "--details")["per_query"]["q1"]["entered"] == []


def test_settings_are_compared(work: Path) -> None:
    """A file of settings stands for what it makes; what it does not say is as ever."""
    Path("views.toml").write_text('[models]\nembedder = "other"\n\n[index]\nengine = "exact"\n', "utf-8")
    found = as_json("compare", "tiny", "views.toml", "--protocol", "qrels", "shop")
    assert found["b"]["name"] == "views"
    # The environment is stronger than any file.
    assert found["b"]["settings"]["embedder"] == "tiny"
    assert found["b"]["settings"]["engine"] == "exact"
    assert found["agreement"]["overlap"] == 1.0


def test_options_of_queries_are_compared(work: Path) -> None:
    """The same model is asked twice, the second time otherwise; folds are asked with their own cards."""
    found = as_json("compare", "tiny", "tiny?worn=off&category=off&min_score=0.999999", "--protocol", "qrels", "shop")
    assert found["b"]["settings"]["worn"] == "off"
    assert found["b"]["settings"]["min_score"] == 0.999999
    assert found["b"]["name"] == "tiny?worn=off&category=off&min_score=0.999999"
    for fold in ("0", "1"):
        (work / "folds" / fold).mkdir(parents=True)
        for name in ("tiny.toml", "tiny.onnx"):
            target = "card.toml" if name.endswith("toml") else name
            shutil.copy(work / "cards" / name, work / "folds" / fold / target)
    folds = as_json("compare", "tiny", "folds", "--protocol", "qrels", "shop")
    assert folds["b"]["name"] == "folds"
    assert folds["agreement"]["same_ten"] == 1.0
    for wrong in ("tiny?depth=3", "tiny?emphasis=much", "tiny?emphasis=7", "tiny?worn=maybe", "tiny?category=no"):
        with pytest.raises(UsageError):
            nitari("compare", "tiny", wrong, "--protocol", "qrels", "shop")


def test_collections_are_asked_without_labels(work: Path) -> None:
    """Photos of a folder are asked of two collections of the home; the page finds queries and hits where they lie."""
    nitari("import", "shop")
    with pytest.raises(NotFoundError, match="no collection"):
        nitari("compare", "default", "other", "--queries", "shop/asked")
    nitari("reembed", "other")
    found = as_json("compare", "default", "other", "--queries", "shop/asked", "--page", "page.html", "--details")
    assert (found["queries"], found["judged"], found["measures"]) == (ITEMS, 0, {})
    assert 0 < found["agreement"]["rbo"] <= 1
    assert found["a"]["settings"]["collection"] == "tiny"
    assert found["b"]["settings"]["collection"] == "other"
    html = Path("page.html").read_text("utf-8")
    data = json.loads(html.partition('id="data">')[2].partition("</script>")[0])
    assert {Path(photo).parent.as_posix() for photo in data["photos"]} == {"shop/asked", "shop/images"}
    assert all(Path(photo).is_file() for photo in data["photos"])
    by_card = as_json("compare", "tiny", work / "cards" / "other.toml", "--queries", "shop/queries.csv")
    assert by_card["b"]["settings"]["collection"] == "other"
    assert set(by_card["agreement_by_category"]) == {"Hats", "Shoes"}
    said = nitari("compare", "tiny", "other", "--queries", "shop/queries.csv")
    assert "nothing was judged" in said
    assert ("most changed" in said) == (by_card["agreement"]["rbo"] < 1)
    default = next(one for one in json.loads(nitari("alias", "list", "--json")) if one["name"] == "default")
    assert default["collection"] == "tiny"  # a comparison switches nothing


def test_kept_query_photos_ask(work: Path) -> None:
    """Those that shoppers had the server keep are queries too."""
    nitari("import", "shop")
    with pytest.raises(DataError, match="no query photo was ever kept"):
        nitari("compare", "tiny", "tiny", "--kept-queries")
    shutil.copytree("shop/asked", Path("home") / QUERY_PHOTOS)
    assert as_json("compare", "tiny", "tiny", "--kept-queries")["agreement"]["same_ten"] == 1.0


def test_judgments_count(work: Path) -> None:
    """A file of marks counts in eval and in compare, over what the protocol says."""
    nitari("eval", "qrels", "shop", "--save", "run.json")
    before = as_json("compare", "run.json", "run.json")
    write_qrels(Path("marks.txt"), {"q0": {"i0000": 0, "i0001": 1}})
    after = as_json("compare", "run.json", "run.json", "--judgments", "marks.txt")
    measured = as_json("eval", "qrels", "shop", "--judgments", "marks.txt")
    assert after["measures"]["mAP"]["a"] == measured["measures"]["mAP"]["value"] != before["measures"]["mAP"]["a"]
    with pytest.raises(DataError, match="is not there"):
        nitari("compare", "run.json", "run.json", "--judgments", "none.txt")


def test_the_page_can_hold_its_photos(work: Path) -> None:
    """Embedded photos are small JPEGs in the page; one that is gone is left out and told."""
    nitari("eval", "qrels", "shop", "--save", "run.json")
    Path("shop/asked/0.jpg").unlink()
    nitari("compare", "run.json", "run.json", "--page", "page.html", "--embed-photos")
    html = Path("page.html").read_text("utf-8")
    photos = json.loads(html.partition('id="data">')[2].partition("</script>")[0])["photos"]
    count = len({hit for query in read_saved(Path("run.json")).queries for hit in query.ranking}) + ITEMS
    assert photos.count("") == 1
    assert sum(photo.startswith("data:image/jpeg;base64,") for photo in photos) == len(photos) - 1 == count - 1


def test_a_drop_fails(tmp_path: Path) -> None:
    """A significant drop is told by name with the exit code of its own; without one, or unasked, all is well."""
    judgments = {f"q{i}": {"r1": 1} for i in range(30)}
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    write_saved(good, run(dict.fromkeys(judgments, "r1xy"), judgments=judgments))
    write_saved(bad, run(dict.fromkeys(judgments, "xr1y"), judgments=judgments, name="b"))
    assert as_json("compare", good, bad, "--fail-on-drop", code=DROPPED)["dropped"] == ["nDCG@10"]
    told = CliRunner().invoke(
        cli, ["compare", str(good), str(bad), "--fail-on-drop", "--measure", "P@1"], standalone_mode=False
    )
    assert told.return_value == DROPPED
    assert "P@1 dropped from 1.000 to 0.000" in " ".join(told.stderr.split())
    assert as_json("compare", bad, good, "--fail-on-drop")["dropped"] == []
    assert "dropped" not in as_json("compare", good, bad)
    assert as_json("compare", good, bad, "--fail-on-drop", "--measure", "Success@5")["dropped"] == []


def test_a_small_run_is_a_base(tmp_path: Path) -> None:
    """What eval --save --small keeps is enough to be compared with; it names no folder."""
    a, b = runs(str(tmp_path))
    write_saved(tmp_path / "b.json", replace(b, name="model"))
    write_saved(tmp_path / "a.json", a)
    nitari("compare", tmp_path / "a.json", tmp_path / "b.json", "--save", tmp_path / "both")
    assert read_saved(tmp_path / "both" / "a.json").name == "a"
    assert "B: model" in nitari("compare", tmp_path / "a.json", tmp_path / "b.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tiny", "other"), "nothing says what it is to be asked"),
        (("tiny", "nonsense", "--protocol", "qrels", "shop"), "'nonsense' is no saved run"),
        (("tiny", "tiny", "--protocol", "qrels", "nowhere"), "nowhere is no folder"),
        (("tiny", "tiny", "--protocol", "none", "shop"), "no protocol 'none'"),
        (("tiny", "empty.toml", "--protocol", "qrels", "shop"), "neither a model card"),
        (("tiny", "bad.toml", "--protocol", "qrels", "shop"), "is no TOML"),
        (("tiny", "gone.toml", "--protocol", "qrels", "shop"), "cannot be read"),
        (("gone.json", "tiny", "--protocol", "qrels", "shop"), "cannot be read"),
        (("tiny", "tiny", "--protocol", "qrels", "shop", "--queries", "shop"), "give one of"),
        (("tiny", "tiny", "--protocol", "qrels", "shop", "--embed-photos"), "no page"),
        (("tiny", "tiny", "--protocol", "qrels", "shop", "--measure", "P@7"), "'P@7' is not in both"),
        (("tiny", "tiny", "--queries", "shop"), "no collection"),
    ],
)
def test_what_cannot_be_compared_is_told(work: Path, words: tuple[str, ...], said: str) -> None:
    """The message names what was found, the remedy what to do."""
    Path("empty.toml").write_text("", "utf-8")
    Path("bad.toml").write_text("a = ", "utf-8")
    with pytest.raises(NitariError, match=said) as caught:
        nitari("compare", *words)
    assert caught.value.remedy or isinstance(caught.value, UsageError)


def test_photos_are_named_from_the_page(tmp_path: Path) -> None:
    """By relative path with what HTML needs escaped; links stay links."""
    assert relative(tmp_path / "out", str(tmp_path / "shop" / "a b#.jpg")) == "../shop/a%20b%23.jpg"
    assert relative(tmp_path, "https://shop.example/a.jpg") == "https://shop.example/a.jpg"
    decoder = ImageDecoder(max_bytes=10**6, max_pixels=10**6)
    write_photo(tmp_path / "p.jpg", 1, side=600)
    assert decoder.decode(thumbnail(decoder, str(tmp_path / "p.jpg")), short_side=0).width == 256
    with pytest.raises(DataError, match="cannot be read"):
        thumbnail(decoder, str(tmp_path / "none.jpg"))
