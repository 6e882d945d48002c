"""Ctrl-C while a pass is at work: the first thread of a team looks for signals.

The first thread counts the operations of its blocks, and looks after every
OPERATIONS_PER_LOOK: after several small batches, or within a large batch. A batch that
may take long is watched. Once a signal's handler has raised, all threads skip the
remaining blocks of a watched batch, meet at the usual barriers, and drop what the batch
has computed. So the step of a watched batch must come after its whole gradient, see
`Training.whole`.
"""

from skreg._kernels.team cimport Team

cdef enum:
    # Floating-point operations between two looks: some hundredths of a second.
    OPERATIONS_PER_LOOK = 500_000_000
    # Operations of a batch from which on it is watched.
    WATCHED_OPERATIONS = 5_000_000_000

cdef extern from "Python.h":
    # declared without `except`: a thread of a team cannot raise; the team's caller does
    int PyErr_CheckSignals() noexcept

cdef struct Watch:
    double operations     # operations of the first thread since its last look
    bint interrupted      # a signal's handler raised


cdef inline void look_at_signals(
    Watch* watch, Team team, double operations
) noexcept nogil:
    """Counts `operations` of this thread, and looks for signals when due."""
    if team.thread > 0:
        return
    watch.operations += operations
    if watch.operations > OPERATIONS_PER_LOOK:
        watch.operations = 0
        with gil:
            if PyErr_CheckSignals() != 0:
                watch.interrupted = True


cdef inline bint is_stopped(Watch* watch, Team team, double operations) noexcept nogil:
    """Whether a block of `operations` must be skipped; watch NULL: never."""
    if watch == NULL:
        return False
    look_at_signals(watch, team, operations)
    return watch.interrupted
