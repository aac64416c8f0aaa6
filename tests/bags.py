"""Histories of bags that touch, overlap and repeat, for hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from twin import Row

hours = st.integers(0, 12).map(lambda n: 6.0 * n)
rates = st.sampled_from([0.5, 1.0, 1.5])
durations = st.sampled_from([6.0, 12.0, 24.0])
boluses = st.builds(Row, hours, st.just(7.0), evid=st.just(1))
others = st.builds(Row, hours, evid=st.sampled_from([0, 0, 2, 3]))


@st.composite
def bag(draw: st.DrawFn, *, with_steady_state: bool) -> Row:
    """An infusion whose neighbours often touch it, at a rate that often is theirs."""
    time, rate, duration = draw(hours), draw(rates), draw(durations)
    kinds = ["bag", "bag", "bag", "train", "anew"]
    kind = draw(st.sampled_from([*kinds, "steady", "constant"] if with_steady_state else kinds))
    row = Row(time, rate * duration, rate, 1)
    if kind == "train":
        return replace(row, ii=draw(durations), addl=draw(st.integers(1, 4)))
    if kind == "steady":
        return replace(row, ii=draw(durations), ss=draw(st.integers(1, 2)), addl=1)
    if kind == "constant":
        return replace(row, amt=0.0, ss=draw(st.integers(1, 2)))
    return replace(row, evid=4) if kind == "anew" else row


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.time)


def bags(*, with_steady_state: bool) -> st.SearchStrategy[list[Row]]:
    """Return bags, and now and then a bolus, a reset or a row without a dose, in order of time."""
    any_bag = bag(with_steady_state=with_steady_state)
    rows = st.one_of(any_bag, any_bag, others, boluses)
    return st.lists(rows, min_size=1, max_size=7).map(in_order)


def sampled_bags() -> st.SearchStrategy[list[Row]]:
    """Return bags without steady states among samples, half of them at the times of doses."""
    times = st.one_of(hours, hours.map(lambda t: t + 2.5))
    samples = st.lists(st.builds(Row, times), min_size=4, max_size=12)
    pairs = st.tuples(bags(with_steady_state=False), samples)
    first = Row(0.0, evid=2)
    return pairs.flatmap(lambda pair: st.permutations(pair[0] + pair[1])).map(
        lambda rows: [first, *in_order(rows)]
    )
