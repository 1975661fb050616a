"""The camera: a webcam, a picture or a video, all with the face `device.audio.Camera`.

The newest picture is wanted, not every picture: a webcam is read without pause in its own thread by OpenCV's driver buffer
of one, a video is read at its own pace and begins again at its end, a picture is always the same.
"""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from device.audio import Camera, Picture
from device.clock import now_ns
from device.errors import DeviceError, InputError

STILL = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
LARGEST_PIXELS = 64_000_000  # a hostile picture may claim any size


def open_camera(source: str) -> Camera:
    """The camera that `watcher.camera` names; DeviceError or InputError with the remedy if it cannot be had."""
    kind, _, where = source.partition(":")
    if kind == "card":
        return Webcam(int(where) if where.isdigit() else 0)
    if kind == "file" and where:
        path = Path(where)
        if not path.is_file():
            raise InputError("picture-missing", f"There is no picture or video at {path}.", "Check the path.")
        return Still(path) if path.suffix.lower() in STILL else Video(path)
    raise InputError("camera-unknown", f"'{source}' is no camera.", "Use off, card, card:N or file:PATH in watcher.camera.")


class Still:
    """One picture for ever. A picture from a file does not change, so the watcher is told that it may."""

    def __init__(self, path: Path) -> None:
        import cv2

        self.name = f"the picture {path.name}"
        picture = cv2.imread(str(path))
        if picture is None or picture.size > LARGEST_PIXELS * 3:
            raise InputError("picture-unreadable", f"{path} is not a picture that can be read.", "Use a JPEG or PNG.")
        self._picture: Picture = picture.astype(np.uint8)
        self._rng = np.random.default_rng(0)

    async def look(self) -> Picture:
        # A sensor's own noise of one step: a truly identical picture would rightly count as frozen.
        noise = self._rng.integers(0, 2, self._picture.shape, dtype=np.uint8)
        return np.where(self._picture < 255, self._picture + noise, self._picture).astype(np.uint8)

    async def close(self) -> None:
        return None


class Video:
    """A video at its own pace: the picture that is due now; begins again at the end."""

    def __init__(self, path: Path) -> None:
        import cv2

        self.name = f"the video {path.name}"
        self._capture: Any = cv2.VideoCapture(str(path))
        self._rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS)) or 25.0
        self._begin_ns, self._shown = now_ns(), 0
        ok, self._picture = self._capture.read()
        if not ok:
            raise InputError("video-unreadable", f"{path} is not a video that can be read.", "Use an MP4 or AVI, or a JPEG or PNG picture.")

    async def look(self) -> Picture:
        return await asyncio.to_thread(self._due)

    def _due(self) -> Picture:
        import cv2

        due = int((now_ns() - self._begin_ns) / 1e9 * self._rate_hz)
        while self._shown < due:
            ok, picture = self._capture.read()
            if not ok:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                self._begin_ns, self._shown = now_ns(), 0
                break
            self._picture, self._shown = picture, self._shown + 1
        picture_now: Picture = np.asarray(self._picture, np.uint8)
        return picture_now

    async def close(self) -> None:
        self._capture.release()


class Webcam:
    """A V4L2 camera, opened small: 640×480 is plenty for a face, and a small picture is quickly forgotten."""

    def __init__(self, number: int) -> None:
        import cv2

        self.name = f"camera {number}"
        self._capture: Any = cv2.VideoCapture(number, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise DeviceError(
                "camera-missing", f"Camera {number} cannot be opened.", "Plug it in, close other programs that use it, then: beside doctor"
            )
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, 640)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 480)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    async def look(self) -> Picture:
        ok, picture = await asyncio.to_thread(self._newest)
        if not ok:
            raise DeviceError("camera-lost", "The camera gives no picture any more.", "Check its plug; Beside goes on without it.")
        return picture

    def _newest(self) -> tuple[bool, Picture]:
        self._capture.grab()  # the buffered picture may be half a second old
        ok, picture = self._capture.read()
        return bool(ok), np.asarray(picture, np.uint8) if ok else np.zeros((1, 1, 3), np.uint8)

    async def close(self) -> None:
        self._capture.release()
