"""Everything that can go wrong, as a tree: a code for machines, a sentence and a remedy for people.

BesideError                        exit code 1
├── ConfigError                    78  the configuration cannot be used (all mistakes at once)
├── BusError                       69  the bus cannot be reached or refused us
├── EngineError                    70  an engine or its model cannot be loaded or failed
├── DeviceError                    74  microphone, loudspeaker or camera missing, busy or broken
├── InputError                     65  a file or text from the user cannot be used
├── JournalError                   73  the journal cannot be opened or written
└── ProgramError                   70  a fault in Beside itself; the log names the place, never the words
"""

from typing import ClassVar


class BesideError(Exception):
    """`sentence` says what is wrong in plain words; `remedy` says what a caregiver or technician can do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, sentence: str, remedy: str = "") -> None:
        super().__init__(f"{sentence} {remedy}".strip())
        self.code = code  # kebab-case, stable: doctor and the state event carry it
        self.sentence = sentence
        self.remedy = remedy


class ConfigError(BesideError):
    exit_code = 78


class BusError(BesideError):
    exit_code = 69


class EngineError(BesideError):
    exit_code = 70


class DeviceError(BesideError):
    exit_code = 74


class InputError(BesideError):
    exit_code = 65


class JournalError(BesideError):
    exit_code = 73


class ProgramError(BesideError):
    exit_code = 70
