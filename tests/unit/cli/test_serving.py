"""What `nitari serve` makes of its settings, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nitari.cli.serving import server_config
from nitari.errors import ConfigurationError
from nitari.settings import Settings, load_settings

TOKEN = "correct-horse-battery"  # noqa: S105 - a test's


def settings(tmp_path: Path, **server: Any) -> Settings:
    """Settings of the server."""
    return load_settings(home=tmp_path, server=server)


def test_defaults(tmp_path: Path) -> None:
    """Loopback needs no token."""
    config = server_config(settings(tmp_path))
    assert config.token is None
    assert not config.open_search
    assert config.allowed_hosts == ()
    assert (config.keeps_query_photos, config.query_photo_days) == (True, 30)
    assert not server_config(settings(tmp_path, query_photo_days=0)).keeps_query_photos


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback(tmp_path: Path, host: str) -> None:
    """Whatever its name."""
    assert server_config(settings(tmp_path, host=host)).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "2001:db8::1", "shop.example"])  # noqa: S104
def test_beyond_loopback(tmp_path: Path, host: str) -> None:
    """Needs a token, or the word that it shall do without; the remedy says both."""
    with pytest.raises(ConfigurationError) as caught:
        server_config(settings(tmp_path, host=host))
    assert host in caught.value.message
    assert "--token-file" in caught.value.remedy
    assert "--insecure-no-token" in caught.value.remedy
    assert server_config(settings(tmp_path, host=host, token=TOKEN)).token == TOKEN
    assert server_config(settings(tmp_path, host=host, insecure=True)).token is None


def test_token_file(tmp_path: Path) -> None:
    """The file's word, without the line's end, is the token; it goes before the setting."""
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert server_config(settings(tmp_path, token_file=path, token="x" * 16)).token == TOKEN


@pytest.mark.parametrize("content", [b"", b"short\n", b"two words of enough length", b"x" * 20_000, b"\xff" * 20])
def test_token_files_that_will_not_do(tmp_path: Path, content: bytes) -> None:
    """Each is named, and its content is not told."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        server_config(settings(tmp_path, token_file=path))
    assert str(path) in caught.value.message
    assert "words" not in caught.value.message


def test_no_token_file(tmp_path: Path) -> None:
    """One that is not there is an error: a server must not start open because of a typing mistake."""
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            server_config(settings(tmp_path, token_file=path))


def test_hosts(tmp_path: Path) -> None:
    """Names, wildcards, and the name that is bound to."""
    hosts = ("shop.example", "*.search.example", "intra_net", "xn--bcher-kva.example")
    assert server_config(settings(tmp_path, allowed_hosts=hosts)).allowed_hosts == hosts
    bound = server_config(settings(tmp_path, host="shop.example", token=TOKEN))
    assert bound.allowed_hosts == ("shop.example",)


@pytest.mark.parametrize("name", ["https://shop.example", "shop.example:8321", "*", "*.", "a.*.b", "", "shop example"])
def test_hosts_that_are_none(tmp_path: Path, name: str) -> None:
    """A mistake here would refuse every request, or let every page in."""
    with pytest.raises(ConfigurationError, match="not a host name"):
        server_config(settings(tmp_path, allowed_hosts=[name]))
