"""The command tree: abbreviations, options, completion, and errors that point at the word."""

import pytest

from controller.operate.commands import CommandError, complete, parse
from controller.operate.table import ROOT


def options(line: str) -> dict[str, str]:
    """What ``line`` is understood as."""
    return dict(parse(ROOT, line).options)


def test_options_with_and_without_values() -> None:
    line = "show security flow session destination-port 80 source-prefix 10.0.0.0/8 extensive"
    assert options(line) == {
        "destination-port": "80",
        "source-prefix": "10.0.0.0/8",
        "extensive": "",
    }


def test_words_may_be_cut_short() -> None:
    full = parse(ROOT, "show security flow cp-session summary")
    assert parse(ROOT, "sh sec fl cp sum") == full


def test_some_values_need_no_word_before_them() -> None:
    assert options("show route 10.1.1.1") == options("show route destination 10.1.1.1")
    assert options("show route table inet.0 10.1.1.1")["destination"] == "10.1.1.1"
    assert options("show security zones trust") == {"zone": "trust"}
    assert ("<zone>", "Only this zone") in complete(ROOT, "show security zones ")
    for wrong in ("show route 10.1.1.300", "show route 10.1.1.1 10.1.1.2"):
        with pytest.raises(CommandError, match=r"unknown word '10\.1\.1"):
            options(wrong)


def test_a_word_in_full_is_not_ambiguous() -> None:
    assert parse(ROOT, "show security policies").options == {}


@pytest.mark.parametrize(
    ("line", "column", "text"),
    [
        ("show security flow sesion", 19, "unknown word 'sesion'; did you mean 'session'?"),
        ("show security flow session s 1", 27, "'s' is ambiguous: services-offload, session-ident"),
        (
            "show security flow session protocol tpc",
            36,
            "unknown protocol 'tpc'; did you mean 'tcp'",
        ),
        ("show security flow session source-prefix 10.300", 41, "'10.300' is no address or prefix"),
        ("show security flow session protocol", 36, "expected protocol after 'protocol'"),
        (
            "show security",
            14,
            "expected one of: alg, flow, match-policies, monitoring, nat, np-cache, "
            "packet-drop, policies, screen, shadow",
        ),
        ("show security screen statistics", 32, "expected 'zone <zone>'"),
        ("show arp x", 9, "nothing may follow here, but 'x' does"),
        ("", 1, "expected one of: clear, request, show"),
    ],
)
def test_an_error_points_at_the_word(line: str, column: int, text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(ROOT, line)
    shown, caret, message = str(caught.value).split("\n")
    assert shown == line
    assert caret == " " * column + "^"
    assert text in message


def test_what_is_a_command_already_may_be_entered_or_picked_from() -> None:
    def first(line: str) -> list[str]:
        return [word for word, _ in complete(ROOT, line)][:2]

    assert first("show arp ") == ["<[Enter]>", "|"]
    assert first("show security flow session protocol tcp ") == ["<[Enter]>", "|"]
    assert first("show security flow ")[0] == "session"
    assert first("show security flow session protocol ") == ["<protocol>"]
    assert first("show security screen statistics ") == ["zone"]
    assert first("show security screen statistics zone trust ") == ["<[Enter]>", "|"]


def test_completion_offers_words_values_and_nothing_after_nonsense() -> None:
    assert [word for word, _ in complete(ROOT, "show security fl")] == ["flow"]
    assert [word for word, _ in complete(ROOT, "cl")] == ["clear"]
    assert ("<protocol>", "IP protocol by name or number") in complete(
        ROOT, "show security flow session protocol "
    )
    taken = complete(ROOT, "show security flow session summary ")
    assert "summary" not in [word for word, _ in taken]
    assert complete(ROOT, "frob x") == []
