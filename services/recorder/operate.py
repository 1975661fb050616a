"""The command line's voice on the bus, as the account "operator": asks the recorder and waits for its answer."""

from device.bus import Bus
from device.events import ConsentChanged, ConsentRequest, ForgetDone, ForgetRequest, SessionSealed


async def operate(
    bus: Bus[ForgetDone | ConsentChanged | SessionSealed, ForgetRequest | ConsentRequest], request: ForgetRequest | ConsentRequest
) -> ForgetDone | ConsentChanged:
    """The command line asks the recorder to forget or to keep a consent; returns its answer."""
    await bus.say(request)
    async for event in bus.hear():
        match event:
            case ForgetDone() if event.request == request.id:
                return event
            case ConsentChanged() if isinstance(request, ConsentRequest):
                if (event.camera if request.what == "camera" else event.keep_emotions) == request.given:
                    return event
    raise AssertionError("the bus never ends by itself")
