"""Alerts as people read them, and when two are the same."""

from typing import Any

import pytest
from pydantic import ValidationError

from tertulia.api.alert_lines import MOST_LINES, MOST_SUMMARY, Alert, Notification, line, lines

DOWN = {
    "status": "firing",
    "labels": {
        "alertname": "NodeDown",
        "severity": "critical",
        "instance": "node1:9464",
        "job": "t",
    },
    "annotations": {"summary": "Node 1 does not answer", "runbook_url": "https://x.example/#down"},
    "startsAt": "2026-11-30T10:00:00.5Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "fingerprint": "abc",
}


def alert(**changes: Any) -> Alert:
    return Alert.model_validate({**DOWN, **changes})


def told(*alerts: dict[str, Any], **more: Any) -> Notification:
    return Notification.model_validate({"version": "4", "alerts": alerts, "receiver": "x", **more})


def test_a_line_says_what_fires_where_and_where_to_read_on() -> None:
    assert (
        line(alert())
        == "FIRING critical NodeDown on node1:9464: Node 1 does not answer (https://x.example/#down)"
    )
    over = alert(status="resolved", endsAt="2026-11-30T11:00:00Z")
    assert line(over) == "RESOLVED critical NodeDown on node1:9464: Node 1 does not answer"


def test_what_an_alert_has_not_is_left_out() -> None:
    assert line(alert(labels={"alertname": "X"}, annotations={})) == "FIRING X"
    assert line(alert(labels={}, annotations={})) == "FIRING an alert without a name"
    labels = {"alertname": "X", "severity": "warning", "b": "2", "a": "1", "job": "j"}
    assert line(alert(labels=labels, annotations={})) == "FIRING warning X: a=1, b=2"
    assert line(alert(labels={"alertname": "X"}, annotations={"description": "d"})) == "FIRING X: d"


def test_nothing_in_it_breaks_a_line_or_fills_a_screen() -> None:
    evil = "one\r\ntwo\u2028three\x1b[31m\u202e\ud800\t four " + "x" * 10_000
    shown = line(alert(annotations={"summary": evil}, labels={"alertname": "A\nB"}))
    assert shown.startswith("FIRING A B: one two three[31m four xxx")
    assert len(shown) < MOST_SUMMARY + 50
    assert shown.isprintable()
    shown.encode()


def test_a_repetition_is_the_same_and_what_begins_anew_or_ends_is_not() -> None:
    same = alert(annotations={"summary": "Node 1 does not answer since 5 minutes"})
    assert same.key == alert().key
    assert alert(endsAt="2026-11-30T12:00:00Z").key == alert().key, "of what fires it moves"
    others = [
        alert(startsAt="2026-11-30T10:00:01Z"),
        alert(fingerprint="abd"),
        alert(status="resolved", endsAt="2026-11-30T11:00:00Z"),
        alert(status="resolved", endsAt="2026-11-30T11:00:01Z"),
        alert(fingerprint=""),
        alert(fingerprint="", labels={}),
    ]
    keys = {it.key for it in [alert(), *others]}
    assert len(keys) == 7


def test_there_are_so_many_lines_and_then_a_number() -> None:
    many = [{**DOWN, "fingerprint": f"{it}"} for it in range(MOST_LINES + 3)]
    said = lines(told(*many, truncatedAlerts=2))
    assert len(said) == MOST_LINES + 1
    assert said[-1].text == "and 5 more alerts"
    assert said == lines(told(*many, truncatedAlerts=2))
    assert said[-1].key != lines(told(*many, truncatedAlerts=3))[-1].key
    assert len(lines(told(*many[:MOST_LINES]))) == MOST_LINES
    assert lines(told()) == []


def test_what_fires_comes_before_what_is_resolved() -> None:
    over = {**DOWN, "status": "resolved", "endsAt": "2026-11-30T11:00:00Z"}
    assert [it.text.split()[0] for it in lines(told(over, DOWN))] == ["FIRING", "RESOLVED"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "3", "alerts": []},
        {"alerts": []},
        {"version": "4"},
        {"version": "4", "alerts": [{"status": "pending"}]},
        {"version": "4", "alerts": [{"status": "firing", "labels": {"a": 1}}]},
    ],
)
def test_what_is_no_notification_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Notification.model_validate(wrong)
