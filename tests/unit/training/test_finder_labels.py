"""Which product types are which labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import UsageError
from nitari.training.finder_labels import Kind, read_labels

GOOD = """labels = ["top", "shoes"]
shoes = "shoes"
below = ["top"]
[types]
"Tops > Tees" = { label = "top", worn = "upper" }
"""


def test_built_in() -> None:
    """The built-in file knows the types of both catalogs, the longest rule first."""
    labels = read_labels()
    assert labels.of("Women > Tops > Jackets") == Kind(labels.names.index("outerwear"), "upper")
    assert labels.of("Women > Bottoms > Pants") == Kind(labels.names.index("pants"), "lower")
    assert labels.of("Pants") == Kind(labels.names.index("pants"))
    assert labels.of(" t-shirt ") == Kind(labels.names.index("top"))
    assert labels.names[labels.shoes] == "shoes"


@pytest.mark.parametrize("product_type", ["", "Tops", "Food > Tea", "T-Shirt > Gift"])
def test_unknown_types(product_type: str) -> None:
    """What no rule names is nothing."""
    assert read_labels().of(product_type) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('labels = ["top", "shoes"]', "labels = []", "labels is"),
        ('labels = ["top", "shoes"]', 'labels = ["top", "top", "shoes"]', "expected no word twice"),
        ('shoes = "shoes"', 'shoes = "boots"', "shoes is 'boots', expected one of labels"),
        ('label = "top"', 'label = "tops"', "expected { label"),
        ('worn = "upper"', 'worn = "always"', "worn = upper or lower"),
        ('"Tops > Tees" =', "x = 1\n#", "expected { label"),
        ("[types]", "[typos]", "types is None"),
        ('below = ["top"]', 'below = ["skirt"]', "below is"),
        ('below = ["top"]', "below = []", "below is"),
        ("labels =", "labels", "cannot be read"),
    ],
)
def test_wrong_files(old: str, new: str, message: str, tmp_path: Path) -> None:
    """A wrong file is refused by its name, with what was found and what was expected."""
    path = tmp_path / "labels.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        read_labels(path)
    assert str(path) in caught.value.message


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is an error that names it."""
    with pytest.raises(UsageError, match=r"none\.toml cannot be read"):
        read_labels(tmp_path / "none.toml")
