"""OpenCV's Haar cascade finds the faces; fer's small network (LiteRT) reads one. Only labels leave this room.

The network wants a 64×64 grey face with a margin of about a tenth, values from -1 to 1, and gives seven shares in the
order of `mood.LABELS`. Pictures are scaled to at most 360 pixels first: the finder's time grows with their area.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.audio import Picture
from device.errors import EngineError
from services.watcher.mood import Shares

cv2.setNumThreads(1)  # two pictures a second need no second core
LONGEST_SIDE = 360
FACE_SIDE = 64
SMALLEST_FACE = 36  # pixels at the working size
MARGIN = 0.08

Box = tuple[int, int, int, int]  # x, y, width, height


class FaceReader:
    """`FaceReader(model)` loads the cascade and the network; EngineError if either cannot be used."""

    name = "haar+fer"

    def __init__(self, model: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter

            self._finder: Any = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data/haarcascade_frontalface_default.xml"))
            self._network: Any = Interpreter(model_path=str(model), num_threads=1)
            self._network.allocate_tensors()
            self._input = self._network.get_input_details()[0]["index"]
            self._output = self._network.get_output_details()[0]["index"]
        except (ValueError, OSError, RuntimeError, ImportError) as error:
            raise EngineError("face-model-missing", "The model that reads faces cannot be loaded.", "Run ./install.sh again.") from error

    def read(self, picture: Picture) -> tuple[int, Shares | None]:
        """How many faces, and the seven shares when it is exactly one."""
        scale = min(1.0, LONGEST_SIDE / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        boxes = self._finder.detectMultiScale(
            cv2.equalizeHist(grey), scaleFactor=1.2, minNeighbors=4, minSize=(SMALLEST_FACE, SMALLEST_FACE)
        )
        if len(boxes) != 1:
            return len(boxes), None
        return 1, self._classify(grey, tuple(int(v) for v in boxes[0]))

    def _classify(self, grey: Any, box: Any) -> Shares:
        x, y, w, h = box
        mx, my = int(w * MARGIN), int(h * MARGIN)
        face = grey[max(0, y - my) : y + h + my, max(0, x - mx) : x + w + mx]
        face = cv2.resize(face, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        self._network.set_tensor(self._input, (face / 127.5 - 1.0)[None, :, :, None])
        self._network.invoke()
        shares: Shares = np.asarray(self._network.get_tensor(self._output)[0], np.float32)
        return shares / max(float(shares.sum()), 1e-6)
