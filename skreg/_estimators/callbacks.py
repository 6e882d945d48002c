"""scikit-learn's callback API (1.9 and later), or nothing where it is missing."""

from contextlib import contextmanager

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:
        """Stands in for scikit-learn's; without the API there are no callbacks."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method

    HAVE_CALLBACKS = False
else:
    HAVE_CALLBACKS = True


class FitCallbacks:
    """The callbacks of one fit: one task per epoch (or iteration of lbfgs, or member).

    Parameters
    ----------
    estimator : estimator or None
        None: no callbacks.
    X, y, sample_weight
        What the user gave to fit; callbacks see these.
    max_iter : int
    snapshot : callable
        Returns the attributes that make a copy of the estimator predict as it would
        if training ended now.
    task_name : str
    """

    def __init__(
        self,
        estimator=None,
        X=None,
        y=None,
        sample_weight=None,
        *,
        max_iter=None,
        snapshot=None,
        task_name="epoch",
    ):
        if hasattr(estimator, "_given_by"):
            # the fit is that of a view, with values for "auto"
            view, of_network = estimator, snapshot
            estimator = view._given_by

            def snapshot():
                return view._learnt() | of_network()

        self.estimator = estimator
        self.task_name = task_name
        self.given = {
            "X": X,
            "y": y,
            "metadata": (
                None if sample_weight is None else {"sample_weight": sample_weight}
            ),
            "reconstruction_attributes": snapshot,
        }
        self.context = None
        if HAVE_CALLBACKS and estimator is not None:
            self.context = estimator._init_callback_context(max_subtasks=max_iter)

    @contextmanager
    def fit(self):
        """Around the whole fit."""
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.given)
        yield
        if self.context is not None:
            self.context.call_on_fit_task_end(estimator=self.estimator, **self.given)

    def epoch_begins(self):
        """Return the task of one epoch, for `epoch_ends`."""
        if self.context is None:
            return None
        return self.context.subcontext(task_name=self.task_name).call_on_fit_task_begin(
            estimator=self.estimator, **self.given
        )

    def epoch_ends(self, task):
        """Return whether a callback asks to stop."""
        if task is None:
            return False
        return task.call_on_fit_task_end(estimator=self.estimator, **self.given)


class EndFromOutside(FitCallbacks):
    """No callbacks, but an event that ends trainings which run at the same time.

    Ctrl-C reaches the main thread only; the others look at the event before each epoch.
    """

    def __init__(self, ended):
        super().__init__()
        self.ended = ended

    def epoch_begins(self):
        """Go on, or raise KeyboardInterrupt."""
        if self.ended.is_set():
            raise KeyboardInterrupt
