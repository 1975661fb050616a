"""The watcher as a process: `python -m services.watcher`."""

from functools import partial

from device import lifecycle
from device.camera import open_camera
from device.lifecycle import Life
from services.watcher.faces import FaceReader
from services.watcher.service import watch


async def wire(life: Life) -> None:
    config = life.config.watcher
    reader = FaceReader(life.config.paths.models / "emotion_model_quantized.tflite")
    async with life.bus(watch) as bus:
        await life.ready(bus)
        await watch(bus, None if config.camera == "off" else partial(open_camera, config.camera), reader, config, life)


if __name__ == "__main__":
    lifecycle.main("watcher", wire)
