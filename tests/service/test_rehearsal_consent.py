"""The rehearsal asks the recorder for its consents, and says so when nobody answers."""

from typing import Any

import pytest

from device.errors import BusError
from device.rehearsal.conversation import agree


async def test_consent_is_missed_in_words_when_the_recorder_is_silent(broker: Any) -> None:
    with pytest.raises(BusError, match="The recorder has not answered"):
        await agree(broker.account("operator"), limit_s=0.3)
