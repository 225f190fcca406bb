"""The commands, as the command line will have them."""

import json
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from endcap.data.errors import InputError
from endcap.serve import commands
from endcap.serve.commands import database_of, load, serve
from endcap.serve.config import ServeConfig
from endcap.serve.run import free_port
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.records import Visitor
from endcap.store.store import Store

LOG = """user_id,item_id,event,when
u1,tea,seen,2026-01-01T10:00:00Z
u1,rum,purchase,2026-01-01T11:00:00Z
u2,,seen,2026-01-02
"""
app = typer.Typer()
app.command()(serve)
app.command()(load)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_log_is_loaded_once(tmp_path: Path) -> None:
    log, db = tmp_path / "log.csv", f"sqlite:///{tmp_path / 'shop.db'}"
    log.write_text(LOG, encoding="utf-8")
    arguments = ("load", log, "--db", db, "--map", "kind=event", "--map", "time=when", "--kind", "seen=view", "--json")
    for new in (2, 0):
        found = json.loads(run(*arguments))
        assert (found["rows"], found["events"], found["new"]) == (3, 2, new)
        assert found["problems"]
    shown = run(*arguments[:-1])
    assert "new in the database" in shown
    store = Store.open(db)
    assert [event.item_id for event in store.histories([Visitor("u1")])[0]] == ["tea", "rum"]
    store.close()


def test_databases(tmp_path: Path) -> None:
    assert database_of(tmp_path / "shop", None) == f"sqlite:///{tmp_path}/shop.db"
    assert database_of(tmp_path / "shop", "postgresql://x/y") == "postgresql://x/y"
    with pytest.raises(InputError, match="cannot be reached"):
        run("load", "log.csv", "--db", "postgresql://127.0.0.1:1/shop")
    with pytest.raises(InputError, match="found --map"):
        run("load", "log.csv", "--db", f"sqlite:///{tmp_path / 'shop.db'}", "--map", "kind")


def test_what_serve_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no artifact"):
        run("serve", tmp_path / "nothing", "--port", 0)
    with pytest.raises(InputError, match="without keys"):
        run("serve", tmp_path / "nothing", "--host", "0.0.0.0")
    assert "--api-key-file" in run("serve", "--help")


def test_serve_says_what_the_shop_is_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[ServeConfig] = []
    monkeypatch.setattr(commands, "run", given.append)
    run("serve", tmp_path, "--storefront", "--images", tmp_path / "photos", "--currency", "EUR")
    run("serve", tmp_path)
    assert (given[0].storefront, given[0].shop.images, given[0].shop.currency) == (True, tmp_path / "photos", "EUR")
    assert (given[1].storefront, given[1].shop) == (None, StorefrontConfig())


def test_a_port_that_is_taken_is_left_to_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) == 0
    assert free_port("127.0.0.1", port) == port
