"""A fit by the values that "auto" stands for: ``_problem/automatic.py`` has them."""

from skreg._estimators.transaction import TrainingInterrupted


class TrainsAsAView:
    """Training by values of parameters that the user has left open."""

    def _with_values(self, values, call):
        """Train with values for the parameters that are "auto".

        Parameters
        ----------
        values : dict
        call : callable
            Of a view of the estimator that has these values; what it learns is taken
            over.

        Returns
        -------
        self : object
        """
        if not values:
            call(self)
            vars(self).pop("automatic_params_", None)
            return self
        view = object.__new__(type(self))
        before = dict(vars(self))
        vars(view).update(before, _given_by=self, automatic_params_=values, **values)
        try:
            call(view)
        except TrainingInterrupted as interrupt:
            self._take_over(view, before)
            interrupt.estimator = self
            raise
        self._take_over(view, before)
        return self

    def _take_over(self, view, before):
        """What a view has learnt, and forgotten."""
        for name in before.keys() - vars(view).keys():
            del vars(self)[name]
        vars(self).update(view._learnt())

    def _learnt(self):
        """All attributes but parameters, of a view."""
        given = {"_given_by", *self._get_param_names()}
        return {name: v for name, v in vars(self).items() if name not in given}
