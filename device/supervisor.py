"""Talking to systemd: one datagram each (sd_notify), with the standard library alone."""

import logging
import os
import socket

log = logging.getLogger(__name__)

NOTIFY_S = 1.0


def notify_systemd(message: str) -> None:
    """`READY=1`, `WATCHDOG=1` or `STOPPING=1` to the supervisor; nothing happens where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.settimeout(NOTIFY_S)
        try:
            out.connect("\0" + address[1:] if address.startswith("@") else address)
            out.sendall(message.encode())
        except OSError as error:  # a supervisor that does not listen is no reason to stop helping the person
            log.warning("the supervisor could not be told %s (%s)", message.partition("=")[0], type(error).__name__)
