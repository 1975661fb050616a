"""Access list, chart and events page, read from signatures."""

from device.config import ROOT
from device.events import Event, SpeechEnded, SpeechRequest, StateChanged, TranscriptFinal, all_events
from services.flow import ACCOUNTS, Room, acl, chart, events_page, fields_of, rooms

EAR = Room("listener", "Hears.", (SpeechEnded,), (TranscriptFinal,))
KEY = Room("guardian", "Judges.", (TranscriptFinal,), (SpeechRequest,))
MOUTH = Room("speaker", "Speaks.", (SpeechRequest, StateChanged), (SpeechEnded,))
TAP = Room("tap", "Sees all.", all_events(), ())
SMALL = (EAR, KEY, MOUTH, TAP)


def rights(name: str, text: str) -> set[str]:
    """The `topic` lines of one account."""
    lines = text.split(f"user {name}\n")[1].split("\n\n")[0].splitlines()
    return {line.removeprefix("topic ") for line in lines if line}


def test_an_account_may_read_what_it_hears_and_write_what_it_says_and_nothing_else() -> None:
    assert rights("listener", acl(SMALL)) == {"read beside/speech/ended", "write beside/transcript/final", "write beside/state/listener"}
    assert rights("speaker", acl(SMALL)) == {
        "read beside/speech/request", "read beside/state/+", "write beside/speech/ended", "write beside/state/speaker",
    }  # fmt: skip


def test_tap_may_write_nothing() -> None:
    assert not any(right.startswith("write") for right in rights("tap", acl(SMALL)))


def test_those_who_look_at_the_same_time_have_accounts_of_their_own() -> None:
    """One account is one connection: two on the same would throw each other out without end."""
    text = acl(rooms())
    assert rights("show", text) == rights("tap", text)
    assert rights("doctor", text) == {"read beside/state/+"}
    assert not any(line.startswith(("  show", "  doctor")) for line in chart(rooms()).splitlines())


def test_the_chart_has_an_arrow_from_each_sayer_to_each_hearer() -> None:
    assert chart(SMALL).splitlines() == [
        "flowchart LR",
        '  listener -- "transcript.final" --> guardian',
        '  guardian -- "speech.request" --> speaker',
        '  speaker -- "speech.ended" --> listener',
    ]


def test_the_page_tells_who_says_what_to_whom_and_what_is_promised() -> None:
    page = events_page(SMALL)
    section = page.split("## speech.request\n")[1].split("\n## ")[0]
    assert "guardian → speaker; must arrive." in section
    assert "- `urgent: bool` — drop whatever is being said or queued and say this now" in section
    assert "every service → speaker; may be lost, retained." in page


def test_every_field_of_every_event_is_on_the_page_with_its_type() -> None:
    page = events_page(SMALL)
    for kind in all_events():
        own = [name for name in kind.model_fields if name not in Event.model_fields]
        assert [name for name, _, _ in fields_of(kind)] == own
        assert f"## {kind.topic}\n" in page


def test_only_guardian_may_ask_for_speech() -> None:
    text = acl(rooms())
    for right in ("write beside/speech/request", "write beside/speech/stop"):
        assert [name for name in ACCOUNTS if right in rights(name, text)] == ["guardian"]


def test_every_account_has_a_purpose_and_only_events_that_exist() -> None:
    found = rooms()
    assert [room.name for room in found] == list(ACCOUNTS)
    for room in found:
        assert room.purpose.endswith(".")
        assert set(room.hears) | set(room.says) <= set(all_events())


def test_the_page_in_docs_is_the_page_of_the_code() -> None:
    written = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert written == events_page(rooms()).rstrip("\n") + "\n", "run: make docs"
