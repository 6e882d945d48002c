"""Ctrl-C while a pass is at work: the first thread of a team looks for signals.

It looks each time that some operations have been done, which its blocks of work count:
small batches together, large ones within. A batch that may take long is watched: once a
signal's handler has raised, all threads leave out the blocks that are left, meet as
ever, and then drop what the batch has computed. So its step must come after all of its
gradient, see `Training.whole`.
"""

from skreg._kernels.team cimport Team

cdef enum:
    # Floating-point operations between two looks: some hundredths of a second.
    OPERATIONS_PER_LOOK = 500_000_000
    # Of a batch that is watched.
    WATCHED_OPERATIONS = 5_000_000_000

cdef extern from "Python.h":
    # declared without `except`: a team's thread cannot raise, its caller does
    int PyErr_CheckSignals() noexcept

cdef struct Watch:
    double operations     # of the first thread, since its last look
    bint interrupted      # a signal's handler raised


cdef inline void look_at_signals(
    Watch* watch, Team team, double operations
) noexcept nogil:
    """Lets Ctrl-C through, after so many more operations of this thread."""
    if team.thread > 0:
        return
    watch.operations += operations
    if watch.operations > OPERATIONS_PER_LOOK:
        watch.operations = 0
        with gil:
            if PyErr_CheckSignals() != 0:
                watch.interrupted = True


cdef inline bint is_stopped(Watch* watch, Team team, double operations) noexcept nogil:
    """Whether a block of so many operations is to be left out; NULL: never."""
    if watch == NULL:
        return False
    look_at_signals(watch, team, operations)
    return watch.interrupted
