"""The journal's history, append-only: a migration that has left this house is never changed, only followed by the next one.

A migration is a tuple of SQL statements; number n takes a journal from version n-1 to n, in one transaction.
"""

from device.migrations import m001_facts

MIGRATIONS: tuple[tuple[str, ...], ...] = (m001_facts.STATEMENTS,)
