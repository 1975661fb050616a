"""A rehearsal: a whole conversation in real time without hardware, through every real engine.

`air` is the room between loudspeaker and microphone, `person` the one at the bed, `conversation` lets them talk, and `report`
measures each turn from the true end of the person's speech.
"""
