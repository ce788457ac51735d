"""What is remembered, what is forgotten, and that nothing is made twice without need."""

from __future__ import annotations

from nitari.search.recent import Recent


def test_remembers() -> None:
    """A value is made once, and again after too many others were asked for since."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name.upper()

    recent: Recent[str] = Recent(2)
    assert [recent.get(1, name, lambda name=name: make(name)) for name in "abab"] == ["A", "B", "A", "B"]
    assert made == ["a", "b"]
    assert [recent.get(1, name, lambda name=name: make(name)) for name in "acab"] == ["A", "C", "A", "B"]
    assert made == ["a", "b", "c", "b"]


def test_errors_are_not_remembered() -> None:
    """What could not be made is tried again."""
    recent: Recent[float] = Recent(2)
    for divisor in (0, 2):
        try:
            assert recent.get(1, "x", lambda divisor=divisor: 1 / divisor) == 0.5
        except ZeroDivisionError:
            assert divisor == 0


def test_another_version_forgets() -> None:
    """Values of a version that is over take no memory, and a late one of them is not kept."""
    recent: Recent[str] = Recent(2)
    assert recent.get(1, "a", lambda: "old") == "old"
    assert recent.get(2, "a", lambda: "new") == "new"
    assert recent.get(2, "a", lambda: "newer") == "new"

    def overtaken() -> str:
        assert recent.get(4, "a", lambda: "newest") == "newest"
        return "late"

    assert recent.get(3, "a", overtaken) == "late"
    assert recent.get(4, "a", lambda: "another") == "newest"
