"""The rehearsal's camera file is read before the house is started: a wrong one ends the command at once, with a sentence."""

from pathlib import Path

import pytest

from device.rehearsal import __main__ as command
from device.rehearsal.stage import Stage

PICTURE = "not a picture, not a video\n"


class StartedError(Exception):
    """The rehearsal went past its arguments."""


@pytest.fixture(autouse=True)
def no_house(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_up(*_: object) -> Stage:
        raise StartedError

    monkeypatch.setattr(command, "set_up", set_up)
    monkeypatch.setattr(command, "clips_of", lambda options, voice: [])


@pytest.mark.parametrize(
    ("name", "sentence"), [("face.png", "is not a picture"), ("face.txt", "is not a video"), ("gone.png", "There is no")]
)
def test_camera_file_is_refused_when_it_cannot_be_seen(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, sentence: str) -> None:
    pytest.importorskip("cv2")
    if not name.startswith("gone"):
        (tmp_path / name).write_text(PICTURE)
    assert command.main(["--example", "--camera", str(tmp_path / name)]) == 65
    assert sentence in capfd.readouterr().err


def test_camera_file_is_accepted_when_it_is_a_picture(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    np = pytest.importorskip("numpy")
    cv2.imwrite(str(tmp_path / "face.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(StartedError):
        command.main(["--example", "--camera", str(tmp_path / "face.png")])
