"""An ONNX model on one thread that never spins: a spinning thread beside the language model would slow both a hundredfold."""

from pathlib import Path
from typing import Any

from device.errors import EngineError


def open_session(path: Path, what: str, inputs: frozenset[str]) -> Any:
    """An onnxruntime session for `path`; EngineError when it is missing, cut off, or not the model that takes `inputs`."""
    import onnxruntime

    if not path.is_file():
        raise EngineError("model-missing", f"The model for {what} is missing ({path.name}).", "Fetch it with: beside models fetch")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # its own messages are for programmers; ours says what to do
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a family of classes without a public parent
        raise EngineError(
            "model-broken",
            f"The model for {what} cannot be read ({path.name}): cut off, or another kind of file.",
            "Fetch it again with: beside models fetch",
        ) from error
    if {entry.name for entry in session.get_inputs()} != inputs:
        raise EngineError("model-wrong", f"{path.name} is not a model for {what}.", "Fetch it again with: beside models fetch")
    return session
