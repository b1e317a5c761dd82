#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""listener.py SOCKET NOTES QUEUE: the socket of a service manager. Each line of what it is told goes
to NOTES as "SECONDS LINE"; with READY=1, what the queue looks like at that moment, too."""
import os
import socket
import sys
import time


def files(folder):
    path = os.path.join(sys.argv[3], folder)
    return ",".join(sorted(os.listdir(path))) if os.path.isdir(path) else ""


def main():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(sys.argv[1])
    with open(sys.argv[2], "w", buffering=1) as notes:
        while True:
            text = listener.recv(4096).decode()
            now = time.clock_gettime(time.CLOCK_MONOTONIC)
            if text == "READY=1":
                text += "\njournal=%s output=%s" % (files(".tagline/journal"), files("output"))
            for line in text.split("\n"):
                notes.write("%.6f %s\n" % (now, line))


main()
