"""Report and app in a real browser: they show what SQL says, and contact no other machine."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest

from tests.support.app import (
    WHOLE,
    choose,
    choose_currency,
    read_again,
    read_controls,
    read_tile,
    serving,
    type_start,
    wait_for,
    wait_for_tile,
)
from tests.support.children import REPOSITORY
from tests.support.chromium import CHROMIUM, Page, list_foreign, open_page
from tests.support.environments import make_environment
from tests.support.holders import writing
from tests.support.models_lab import Built, ModelsLab

pytestmark = [
    pytest.mark.app,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]

WHY = "(document.getElementById('why') || {innerText: ''}).innerText"
"""The page's explanation of why there is nothing to show."""

LOST = "(document.getElementById('lost') || {innerText: ''}).innerText"
"""The page's warning of filters that no longer apply."""

KEEP_PERIODS = """window.periods = []; new MutationObserver(() => {
const text = (document.querySelector('.sub') || {innerText: ''}).innerText.split(' to ')[0];
if (periods.at(-1) !== text) periods.push(text) }).observe(
document.body, {subtree: true, childList: true, characterData: true}); 1"""
"""JavaScript: keep the first day of each page that is shown from now on."""

FOREIGN = """<link rel=preconnect href="https://a.example"><script src="https://b.example/x.js">
</script><iframe srcdoc="<img src='https://c.example/x.png'>"></iframe><script>
new Worker(URL.createObjectURL(new Blob(["fetch('https://d.example')"])));
new WebSocket('wss://e.example/') </script>"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The simulated consultancy with its models, built once, in its own environment."""
    python = make_environment(
        tmp_path_factory.mktemp("environments") / "app", "-e", f"{REPOSITORY}[app,dbt]"
    )
    with ModelsLab(tmp_path_factory.mktemp("consultancy"), entries=6_000, users=12) as lab:
        lab.stop_timers()
        assert lab.sync().status == "ok"
        yield Built(lab, python, lab.transform(python))


@pytest.fixture
def database(built: Built, tmp_path: Path) -> Path:
    """A copy of the warehouse, as a reader gets it."""
    return Path(shutil.copy(built.lab.database, tmp_path / "warehouse.duckdb"))


def hours(database: Path, where: str = "TRUE") -> str:
    """Hours of the app's twelve months, computed with SQL and formatted as the page shows them."""
    with duckdb.connect(str(database), read_only=True) as connection:
        ((found,),) = connection.execute(
            "SELECT SUM(hours) FROM harvest_models.harvest__hours_daily, "
            "harvest_models.int_harvest__as_of WHERE spent_date <= as_of AND "
            f"spent_date >= DATE_TRUNC('month', as_of) - INTERVAL 11 MONTH AND ({where})"
        ).fetchall()
    return f"{found or 0:,.0f}"


def find(database: Path, query: str) -> tuple[str, ...]:
    """One row of a query, as text."""
    with duckdb.connect(str(database), read_only=True) as connection:
        (row,) = connection.execute(query).fetchall()
    return tuple(map(str, row))


def publish(database: Path, change: str) -> None:
    """Put a changed copy in the file's place: the app may be reading the file."""
    copy = Path(shutil.copy(database, database.with_suffix(".part")))
    with duckdb.connect(str(copy)) as connection:
        connection.execute(change)
    copy.replace(database)


def test_the_meter_sees_what_a_page_fetches(tmp_path: Path) -> None:
    """The meter records scripts, frames, workers, sockets and names that are only resolved."""
    (tmp_path / "page.html").write_text(FOREIGN)
    with open_page(tmp_path / "browser") as page:
        page.go((tmp_path / "page.html").as_uri())
        page.until("document.readyState === 'complete'")
        page.evaluate("fetch('https://f.example').catch(() => 1)")
    hosts = {urlsplit(each).hostname for each in list_foreign(tmp_path / "browser")}
    assert hosts == {f"{letter}.example" for letter in "abcdef"}


def test_a_condition_that_cannot_hold_is_said_at_once(tmp_path: Path) -> None:
    """A misspelt condition fails with the browser's message; what is not there yet is awaited."""
    with open_page(tmp_path / "browser") as page:
        for condition, said in (
            ("1 +", "SyntaxError"),
            ("nothing.of.this.name", "ReferenceError: nothing is not defined"),
            # The second look is in a later frame.
            ("window.looked ? nothing : !(looked = 1)", "ReferenceError: nothing"),
        ):
            with pytest.raises(AssertionError, match=said):
                page.until(condition)
        page.evaluate("setTimeout(() => { document.body.innerHTML = '<i id=late>here</i>' }, 9)")
        page.until("document.getElementById('late').innerText === 'here'")
        assert page.complaints() == []


def test_the_report_is_read_without_a_network(built: Built, tmp_path: Path) -> None:
    """The report opens from a file, light, dark, narrow, wide and printed, without any request."""
    path = tmp_path / "report.html"
    done = built.lab.run(built.python, "report", str(path), "--database", str(built.lab.database))
    assert done.returncode == 0, done.stderr
    with open_page(tmp_path / "browser") as page:
        for width in (390, 1440):
            for dark in (False, True):
                page.show(width, dark=dark)
                page.go(path.as_uri())
                page.until(WHOLE)
                assert page.evaluate("document.documentElement.scrollWidth") == width
                ink = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
                assert ink == ("rgb(228, 232, 238)" if dark else "rgb(27, 35, 48)")
        assert read_tile(page, "Hours") == hours(built.lab.database)
        page.print(tmp_path / "report.pdf")
        assert page.complaints() == []
    assert list_foreign(tmp_path / "browser") == set()
    assert 3 < (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n") < 15


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A browser; after the test, it must have contacted no other machine."""
    with open_page(tmp_path / "browser") as page:
        page.show(1440)
        yield page
        assert page.complaints() == []
    assert list_foreign(tmp_path / "browser") == set()


def test_clicks_change_what_is_shown(built: Built, database: Path, page: Page) -> None:
    """After each choice of client, person, currency and period, the figures equal those of SQL."""
    client, currency = find(
        database,
        "SELECT client_name, currency FROM harvest_models.harvest__hours_daily "
        "WHERE client_name NOT LIKE '%\"%' AND client_name NOT LIKE '%''%' "
        "GROUP BY ALL ORDER BY SUM(hours) DESC LIMIT 1",
    )
    of_client = f"client_name = '{client}'"
    (year,) = find(database, "SELECT YEAR(as_of) FROM harvest_models.int_harvest__as_of")
    before = str(int(year) - 1)
    with serving(built, database) as url:
        page.go(url)
        page.until(WHOLE)
        assert read_tile(page, "Hours") == hours(database)
        choose(page, 0, client)
        wait_for(page, f"only {client}")
        assert read_tile(page, "Hours") == hours(database, of_client)
        page.evaluate(KEEP_PERIODS)
        type_start(page, "06", "15", year)
        wait_for(page, f"15 Jun {year} to")
        # No page was made for the years 2, 20 and 202 on the way.
        assert {each.split()[-1] for each in page.evaluate("periods") if each} <= {year, before}
        late = f"{of_client} AND spent_date >= DATE '{year}-06-15'"
        assert read_tile(page, "Hours") == hours(database, late)
        choose_currency(page, currency)
        wait_for(page, f"only {currency}")
        assert read_tile(page, "Hours") == hours(database, late)
        # A period that ends before it begins has no figures. The last one that had is kept.
        type_start(page, "06", "15", str(int(year) + 1))
        page.until(f"{WHY}.includes('before it begins on {int(year) + 1}-06-15')")
        read_again(page)
        wait_for(page, f"15 Jun {year} to")
        assert read_tile(page, "Hours") == hours(database, late)


def test_read_again_keeps_what_was_chosen(built: Built, database: Path, page: Page) -> None:
    """After the button, every control holds what was chosen, and the figures are the new data's."""
    company = "SELECT * REPLACE (5 AS account_id, 'Other' AS name) FROM harvest.company"
    publish(database, f"INSERT INTO harvest.company {company}")
    account, name, year = find(
        database,
        "SELECT account_id, name, YEAR(as_of) FROM harvest.company, "
        "harvest_models.int_harvest__as_of WHERE account_id <> 5",
    )
    client, person, currency = find(
        database,
        "SELECT client_name, person_name, currency FROM harvest_models.harvest__hours_daily "
        f"WHERE spent_date >= DATE '{year}-03-15' "
        "AND CONCAT(client_name, person_name) NOT SIMILAR TO '.*[\"''].*' "
        "GROUP BY ALL ORDER BY SUM(hours) DESC LIMIT 1",
    )
    chosen = (
        f"client_name = '{client}' AND person_name = '{person}' "
        f"AND spent_date >= DATE '{year}-03-15'"
    )
    with serving(built, database) as url:
        page.go(url)
        page.until(WHOLE)
        for number, each in enumerate((client, person, f"{name} ({account})")):
            choose(page, number, each)
        type_start(page, "03", "15", year)
        choose_currency(page, currency)
        wait_for(page, f"account {account} · only {client}, {person} · only {currency}")
        wait_for(page, f"15 Mar {year} to")
        before, controls = hours(database, chosen), read_controls(page)
        assert read_tile(page, "Hours") == before != hours(database)
        publish(database, "UPDATE harvest_models.harvest__hours_daily SET hours = hours * 3")
        read_again(page)
        wait_for_tile(page, "Hours", hours(database, chosen))
        assert hours(database, chosen) != before
        assert read_controls(page) == controls
        assert {client, person, f"{name} ({account})", currency} <= set(controls)
        # The period still ends with the day of the data, unless another end was chosen.
        publish(database, "UPDATE harvest_models.int_harvest__as_of SET as_of = as_of + 1")
        read_again(page)
        (last,) = find(
            database,
            "SELECT STRFTIME(as_of, '%-d %b %Y') FROM harvest_models.int_harvest__as_of",
        )
        wait_for(page, f"15 Mar {year} to {last} · as of {last}")


def test_chosen_clients_that_are_gone_are_said(built: Built, database: Path, page: Page) -> None:
    """All clients are shown instead, with a warning, until others are chosen."""
    gone, other = (
        find(
            database,
            "SELECT client_name FROM harvest_models.harvest__hours_daily "
            "WHERE client_name NOT SIMILAR TO '.*[\"''].*' "
            f"GROUP BY ALL ORDER BY SUM(hours) DESC LIMIT 1 OFFSET {number}",
        )[0]
        for number in (0, 1)
    )
    with serving(built, database) as url:
        page.go(url)
        page.until(WHOLE)
        choose(page, 0, gone)
        wait_for(page, f"only {gone}")
        publish(
            database, f"DELETE FROM harvest_models.harvest__clients WHERE client_name = '{gone}'"
        )
        read_again(page)
        page.until(f"{LOST}.includes('clients that were chosen are no longer in the models')")
        assert read_tile(page, "Hours") == hours(database)
        choose(page, 0, other)
        wait_for(page, f"only {other}")
        page.until(f"{LOST} === ''")


def test_the_address_alone_opens_it(built: Built, database: Path, page: Page) -> None:
    """Without the token, no user of this machine reads the rates; there is no other address."""
    with serving(built, database) as url:
        place = urlsplit(url)
        assert place.hostname == "127.0.0.1"
        with closing(http.client.HTTPConnection("127.0.0.1", place.port or 0)) as connection:
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert answer.status in (303, 307, 401)
            assert b"Sandbox" not in answer.read()
        page.go(url)
        page.until(WHOLE)
        assert "access_token" not in page.evaluate("location.href")


def test_a_file_in_use_is_said_and_read_later(built: Built, database: Path, page: Page) -> None:
    """While a sync writes, the page names the process; afterwards, the button shows everything."""
    with serving(built, database) as url:
        with writing(database):
            page.go(url)
            page.until(f"{WHY}.includes('in use by')")
        read_again(page)
        page.until(WHOLE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP SCHEMA harvest_models CASCADE", "harvest-source transform"),
        ("DROP SCHEMA harvest CASCADE", "harvest-source sync"),
    ],
)
def test_what_is_missing_is_said(
    built: Built, database: Path, page: Page, change: str, said: str
) -> None:
    """Without models, or without any tables, the page names the command that helps."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(change)
    with serving(built, database) as url:
        page.go(url)
        page.until(f"{WHY}.includes('{said}')")


def test_a_sync_is_not_kept_waiting(built: Built, database: Path, page: Page) -> None:
    """The app holds the file only while it reads, so a writer can open it beside an open page."""
    with serving(built, database) as url:
        page.go(url)
        page.until(WHOLE)
        code = f"import duckdb; duckdb.connect({str(database)!r}).execute('CREATE TABLE t (i INT)')"
        subprocess.run([str(built.python), "-c", code], check=True)
