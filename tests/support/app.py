"""The app of the pages as a process, and a person who uses it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.chromium import Page

if TYPE_CHECKING:  # The benchmark has no pytest.
    from tests.support.models_lab import Built

WHOLE = "document.querySelectorAll('section').length > 9"
"""JavaScript: the page has every section."""


@contextmanager
def serving(built: Built, database: Path) -> Iterator[str]:
    """Run ``harvest-source app`` on a file until the ``with`` ends; yields address and token."""
    command = [str(built.python), "-m", "harvest_source", "app", "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, "--database", str(database)],
        cwd=built.lab.folder,
        env=built.lab.child_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            yield json.loads(child.stdout.readline())["url"]
        finally:
            child.terminate()
            child.wait(30)


def read_tile(page: Page, label: str) -> str:
    """The figure with this label at the top."""
    return str(page.evaluate(_find_tile(label)))


def wait_for_tile(page: Page, label: str, figure: str) -> None:
    """Wait until the figure with this label at the top is *figure*."""
    page.until(f"{_find_tile(label)} === '{figure}'")


def _find_tile(label: str) -> str:
    return (
        "[...document.querySelectorAll('.tile')].find("
        f"each => each.innerText.startsWith('{label}')).querySelector('.value').innerText"
    )


def read_controls(page: Page) -> list[str]:
    """What the controls show: the parts of the period, the names in the lists, the currency."""
    found = page.evaluate(
        "[...all('[role=spinbutton]').map(each => each.innerText),"
        "...all('marimo-multiselect').map(each => all('button', each.shadowRoot)[0].innerText),"
        "...all('marimo-dropdown').map(each => each.shadowRoot.querySelector('select').value)]"
    )
    return list(found)


def wait_for(page: Page, text: str) -> None:
    """Wait until the line below the title says *text*."""
    line = "(document.querySelector('.sub') || {innerText: ''}).innerText"
    page.until(f"{line}.includes('{text}')")


def choose(page: Page, number: int, name: str) -> None:
    """Choose a name in one of the lists: 0 is the clients' list, 1 the people's."""
    page.click(f"all('button', all('marimo-multiselect')[{number}].shadowRoot)[0]")
    page.click(f"all('[role=option]').find(each => each.innerText === '{name}')")
    page.press("Escape")


def choose_currency(page: Page, code: str) -> None:
    """Choose a currency."""
    page.until("all('marimo-dropdown').length > 0")
    page.evaluate(
        "{ const list = all('marimo-dropdown')[0].shadowRoot.querySelector('select'); "
        f"list.value = '{code}'; list.dispatchEvent(new Event('change', {{bubbles: true}})) }}"
    )


def type_start(page: Page, month: str, day: str, year: str) -> None:
    """Type the first day of the period."""
    for place, digits in ((2, year), (0, month), (1, day)):
        page.click(f"all('[role=spinbutton]')[{place}]")
        page.press(*digits)
    page.press("Tab")


def read_again(page: Page) -> None:
    """Press the button that rereads everything."""
    page.click(
        "all('marimo-button').map(each => each.shadowRoot.querySelector('button'))"
        ".find(each => each.innerText.includes('Read again'))"
    )
