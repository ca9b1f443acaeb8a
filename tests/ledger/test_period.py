from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import LedgerError
from byline.ledger import Period, read_period


@pytest.mark.parametrize(
    ("name", "start", "end", "says"),
    [
        ("2026-10", date(2026, 10, 1), date(2026, 10, 31), "October 2026"),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "February 2024"),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31), "December 2026"),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31), "October to December 2026"),
        ("2026", date(2026, 1, 1), date(2026, 12, 31), "2026"),
    ],
)
def test_names_of_periods(name, start, end, says):
    period = read_period(name)
    assert (period.start, period.end, str(period)) == (start, end, says)
    assert Period.from_json(period.to_json()) == period


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.sampled_from(["2026-10", "2026-Q4", "2026"]))
def test_every_day_is_in_one_period_of_a_length(day, like):
    period = read_period(like).around(day)
    assert day in period and read_period(period.name) == period
    before, after = period.start - timedelta(1), period.end + timedelta(1)
    assert before not in period and after not in period
    assert period.around(before).end == before and period.around(after).start == after


@pytest.mark.parametrize(
    "name", ["", "2026-13", "2026-00", "2026-Q5", "26-10", "2026-1", "0000", "9999-12", "2026-10 ", "٢٠٢٦"]
)
def test_what_is_no_period(name):
    with pytest.raises(LedgerError) as fault:
        read_period(name)
    assert fault.value.code == "bad-period"
