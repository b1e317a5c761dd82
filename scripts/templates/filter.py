#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A whole filter in Python: numbers the lines of each file. Copy it and change the loop.

A filter reads lines "TAG tab TEXT" and writes such lines. The one rule that keeps it alive from
file to file: print back every line that begins with "!", and flush. tagline(5) says the rest.
Lines are bytes: they need not be text in any encoding.
"""
import sys

number = 0
out = sys.stdout.buffer
for line in sys.stdin.buffer:
    if line.startswith(b"!"):
        if line.startswith(b"!end "):
            # The file is over: print here what was held back, and forget what belongs to it.
            number = 0
        out.write(line)
        out.flush()
        continue
    tag, text = line.rstrip(b"\n").split(b"\t", 1)
    number += 1
    out.write(b"%s\t%d: %s\n" % (tag, number, text))
out.flush()
