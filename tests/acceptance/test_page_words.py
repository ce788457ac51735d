"""The page's texts: each in both languages, none empty, none missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

import nitari
from support.page import Site, Visit

WEB = Path(nitari.__file__).parent / "server" / "web"
Texts: TypeAlias = dict[str, str | dict[str, str]]


def placeholders(text: str | dict[str, str]) -> set[str]:
    """The names in braces."""
    forms = [text] if isinstance(text, str) else list(text.values())
    return {name for form in forms for name in re.findall(r"\{(\w+)\}", form)}


def test_both_languages_say_everything(drawn: Site, visit: Visit) -> None:
    """The same keys with the same placeholders, no empty text, plural forms complete; every key used exists."""
    tab = visit(drawn)
    loaded: dict[str, Texts] = tab.page.evaluate(
        """async () => {
          const [{ en }, { ja }] = await Promise.all(
            ["en", "ja"].map((code) => import(`${location.origin}/assets/js/i18n/${code}.js`)));
          return { en, ja };
        }"""
    )
    en, ja = loaded["en"], loaded["ja"]
    assert len(en) > 100
    assert set(en) == set(ja)
    for key, text in en.items():
        for language, said in (("en", text), ("ja", ja[key])):
            forms = {"other": said} if isinstance(said, str) else said
            assert all(form.strip() for form in forms.values()), (language, key)
            assert "other" in forms, (language, key)
            if language == "en" and not isinstance(said, str):
                assert set(forms) == {"one", "other"}, key
        assert placeholders(text) == placeholders(ja[key]), key
    used = set(re.findall(r"\bt\(\s*[\"']([\w.-]+)[\"']", scripts()))
    assert len(used) > 60
    assert used <= set(en), used - set(en)
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    untranslated = {key for key, said in ja.items() if not japanese.search(str(said))}
    assert len(untranslated) < 12, untranslated


def scripts() -> str:
    """All scripts of the page, the texts left out."""
    files = [path for path in sorted((WEB / "js").rglob("*.js")) if path.name not in ("en.js", "ja.js")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_nothing_from_elsewhere() -> None:
    """Every file the page asks for is its own; no script or style stands in the page itself."""
    html = (WEB / "index.html").read_text(encoding="utf-8")
    for path in re.findall(r'(?:src|href)="([^"#]+)"', html):
        assert path.startswith("/assets/"), path
        assert (WEB / path.removeprefix("/assets/")).is_file(), path
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", html)
    for path in (WEB / "css").glob("*.css"):
        css = path.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", css), path.name
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", scripts())


def test_policy(drawn: Site, visit: Visit) -> None:
    """Were a script or a foreign photo to get into the page, the browser would refuse it, and tests would see it."""
    tab = visit(drawn)
    tab.expecting("Content Security Policy", "foreign request: https://elsewhere.example")
    tab.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
          const photo = new Image();
          photo.src = "https://elsewhere.example/x.png";
          document.body.append(photo);
          document.body.insertAdjacentHTML("beforeend", '<b onclick="window.hacked = 2" style="color: red">x</b>');
          document.body.lastElementChild.click();
        }"""
    )
    assert tab.page.evaluate("window.hacked") is None
    refused = [text for text in tab.complaints if "Content Security Policy" in text]
    assert len(refused) >= 3, tab.complaints
    assert any("elsewhere.example" in text for text in refused)
