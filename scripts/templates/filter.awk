#!/usr/bin/env -S gawk -b -f
# SPDX-License-Identifier: MIT
# A whole filter in awk: ASCII letters to capitals. Copy it and change the last line.
#
# A filter reads lines "TAG tab TEXT" and writes such lines. The one rule that keeps it alive from
# file to file: print back every line that begins with "!", and flush. tagline(5) says the rest.
#
# This is gawk, and -b makes it work on bytes. mawk reads ahead until a block is full, so it would
# never see a control line that waits for its answer; mawk -W interactive reads line by line, but
# loses what stands behind a NUL, the newline included: use it only where there can be none.
#
# The text is everything behind the first tab, so this does not split at tabs inside it.
/^!/ { print; fflush(); next }
{ tab = index($0, "\t"); print substr($0, 1, tab) toupper(substr($0, tab + 1)) }
