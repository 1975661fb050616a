"""The keyword spotter for stop words, on PocketSphinx' own acoustic model: RTF 0.02, so it may run whenever Beside speaks."""

import tempfile
from pathlib import Path

from device.audio import FRAME_SAMPLES, RATE_HZ, Pcm
from device.errors import ConfigError
from services.listener.sphinx import open_decoder

RESTART_FRAMES = 10 * RATE_HZ // FRAME_SAMPLES  # the search keeps every frame of an utterance: begin a new one now and then
# In a loudspeaker's echo 15 dB below the person, of 32 stop words: 18 heard (28 in silence); two false ones in 99 s of echo,
# which `echo.py` takes out. One syllable needs a stricter threshold than three.
THRESHOLD_BY_SYLLABLES = {1: 1e-8, 2: 1e-14, 3: 1e-20}


class SphinxSpotter:
    """A StopSpotter for `words`; ConfigError for a word that the pronunciation dictionary does not know."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._decoder = open_decoder(None, None, lm=None)
        unknown = [word for phrase in words for word in phrase.lower().split() if self._decoder.lookup_word(word) is None]
        if unknown:
            raise ConfigError(
                "stop-word-unknown",
                f"Nobody told Beside how '{unknown[0]}' is pronounced.",
                "Choose a common English word in listener.stop_words.",
            )
        with tempfile.NamedTemporaryFile("w", suffix=".kws", encoding="ascii") as keywords:
            keywords.writelines(f"{phrase.lower()} /{self._threshold(phrase.lower())}/\n" for phrase in words)
            keywords.flush()
            self._decoder.add_kws("stop", str(Path(keywords.name)))
        self._decoder.activate_search("stop")
        self._frames = 0
        self._decoder.start_utt()

    def reset(self) -> None:
        self._decoder.end_utt()
        self._decoder.start_utt()
        self._frames = 0

    def feed(self, samples: Pcm) -> str:
        self._decoder.process_raw(samples.tobytes())
        self._frames += 1
        guess = self._decoder.hyp()
        word = guess.hypstr.strip().split("  ")[0] if guess and guess.hypstr else ""
        if word or self._frames >= RESTART_FRAMES:
            self.reset()
        return word

    def _threshold(self, phrase: str) -> float:
        phones = " ".join(self._decoder.lookup_word(word) for word in phrase.split()).split()
        vowels = sum(phone[0] in "AEIOU" for phone in phones)
        return THRESHOLD_BY_SYLLABLES[min(3, max(1, vowels))]
