"""The workshop: where Beside's own small language model is made. Nothing here runs on the device."""
