"""`beside doctor`: one check a file, each with a code, a title, a sentence for the caregiver and the remedy.

A check is a function `look(config) -> Finding`. It must end within a few seconds, change nothing and never raise: what it
cannot find out is a finding too.
"""
