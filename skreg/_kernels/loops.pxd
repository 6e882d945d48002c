"""The loops over the batches of a data set, as every thread of a team runs them.

There is one function per kind of pass: an epoch of training, the loss of all rows and
its gradient, the running averages of batch normalization, gradients by the inputs,
predictions. Each has two wrappers, for float and double, with the arguments that a team
passes.
"""

from libc.math cimport isfinite, pow
from libc.string cimport memcpy, memset

from skreg._kernels.adversarial cimport (
    Attack, attack_step, gradient_by_inputs, start_attack)
from skreg._kernels.backward cimport (
    Training, backward, begin_scales, begin_sparse_batch, clip_gradient, deltas,
    end_sparse_epoch, loss_and_delta, low_rank_gradients, step_from_gradient)
from skreg._kernels.batch_norm cimport Statistics
from skreg._kernels.dropout cimport Noise
from skreg._kernels.forward cimport begin_batch, forward
from skreg._kernels.input_scaling cimport scale_gradient
from skreg._kernels.losses cimport inverse_link
from skreg._kernels.rows cimport Rows, Selection
from skreg._kernels.signals cimport Watch, look_at_signals
from skreg._kernels.team cimport Share, Team, parts, share_of, wait_for_team
from skreg._kernels.types cimport Network, real
from skreg._kernels.workspace cimport Batch, Workspace

cdef struct Pass:
    # A loop over the batches of a data set, as all threads of its team see it.
    Network* net
    double operations             # operations of a batch, roughly
    bint watched                  # a batch may take long
    Watch watch
    Workspace* work               # one; for prediction one for each thread
    Rows* data
    Noise noise
    Py_ssize_t batch_size
    const Py_ssize_t* order       # order of the rows; NULL: not shuffled
    Training training
    Attack attack
    Py_ssize_t before             # steps taken by earlier epochs
    double norm_decay             # of the running averages; 1: means over all rows
    double gathered               # weight of the batches in the running averages
    Py_ssize_t statistics_size    # numbers in the running averages
    void* kept_statistics         # a copy of the running averages
    void* params
    void* gradient                # NULL: not wanted, or used for steps at once
    void* out                     # predictions
    bint raw                      # without the inverse link
    # results
    double total                  # sum of the losses


cdef inline bint next_batch(Pass* loop, Selection* batch) noexcept nogil:
    """Moves to the next batch; false after the last row."""
    batch.first += batch.rows
    batch.rows = min(loop.batch_size, loop.data.n - batch.first)
    return batch.rows > 0


cdef inline Py_ssize_t output_count(Network* net) noexcept nogil:
    return net.layers[net.n_layers - 1].n_out


cdef inline Batch new_batch(Pass* loop, Workspace* work, Team team) noexcept nogil:
    """A batch before the first row; `next_batch` moves it to the first rows."""
    cdef Watch* watch = &loop.watch
    if not loop.watched:
        watch = NULL
    return Batch(
        loop.net, loop.data, work, Selection(loop.order, 0, 0), loop.noise,
        Statistics(False, 0), team, watch)


cdef inline Statistics next_statistics(
    Pass* loop, Py_ssize_t rows, double* gathered
) noexcept nogil:
    """How a batch is normalised, and its weight in the running averages.

    A batch of fewer rows than the others has a smaller weight. The averages begin with
    the first batch: the weights are those of an exponential average over the batches
    seen so far, without zeros before the first.
    """
    cdef double share
    if rows == 1:
        return Statistics(True, 0)
    if loop.norm_decay == 1:
        gathered[0] += rows
        return Statistics(False, rows / gathered[0])
    share = 1 - pow(loop.norm_decay, rows / <double> loop.batch_size)
    gathered[0] += share * (1 - gathered[0])
    return Statistics(False, share / gathered[0])


cdef inline void keep_statistics(Pass* loop, Team team, const real* _) noexcept nogil:
    """Copies the running averages before a batch that may be dropped."""
    if loop.watched and team.thread == 0:
        memcpy(
            loop.kept_statistics, loop.work.norms[0].mean,
            loop.statistics_size * sizeof(real))


cdef inline void restore_statistics(
    Pass* loop, Team team, const real* _
) noexcept nogil:
    """Restores the running averages from before the batch."""
    if loop.work.norms != NULL and team.thread == 0:
        memcpy(
            loop.work.norms[0].mean, loop.kept_statistics,
            loop.statistics_size * sizeof(real))


cdef inline void train_epoch(Pass* loop, Team team, const real* _) noexcept nogil:
    """All batches of an epoch; run by every thread; see Engine.run_epoch."""
    cdef real* params = <real*> loop.params
    cdef Training training = loop.training
    cdef Batch batch = new_batch(loop, loop.work, team)
    cdef const real* inputs
    cdef Py_ssize_t input_stride = 0
    cdef double total = 0
    cdef double gathered = loop.gathered
    cdef double gathered_before = gathered
    cdef double loss
    begin_scales(params, &batch, &training)
    while next_batch(loop, &batch.selection):
        batch.noise.step = loop.before + training.step
        if loop.work.norms != NULL:
            gathered_before = gathered
            batch.statistics = next_statistics(loop, batch.selection.rows, &gathered)
            keep_statistics(loop, team, params)
        begin_sparse_batch(params, &batch, &training)
        inputs = begin_batch(&batch, &input_stride, params)
        # looked at here, because all threads wait for each other before they read the
        # result
        look_at_signals(&loop.watch, team, loop.operations)
        if loop.attack.n_steps > 0:
            loss = adversarial_batch(
                params, &loop.attack, &batch, inputs, input_stride, &training)
        else:
            loss = batch_gradient(
                params, &batch, inputs, input_stride, &training, 1.0, False)
        if loop.watched and loop.watch.interrupted:
            # an incomplete batch must not change anything
            gathered = gathered_before
            restore_statistics(loop, team, params)
            break
        total += loss
        if not isfinite(loss):
            break
        if training.whole:
            low_rank_gradients(
                params, &batch, &training, <real*> loop.work.gradient)
            clip_gradient(&batch, &training, <real*> loop.work.gradient)
            step_from_gradient(
                params, &batch, &training, <const real*> loop.work.gradient)
        training.step += 1
        if loop.watch.interrupted:
            break
    end_sparse_epoch(params, &batch, &training)
    if team.thread == 0:
        loop.training.step = training.step
        loop.gathered = gathered
        loop.total = total


cdef inline double batch_gradient(
    real* params, Batch* batch, const real* inputs, Py_ssize_t input_stride,
    Training* training, double share, bint accumulate,
) noexcept nogil:
    """Forward and backward of the batch: its loss, and steps or the whole gradient.

    share: the weight of these inputs' loss in the objective. A loss that is not finite
    ends the call before backward.
    """
    cdef Training storing = training[0]
    cdef double loss
    forward(params, batch, inputs, input_stride)
    loss = loss_and_delta(batch, share / batch.selection.rows, params)
    if not isfinite(loss):
        return loss
    if not training.whole:
        backward(params, batch, inputs, input_stride, training, <real*> NULL)
        return loss
    storing.optimizer = NULL
    storing.accumulate = accumulate
    backward(
        params, batch, inputs, input_stride, &storing, <real*> batch.work.gradient)
    return loss


cdef inline double adversarial_batch(
    real* params, Attack* attack, Batch* batch, const real* inputs,
    Py_ssize_t input_stride, Training* training,
) noexcept nogil:
    """`batch_gradient` for c * clean loss + (1 - c) * loss of adversarial examples.

    If the attack starts at the clean inputs, the backward pass of the clean loss gives
    the gradient of the first step. That pass then goes down to D_0, even if layers are
    frozen. Passes that only seek the perturbation do not change the running averages of
    batch normalization.
    """
    cdef Workspace* work = batch.work
    cdef const real* perturbed = <const real*> work.perturbed
    cdef Statistics statistics = batch.statistics
    cdef double clean = attack.clean_weight
    cdef double clean_loss = 0
    cdef double loss
    cdef Py_ssize_t step
    cdef bint has_gradient = clean > 0 and not attack.random_start
    cdef Training of_clean = training[0]
    if has_gradient:
        of_clean.lowest = 0
    if clean > 0:
        clean_loss = batch_gradient(
            params, batch, inputs, input_stride, &of_clean, clean, False)
        if not isfinite(clean_loss):
            return clean_loss
    start_attack(attack, batch, inputs, input_stride)
    wait_for_team(batch.team.size)
    for step in range(attack.n_steps):
        if step > 0 or not has_gradient:
            batch.statistics.rate = 0
            forward(params, batch, perturbed, work.input_stride)
            loss = loss_and_delta(batch, 1.0 / batch.selection.rows, params)
            if not isfinite(loss):
                batch.statistics = statistics
                return loss
            deltas(params, batch)
            batch.statistics = statistics
        attack_step(params, attack, batch, inputs, input_stride)
        wait_for_team(batch.team.size)
    loss = batch_gradient(
        params, batch, perturbed, work.input_stride, training, 1 - clean, clean > 0)
    return clean * clean_loss + (1 - clean) * loss


cdef inline void full_batch(Pass* loop, Team team, const real* _) noexcept nogil:
    """Loss of all rows and its gradient, summed over chunks; run by every thread."""
    cdef real* params = <real*> loop.params
    cdef real* gradient = <real*> loop.gradient
    cdef Training training = loop.training
    cdef Batch batch = new_batch(loop, loop.work, team)
    cdef const real* inputs
    cdef Py_ssize_t input_stride = 0
    cdef double total = 0
    while next_batch(loop, &batch.selection):
        batch.statistics = Statistics(batch.selection.rows == 1, 0)
        begin_sparse_batch(params, &batch, &training)
        inputs = begin_batch(&batch, &input_stride, params)
        forward(params, &batch, inputs, input_stride)
        total += loss_and_delta(&batch, 1.0 / loop.data.n, params)
        look_at_signals(&loop.watch, team, loop.operations)
        if gradient != NULL:
            training.accumulate = batch.selection.first > 0
            backward(params, &batch, inputs, input_stride, &training, gradient)
        wait_for_team(team.size)
        if loop.watch.interrupted:
            break
    if team.thread == 0:
        loop.total = total


cdef inline void gather_statistics(Pass* loop, Team team, const real* _) noexcept nogil:
    """The running averages become means over all rows; run by every thread."""
    cdef real* params = <real*> loop.params
    cdef Training nothing
    cdef Batch batch = new_batch(loop, loop.work, team)
    cdef const real* inputs
    cdef Py_ssize_t input_stride = 0
    cdef double gathered = 0
    memset(&nothing, 0, sizeof(nothing))
    while next_batch(loop, &batch.selection):
        batch.statistics = next_statistics(loop, batch.selection.rows, &gathered)
        begin_sparse_batch(params, &batch, &nothing)
        inputs = begin_batch(&batch, &input_stride, params)
        forward(params, &batch, inputs, input_stride)
        look_at_signals(&loop.watch, team, loop.operations)
        wait_for_team(team.size)
        if loop.watch.interrupted:
            break


cdef inline void input_gradients(Pass* loop, Team team, const real* _) noexcept nogil:
    """Writes dloss_i/dx_i of all rows, (n, n_features); run by every thread."""
    cdef real* params = <real*> loop.params
    cdef real* out = <real*> loop.gradient
    cdef Batch batch = new_batch(loop, loop.work, team)
    cdef const real* inputs
    cdef Py_ssize_t input_stride = 0
    while next_batch(loop, &batch.selection):
        inputs = begin_batch(&batch, &input_stride, params)
        forward(params, &batch, inputs, input_stride)
        loss_and_delta(&batch, 1.0, params)
        deltas(params, &batch)
        gradient_by_inputs(
            params, &batch, out + batch.selection.first * loop.data.n_features)
        unscale_gradient(
            &batch, inputs, input_stride,
            out + batch.selection.first * loop.data.n_features)
        look_at_signals(&loop.watch, team, loop.operations)
        wait_for_team(team.size)
        if loop.watch.interrupted:
            break


cdef inline void unscale_gradient(
    Batch* batch, const real* inputs, Py_ssize_t stride, real* gradient
) noexcept nogil:
    """The gradient by unscaled X, where the network scales X."""
    cdef Share rows
    if batch.work.scaling.centre == NULL:
        return
    wait_for_team(batch.team.size)
    rows = share_of(batch.team, batch.selection.rows)
    scale_gradient(
        &batch.work.scaling, batch.data.n_features, rows.first, rows.last, inputs,
        stride, gradient)


cdef inline void predict_rows(Pass* loop, Team team, const real* _) noexcept nogil:
    """Writes predictions (or raw outputs) of this thread's chunks, (n, n_outputs)."""
    cdef real* params = <real*> loop.params
    cdef real* out = <real*> loop.out
    cdef Workspace* work = &loop.work[team.thread]
    cdef Batch batch = new_batch(loop, work, Team(0, 1))
    cdef Py_ssize_t chunks = parts(loop.data.n, loop.batch_size)
    cdef Py_ssize_t n_outputs = output_count(loop.net)
    cdef const real* inputs
    cdef Py_ssize_t input_stride = 0
    cdef Py_ssize_t chunk, first, rows
    cdef real* f
    for chunk in range(
        chunks * team.thread // team.size, chunks * (team.thread + 1) // team.size
    ):
        first = chunk * loop.batch_size
        rows = min(loop.batch_size, loop.data.n - first)
        batch.selection = Selection(NULL, first, rows)
        inputs = begin_batch(&batch, &input_stride, params)
        forward(params, &batch, inputs, input_stride)
        f = <real*> work.outputs[loop.net.n_layers - 1]
        if not loop.raw:
            inverse_link(
                loop.net.loss, rows, n_outputs, f, <real*> work.scratch[0].rows)
        memcpy(out + first * n_outputs, f, rows * n_outputs * sizeof(real))
        look_at_signals(&loop.watch, team, loop.operations)
        if loop.watch.interrupted:
            break


# A team calls functions with these arguments.
cdef inline void train_f32(void* loop, int thread, int size) noexcept nogil:
    train_epoch(<Pass*> loop, Team(thread, size), <float*> NULL)

cdef inline void train_f64(void* loop, int thread, int size) noexcept nogil:
    train_epoch(<Pass*> loop, Team(thread, size), <double*> NULL)

cdef inline void full_batch_f32(void* loop, int thread, int size) noexcept nogil:
    full_batch(<Pass*> loop, Team(thread, size), <float*> NULL)

cdef inline void full_batch_f64(void* loop, int thread, int size) noexcept nogil:
    full_batch(<Pass*> loop, Team(thread, size), <double*> NULL)

cdef inline void statistics_f32(void* loop, int thread, int size) noexcept nogil:
    gather_statistics(<Pass*> loop, Team(thread, size), <float*> NULL)

cdef inline void statistics_f64(void* loop, int thread, int size) noexcept nogil:
    gather_statistics(<Pass*> loop, Team(thread, size), <double*> NULL)

cdef inline void input_gradients_f32(void* loop, int thread, int size) noexcept nogil:
    input_gradients(<Pass*> loop, Team(thread, size), <float*> NULL)

cdef inline void input_gradients_f64(void* loop, int thread, int size) noexcept nogil:
    input_gradients(<Pass*> loop, Team(thread, size), <double*> NULL)

cdef inline void predict_f32(void* loop, int thread, int size) noexcept nogil:
    predict_rows(<Pass*> loop, Team(thread, size), <float*> NULL)

cdef inline void predict_f64(void* loop, int thread, int size) noexcept nogil:
    predict_rows(<Pass*> loop, Team(thread, size), <double*> NULL)
