"""How an invariant of money is tested: a few drawn examples in the quick suite, 500 in the slow one."""

import functools

import pytest
from hypothesis import given, settings

QUICK, SLOW = 12, 500


def invariant(*strategies, quick=QUICK):
    """A test of a property, run once per count of examples. It takes one argument per strategy."""

    def wrap(holds):
        @pytest.mark.parametrize(
            "examples", [pytest.param(quick, id="quick"), pytest.param(SLOW, id="slow", marks=pytest.mark.slow)]
        )
        def test(examples):
            settings(max_examples=examples, deadline=None)(given(*strategies)(holds))()

        functools.update_wrapper(test, holds, assigned=("__name__", "__doc__", "__module__"), updated=())
        del test.__wrapped__  # pytest would look for fixtures named as the property's arguments
        return test

    return wrap
