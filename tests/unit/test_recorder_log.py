"""The page that a caregiver reads, and the rule of what is kept: pure."""

from dataclasses import replace
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from services.recorder.keeping import DAY_S, WallClock, expired, look, trusted
from services.recorder.log import page, plain
from services.recorder.talk import Alarm, Mood, Said, Talk, Turn

BEGUN_S = 1_767_000_000.0  # Monday 29 December 2025, 09:20 UTC
TURN = Turn(
    turn="t1", wall_s=BEGUN_S + 5, text="i feel alone", confidence=None, feeling="lonely", feeling_share=0.6, intent="consoling",
    why="near", face="sad", level="none", rules=(), refused=0, spoken=(Said(BEGUN_S + 7, "That sounds hard.", "That sounds hard.", False),),
    engines=("e",), first_token_ms=None,
)  # fmt: skip
TALK = Talk("s1", "Anna", BEGUN_S, BEGUN_S + 300, 300.0, "goodbye", (TURN,), ())


def test_page_says_who_when_and_how_long():
    text = page(TALK, UTC)
    assert text.startswith("# Conversation on Monday 29 December 2025, 09:20\n")
    assert "- With: Anna\n- Length: 5 minutes, 1 turn; it ended with a goodbye\n" in text
    assert "**09:20:05 Anna:** i feel alone  \n*feeling in the words: lonely · answered by consoling*\n" in text
    assert "**09:20:07 Beside:** That sounds hard.\n" in text
    assert "Please look" not in text
    assert "Mood" not in text


def test_page_shows_what_was_not_heard_when_beside_was_interrupted():
    cut = replace(TURN, spoken=(Said(BEGUN_S, "I am here. All night.", "I am here.", True), Said(BEGUN_S, "And tomorrow.", "", False)))
    text = page(replace(TALK, turns=(cut,)), UTC)
    assert "I am here. *\\[interrupted; not heard: All night.\\]* *\\[not spoken; not heard: And tomorrow.\\]*" in text
    assert "- Beside was interrupted in 1 answer" in text


def test_page_puts_alarms_and_dangerous_words_first():
    alarm = Alarm(BEGUN_S + 6, "T1", "help", ("help@1",), "please help me")
    text = page(replace(TALK, turns=(replace(TURN, level="T2", rules=("hopeless@1",), refused=2),), alarms=(alarm,)), UTC)
    assert "- 09:20:06 **A call for help** (T1): “please help me”" in text
    assert "words that may mean danger (T2), noticed by: hopeless@1" in text
    assert "held back 2 sentences" in text
    assert text.index("Please look at this") < text.index("What was said")


def test_page_shows_the_mood_only_with_consent():
    moods = (Mood(BEGUN_S, (("sad", 0.8),), ""), Mood(BEGUN_S + 1, (("sad", 0.4), ("happy", 0.4)), ""), Mood(BEGUN_S + 70, (), "no-face"))
    talk = replace(TALK, moods=moods)
    assert "| 09:20 | sad 60%, happy 20% |" in page(talk, UTC, with_moods=True)
    assert "| 09:21 | unknown |" in page(talk, UTC, with_moods=True)
    assert "sad" not in page(talk, UTC)


def test_page_is_calm_when_nothing_is_known():
    text = page(Talk("s1", "", BEGUN_S, None, None, "", (), ()), UTC)
    assert "- With: The person" in text
    assert "Nothing was said." in text
    assert "Length: unknown, 0 turns; it ended without an end" in text


def test_words_are_inert_in_markdown():
    assert plain("<script>alert(1)</script>") == "\\<script\\>alert(1)\\</script\\>"
    assert plain("# big *bold* [a](b) `c`\n\n- x") == "\\# big \\*bold\\* \\[a\\](b) \\`c\\` - x"
    assert plain("a\u202eb\u2066c\x00d") == "a b c d"


@given(st.text(max_size=200))
def test_words_never_leave_their_line(text):
    shown = plain(text)
    assert "\n" not in shown
    assert "\r" not in shown
    unescaped = shown.replace("\\\\", "")
    for mark in "<`*[":
        assert all(unescaped[i - 1 : i] == "\\" for i, c in enumerate(unescaped) if c == mark)


@given(st.floats(0, 4e9), st.lists(st.floats(0, 4e9), max_size=5), st.integers(0, 400))
def test_nothing_expires_while_the_clock_is_doubtful_or_keeping_is_for_ever(last_s, later, days):
    clock = WallClock(last_s)
    for now_s in later:
        before, clock = clock, look(clock, now_s)
        jumped = now_s < before.last_s - 300 or now_s > before.last_s + 7 * DAY_S
        if jumped or days == 0:
            assert expired({"old": 0.0}, clock, days) == ()


def test_old_conversations_expire_when_the_clock_went_on_steadily():
    clock = look(WallClock(40 * DAY_S), 40 * DAY_S + 60)
    assert expired({"old": 9 * DAY_S, "young": 20 * DAY_S}, clock, 30) == ("old",)


def test_clock_is_trusted_again_a_week_after_a_jump():
    clock = look(WallClock(40 * DAY_S), 90 * DAY_S)
    assert not trusted(clock)
    for _ in range(7):
        assert not trusted(clock)
        clock = look(clock, clock.last_s + DAY_S)
    assert trusted(clock)
    assert not trusted(look(clock, clock.last_s - 3600))
