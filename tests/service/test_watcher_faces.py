"""The real face finder and network on real pictures, where the test data are beside the project."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera import open_camera
from device.config import ROOT, Config
from device.errors import EngineError, InputError
from services.watcher.faces import FaceReader
from services.watcher.mood import LABELS

MODEL = ROOT / Config().paths.models / "emotion_model_quantized.tflite"
FACES = ROOT.parent / "shared/data/faces"


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    return FaceReader(MODEL)


def test_an_empty_room_has_no_face(reader: FaceReader) -> None:
    room = np.full((480, 640, 3), 120, np.uint8)
    assert reader.read(room) == (0, None)


@pytest.mark.skipif(not FACES.is_dir(), reason="the face pictures are not beside the project")
@pytest.mark.parametrize(
    ("file", "label"), [("oar_posed_happy.jpg", "happy"), ("oar_posed_angry.jpg", "angry"), ("oar_posed_surprise.jpg", "surprised")]
)
def test_a_posed_face_is_read(reader: FaceReader, file: str, label: str) -> None:
    faces, shares = reader.read(cv2.imread(str(FACES / file)))
    assert faces == 1
    assert shares is not None
    assert LABELS[int(np.argmax(shares))] == label


@pytest.mark.skipif(not FACES.is_dir(), reason="the face pictures are not beside the project")
@pytest.mark.parametrize(
    ("file", "faces"), [("az_noface_dog.jpg", 0), ("az_noface_house.jpg", 0), ("pd_two_people.jpg", 2), ("az_faces.jpg", 6)]
)
def test_no_face_or_two_faces_give_no_mood(reader: FaceReader, file: str, faces: int) -> None:
    assert reader.read(cv2.imread(str(FACES / file))) == (faces, None)


def test_a_model_that_is_none_gets_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "model.tflite"
    broken.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"install\.sh"):
        FaceReader(broken)


def test_a_picture_that_is_none_gets_a_sentence(tmp_path: Path) -> None:
    text = tmp_path / "picture.png"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(InputError, match="JPEG or PNG"):
        open_camera(f"file:{text}")
    with pytest.raises(InputError, match="no picture"):
        open_camera(f"file:{tmp_path / 'none.png'}")
