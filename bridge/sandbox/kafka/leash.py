"""A script that becomes the given program, which the kernel kills when the process that started it dies.

So no JVM outlives a test run or a demo that was killed with -9. Linux only; elsewhere the program just runs, and ends
with every orderly end of its parent.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew of our wish
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - becoming the program is the point; no shell is involved
