"""What a session remembers of the samples before."""

from __future__ import annotations

from dataclasses import replace

from benchlab.run.state import SessionState

from .conftest import make_counters, make_sample, make_trial


def test_the_attempts_of_a_trial_are_counted_over_all_sittings_and_of_no_other_trial() -> None:
    again, other = make_trial(1, "a", "json", 16), make_trial(2, "a", "json", 16)
    state = SessionState([make_sample(again)])
    assert (state.next_attempt(again), state.next_attempt(other)) == (2, 1)
    state.add_sample(make_sample(again))
    assert (state.next_attempt(again), state.next_attempt(other)) == (3, 1)


def test_a_slice_whose_cpu_time_is_not_known_does_not_hide_that_of_the_slices_around_it() -> None:
    known = make_counters()
    torn = replace(known, host=replace(known.host, busy_us=None, idle_us=None))
    state = SessionState()
    assert state.around(torn).outside_cpu_us is None
    state.around(known)
    assert state.around(torn).outside_cpu_us == known.outside_cpu_us
    assert state.around(known).outside_cpu_us == 2 * (known.outside_cpu_us or 0)
