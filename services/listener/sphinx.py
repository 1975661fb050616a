"""PocketSphinx, the embedded recogniser: English, small, sure of itself in the words of its language model.

The flat second pass is off: it triples the wait at the end of an utterance and finds no more words. 5,000 HMMs a frame
instead of 30,000 halve the work and lose no words. Dither keeps a digitally silent microphone from upsetting the features.
The decoder holds Python's lock while it works, so it is fed one frame at a time.
"""

from pathlib import Path
from typing import Any

from device.audio import Pcm
from device.errors import EngineError
from services.listener.ears import Reading

END_OF_SENTENCE = "</s>"
# Where the running mean of the features begins; measured over twelve sentences of four synthesised voices. From its own
# beginning (40, 3, -1, 0 …) the decoder misunderstands the first words of a talk; later it follows the person by itself.
FIRST_MEAN = "41,2,2,7,-1,0,2,-2,-1,-1,2,1,0"
OTHER_READINGS = 4  # guardian reads them too: a denied "not" must not be lost


class Sphinx:
    """A Recogniser. `language_model`: an n-gram in PocketSphinx' binary form; None takes the one of its wheel."""

    name = "pocketsphinx"

    def __init__(self, language_model: Path | None = None, dictionary: Path | None = None) -> None:
        self._decoder = open_decoder(language_model, dictionary)
        self._open = False

    def begin(self) -> None:
        if self._open:
            self._decoder.end_utt()
        self._decoder.start_utt()
        self._open = True

    def feed(self, samples: Pcm) -> str:
        self._decoder.process_raw(samples.tobytes())
        guess = self._decoder.hyp()
        return spoken(guess.hypstr) if guess else ""

    def finish(self) -> Reading:
        self._decoder.end_utt()
        self._open = False
        guess = self._decoder.hyp()
        if not guess or not guess.hypstr:
            return Reading("", 0.0)
        text = spoken(guess.hypstr)
        return Reading(text, self._confidence(), self._others(text))

    def _confidence(self) -> float:
        """Mean posterior of the words; 0 where the search found no path to the end, as it does on noise."""
        segments = list(self._decoder.seg())
        if not segments or segments[-1].word != END_OF_SENTENCE:
            return 0.0
        shares = [float(word.prob) for word in segments if word.word[0] not in "<["]
        return min(1.0, max(0.0, sum(shares) / len(shares))) if shares else 0.0

    def _others(self, text: str) -> tuple[str, ...]:
        others: list[str] = []
        for guess, _ in zip(self._decoder.nbest(), range(4 * OTHER_READINGS), strict=False):
            other = spoken(guess.hypstr) if guess and guess.hypstr else ""
            if other and other != text and other not in others:
                others.append(other)
        return tuple(others[:OTHER_READINGS])


def open_decoder(language_model: Path | None, dictionary: Path | None, **more: Any) -> Any:
    """A PocketSphinx decoder with our settings; EngineError when a model is missing or of another kind."""
    try:
        import pocketsphinx
    except ImportError as error:
        raise EngineError("pocketsphinx-missing", "The recogniser PocketSphinx is not installed.", "Run ./install.sh again.") from error
    named = {name: path for name, path in (("lm", language_model), ("dict", dictionary)) if path is not None}
    for path in named.values():
        if not path.is_file():
            raise EngineError(
                "model-missing", f"The recogniser's {path.name} is missing.", "Build it with: python -m models.bedside_lm.build"
            )
    try:
        return pocketsphinx.Decoder(
            fwdflat=False,
            dither=True,
            seed=1,
            maxhmmpf=5000,
            cmninit=FIRST_MEAN,
            loglevel="FATAL",
            **{name: str(path) for name, path in named.items()},
            **more,
        )
    except (RuntimeError, ValueError) as error:
        raise EngineError(
            "model-broken",
            "The recogniser cannot read its language model: cut off, or another kind of file.",
            "Build it with: python -m models.bedside_lm.build",
        ) from error


def spoken(hypothesis: str) -> str:
    """The words without PocketSphinx' marks for variants and noises."""
    words = (word.partition("(")[0] for word in hypothesis.split())
    return " ".join(word for word in words if word and word[0] not in "<[+")
