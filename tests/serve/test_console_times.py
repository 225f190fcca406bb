"""Times of the console: in the shop's time zone, and each page says how old its figures are."""

import re
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from endcap.cli import main
from endcap.data.errors import InputError
from endcap.serve.config import zone_of
from endcap.serve.console import page as pages
from endcap.serve.console.periods import span_of
from endcap.serve.console.plots import axis_of
from endcap.serve.console.texts import Words
from tests.serve.test_console import app_of, browser_of, filled, send, shops, shown, words

__all__ = ["filled", "shops"]

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("name", ["Mars/Phobos", "", "America", "../etc/passwd", "/etc/passwd", "UTC+2", "a\0b"])
def test_a_time_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="IANA"):
        zone_of(name)


def test_it_is_refused_before_anything_is_served(shops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", str(shops / "shop"), "--timezone", "Mars/Phobos"])
    assert ended.value.code == 2
    assert "found time zone 'Mars/Phobos'" in capsys.readouterr().err


def test_times_are_those_of_the_shop(shops: Path, filled: Path, tmp_path: Path) -> None:
    with browser_of(app_of(shops, filled, tmp_path, timezone="Asia/Shanghai")) as client:
        last = max(each["time"] for each in client.get("/v1/users/u15").json()["events"])
        here = f"{datetime.fromtimestamp(last, SHANGHAI):%Y-%m-%d %H:%M}"
        assert here in shown(client, "/console/people?q=u15")
        text = words(shown(client, "/console/models"))
        assert "Times are those of Asia/Shanghai" in text
        assert re.search(r"As of (\d\d:\d\d)\.", text)
        own = {"action": "floor", "id": "later", "price": "5", "starts": "2027-12-24T10:00", "new": "yes"}
        text = send(client, "rules/preview", **own).text
        body = re.findall(r"&#34;starts&#34;: ([\d.]+)", text)
        assert float(body[0]) == datetime(2027, 12, 24, 10, tzinfo=SHANGHAI).timestamp()
        assert "2027-12-24 10:00" in text
        form = send(client, "rules/edit", **own).text
        assert 'value="2027-12-24T10:00"' in form
        assert "From (Asia/Shanghai)" in form


def test_a_page_says_when_its_figures_were_made(
    shops: Path, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_of(path: str) -> str:
        return re.findall(r"As of (\d\d:\d\d)", shown(client, path))[0]

    with browser_of(app_of(shops, filled, tmp_path)) as client:
        before = as_of("/console/quality")
        now = time.time()
        monkeypatch.setattr(pages.time, "time", lambda: now + 7200)
        assert as_of("/console/quality") == before  # kept, and it says so
        assert as_of("/console/rules") != before


@pytest.mark.parametrize("zone", [SHANGHAI, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")])
def test_days_are_those_of_the_shop(zone: ZoneInfo) -> None:
    at = datetime(2026, 12, 1, 20, 30, tzinfo=ZoneInfo("UTC")).timestamp()
    span = span_of("month", at, zone)
    assert f"{datetime.fromtimestamp(span.since, zone):%H:%M}" == "00:00"
    assert span.until - 86_400 <= at < span.until
    today = f"{datetime.fromtimestamp(at, zone):%b} {datetime.fromtimestamp(at, zone).day}"
    assert axis_of(span, Words("en", zone=zone)).labels[-1] == today


def test_no_day_is_named_twice_where_clocks_are_changed() -> None:
    for month in (3, 4, 10, 11):
        at = datetime(2026, month, 10, 12, tzinfo=BERLIN).timestamp()
        labels = axis_of(span_of("month", at, BERLIN), Words("en", zone=BERLIN)).labels
        assert len(set(labels)) == len(labels) == 30
