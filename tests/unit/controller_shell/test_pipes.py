"""``| match`` and others behind a command."""

from __future__ import annotations

import pytest

from controller.operate.pipes import PipeError, apply, complete, split

ANSWER = "Flow Sessions\n\nIn: 10.1.1.2/4000;tcp\nOut: 10.2.2.2/80;tcp\nTotal sessions: 1\n"


def said(pipes: str) -> list[str]:
    command, stages = split(f"show security flow session {pipes}")
    assert command.strip() == "show security flow session"
    return apply(ANSWER, stages).splitlines()


@pytest.mark.parametrize(
    ("pipes", "expected"),
    [
        ("", ANSWER.splitlines()),
        ("| match in:", ["In: 10.1.1.2/4000;tcp"]),
        ('| match "total sessions"', ["Total sessions: 1"]),
        ('| match "^in|sessions"', ["Flow Sessions", "In: 10.1.1.2/4000;tcp", "Total sessions: 1"]),
        ("| match '^in|\"sessions' | last 1", ["In: 10.1.1.2/4000;tcp"]),
        ('| match "a|b" | match "c|d" | count', ["Count: 0 lines"]),
        ("| match tcp | except /80", ["In: 10.1.1.2/4000;tcp"]),
        ("| except .", [""]),
        ("| find ^out", ["Out: 10.2.2.2/80;tcp", "Total sessions: 1"]),
        ("| find nothing", []),
        ("| last 1", ["Total sessions: 1"]),
        ("| match tcp | count", ["Count: 2 lines"]),
        ("|no-more", ANSWER.splitlines()),
        ("| mat tcp|co", ["Count: 2 lines"]),
    ],
)
def test_pipes_pick_lines(pipes: str, expected: list[str]) -> None:
    assert said(pipes) == expected


@pytest.mark.parametrize(
    ("pipes", "message"),
    [
        ("|", "a word is missing behind '|'; expected one of: count, except, find, "),
        ("| mtach x", "unknown word 'mtach'; did you mean 'match'?"),
        ("| match", "'| match' takes one pattern"),
        ("| match total sessions", "'| match' takes one pattern; put it in quotes"),
        ("| match (", "'| match': '(' is no regular expression: "),
        ("| match 'a", "a quote is not closed"),
        ('| match "a', "a quote is not closed"),
        ("| last 0", "'| last': '0' is no number of lines from 1 on"),
        ("| count 3", "'| count' takes nothing"),
    ],
)
def test_what_is_no_pipe_is_one_clear_line(pipes: str, message: str) -> None:
    with pytest.raises(PipeError) as caught:
        split(f"show arp {pipes}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_completion_behind_a_bar() -> None:
    assert complete("show arp ") is None
    assert [word for word, _ in complete("show arp | ") or ()] == [
        "count", "except", "find", "last", "match", "no-more",
    ]  # fmt: skip
    assert [word for word, _ in complete("show arp | match x | c") or ()] == ["count"]
    assert [word for word, _ in complete("show arp | last ") or ()] == ["<number of lines>"]
    assert complete("show arp | count ") == []
    assert complete("show arp | match x ") == []
