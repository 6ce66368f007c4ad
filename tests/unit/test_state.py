"""What a session remembers of the samples before."""

from __future__ import annotations

from benchlab.run.state import SessionState

from .conftest import make_sample, make_trial


def test_the_attempts_of_a_trial_are_counted_over_all_sittings_and_of_no_other_trial() -> None:
    again, other = make_trial(1, "a", "json", 16), make_trial(2, "a", "json", 16)
    state = SessionState([make_sample(again)])
    assert (state.next_attempt(again), state.next_attempt(other)) == (2, 1)
    state.add_sample(make_sample(again))
    assert (state.next_attempt(again), state.next_attempt(other)) == (3, 1)
