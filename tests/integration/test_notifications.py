"""Notifications: a real server receives them, and no failure to send one can fail a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvest_source.api.notification import Event, Notification, Recipient, Style
from harvest_source.dlt_internals import find_pipelines_folder
from harvest_source.errors import BusyError, ConfigError, DestinationError, HarvestError
from harvest_source.operations.warehouse_status import read_warehouse_status
from harvest_source.warehouse.lock import sync_lock
from tests.support.holders import reading
from tests.support.lab import HOUR, Lab
from tests.support.posts import Post, serving


@pytest.fixture
def post() -> Iterator[Post]:
    """The server that receives the notifications."""
    with serving() as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A small account."""
    with Lab(tmp_path, entries=10) as lab:
        yield lab


def sync(lab: Lab, **settings: Any) -> Any:
    return lab.sync("clients", settings=settings)


def test_failures_and_recoveries_are_notified_but_success_is_not(lab: Lab, post: Post) -> None:
    """A failure and a recovery are reported in order with what happened; success is not."""
    sync(lab, notify_url=post.url)
    assert post.got == []
    lab.server.fault("missing_key", table="clients", times=50)
    lab.rest(HOUR)
    sync(lab, notify_url=post.url)
    lab.server.clear_faults()
    lab.rest(HOUR)
    sync(lab, notify_url=post.url)
    lab.rest(HOUR)
    sync(lab, notify_url=post.url)
    events = [body["event"] for _, body in post.got]
    assert events == ["failure", "recovered"]
    assert "clients" in post.got[0][1]["text"]
    assert post.got[1][1]["report"]["status"] == "ok"


def test_a_refused_sign_in_is_notified(lab: Lab, post: Post) -> None:
    """A run that fails before it has a report is notified, and still raises its error."""
    lab.server.revoke(lab.token)
    with pytest.raises(HarvestError):
        sync(lab, notify_url=post.url)
    ((_, body),) = post.got
    assert (body["event"], lab.token in json.dumps(body)) == ("failure", False)


def test_slack_gets_its_text(lab: Lab, post: Post) -> None:
    """Slack gets one line of text, and nothing else."""
    sync(lab, notify_url=post.url, notify_style="slack", notify_on="always")
    ((path, body),) = post.got
    assert (path, list(body)) == ("/hook/canary", ["text"])
    assert "success" in body["text"]


def test_a_dead_man_switch_is_notified_of_every_run(lab: Lab, post: Post) -> None:
    """Every run sends its start, then success or failure, whatever notify_on says."""
    sync(lab, notify_url=post.url, notify_style="ping", notify_on="failure")
    lab.server.fault("missing_key", table="clients", times=50)
    sync(lab, notify_url=post.url, notify_style="ping")
    paths = [path.removeprefix("/hook/canary") for path, _ in post.got]
    assert paths == ["/start", "", "/start", "/fail"]


@pytest.mark.parametrize(
    ("behind", "path"),
    [("", "/fail"), ("/", "/fail"), ("?create=1", "/fail?create=1"), ("#clients", "/fail")],
)
def test_a_dead_man_switch_gets_fail_in_the_path(post: Post, behind: str, path: str) -> None:
    """Behind a query or fragment, it would count as a success."""
    recipient = Recipient(post.url + behind, frozenset(), Style.PING)
    recipient.send(Notification(Event.FAILURE, "failed", {}))
    assert [got.removeprefix("/hook/canary") for got, _ in post.got] == [path]


def test_a_run_blocked_by_another_is_not_notified(lab: Lab, post: Post) -> None:
    """A blocked run sends neither a start nor a failure; the running one sends its own."""
    settings = {"notify_url": post.url, "notify_style": "ping"}
    with (
        lab.working(),
        sync_lock("harvest", find_pipelines_folder(), now=lab.clock()),
        pytest.raises(BusyError),
    ):
        sync(lab, **settings)
    assert post.got == []


def test_recovery_from_a_refused_destination_is_notified(lab: Lab, post: Post) -> None:
    """Such a run has no row in sync_runs, yet the next good run is a recovery."""
    sync(lab, notify_url=post.url)
    lab.rest(HOUR)
    with reading(lab.database), pytest.raises(DestinationError):
        sync(lab, notify_url=post.url, destination_wait=0)
    for _ in range(2):
        lab.rest(HOUR)
        sync(lab, notify_url=post.url)
    assert [body["event"] for _, body in post.got] == ["failure", "recovered"]


def test_a_recipient_that_never_answers_is_given_up(post: Post) -> None:
    """The run gives up after the total timeout, with a reason that contains no path."""
    post.answers.clear()
    recipient = Recipient(post.url, frozenset(Event))
    why = recipient.send(Notification(Event.FAILURE, "failed", {}), within_s=0.1)
    post.answers.set()
    assert "127.0.0.1 did not answer" in why
    assert "canary" not in why


def test_text_for_slack_is_escaped(post: Post) -> None:
    """Angle brackets would make a link, also where a name contains them."""
    recipient = Recipient(post.url, frozenset(Event), Style.SLACK)
    recipient.send(Notification(Event.FAILURE, "<!channel> & more", {}))
    assert post.got[0][1] == {"text": "&lt;!channel&gt; &amp; more"}


def test_a_failing_recipient_does_not_fail_the_run(lab: Lab, post: Post) -> None:
    """A refusal, or no server at all: a warning that names the host but not the path."""
    post.status = 500
    report = sync(lab, notify_url=post.url, notify_on="always")
    gone = sync(lab, notify_url="http://127.0.0.1:9/canary", notify_on="always")
    for each in (report, gone):
        assert each.exit_code == 0
        assert ["was not sent" in word for word in each.run_log.warnings] == [True]
        assert "canary" not in str(each.run_log.warnings)


def test_a_verification_is_notified_only_if_it_does_not_end_well(lab: Lab, post: Post) -> None:
    """Also a dead-man switch gets neither its start nor a success, which it expects of syncs."""
    settings = lab.settings | {"notify_url": post.url, "notify_style": "ping"}
    lab.sync()
    assert lab.verify(settings=settings).exit_code == 0
    assert post.got == []
    lab.alter("DELETE FROM harvest.clients")
    assert lab.verify(settings=settings).exit_code == 5
    lab.server.revoke(lab.token)
    with pytest.raises(HarvestError):
        lab.verify(settings=settings)
    assert [path.removeprefix("/hook/canary") for path, _ in post.got] == ["/fail", "/fail"]
    (_, differs), (_, refused) = post.got
    assert (differs["event"], "clients" in differs["text"]) == ("verify", True)
    assert "findings" not in differs["report"]
    assert lab.token not in json.dumps(refused)


@pytest.mark.rare
def test_stale_tables_are_notified(lab: Lab, post: Post) -> None:
    """``status --max-age``, which a monitor runs, sends the notification."""
    sync(lab)
    lab.rest(3 * HOUR)
    with lab.working():
        read_warehouse_status(
            database=lab.database,
            settings=lab.settings | {"notify_url": post.url},
            clock=lab.shared,
            max_age="1h",
        )
    ((_, body),) = post.got
    assert (body["event"], "clients" in body["text"]) == ("stale", True)


@pytest.mark.rare
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"notify_url": "canary"}, "https://"),
        ({"notify_url": "http://example.com/canary"}, "https://"),
        ({"notify_url": "https://example.com/canary", "notify_on": "never"}, "always"),
        ({"notify_url": "https://example.com/canary", "notify_style": "fax"}, "slack"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    lab: Lab, settings: dict[str, Any], words: str
) -> None:
    """The run refuses them before it sends anything, and never repeats the address."""
    with pytest.raises(ConfigError, match=words) as caught:
        sync(lab, **settings)
    assert "canary" not in str(caught.value)
