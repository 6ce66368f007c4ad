"""Effects of factors: held against a linear model, simulated, and taken from runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as models
from statsmodels.stats.multitest import multipletests

from benchlab.cli.factors import refusing
from benchlab.core.errors import UsageError
from benchlab.load.metrics import PER_CPU, RATE, Better, Metric
from benchlab.records.plan import QUERIES, Level, LevelKey, Manifest, Trial
from benchlab.records.run import Decision, Run, Sample
from benchlab.report.factors import why_left_out
from benchlab.statistics import effects
from benchlab.statistics.analysis import ALL_LEVELS, Scope
from benchlab.statistics.comparison import Outcome, decide
from benchlab.statistics.effects import EstimatedEffect, LeftOut
from benchlab.statistics.factorial import FactorialDesign, cross
from benchlab.statistics.stats import contrasts

from .conftest import LABELS, STARTED, make_load, make_sample
from .values import Array, at, cells, known, plausible

FACTORS = {"orm": ("full", "raw"), "framework": ("a", "b"), "server": ("one", "two", "three")}


def _factorial_design(*names: str) -> FactorialDesign:
    """Return a complete design of these factors, whose entries are called a, b, c, …"""
    choices = product(*(FACTORS[name] for name in names))
    return cross({chr(ord("a") + n): dict(zip(names, cell, strict=True)) for n, cell in enumerate(choices)})


def _ratios(design: FactorialDesign, logs: Array) -> dict[tuple[str, str], Any]:
    weights = {effect.names: effect.weights for effect in design.effects}
    return {(ratio.first, ratio.second): ratio for ratio in contrasts({at(16): cells(logs)}, weights)}


def _model(design: FactorialDesign, logs: Array) -> Any:
    """Return the linear model of the logarithms: every factor, all that they do together, and each block on its own."""
    rows = [
        {"log": logs[row, block], "block": block, **dict(zip(design.factors, cell, strict=True))}
        for row, cell in enumerate(design.filled)
        for block in range(logs.shape[1])
    ]
    coded = " * ".join(f"C({name}, Treatment({levels[0]!r}))" for name, levels in design.factors.items())
    return models.ols(f"log ~ C(block) + {coded}", pd.DataFrame(rows)).fit()


def _cell_means(design: FactorialDesign, fitted: Any) -> dict[tuple[str, ...], float]:
    """Return what the model expects of each cell in the first block."""
    frame = pd.DataFrame([{"block": 0, **dict(zip(design.factors, cell, strict=True))} for cell in design.filled])
    return dict(zip(design.filled, fitted.predict(frame), strict=True))


def _averaged(design: FactorialDesign, means: Mapping[tuple[str, ...], float], **fixed: str) -> float:
    """Return the mean over all cells that have these levels."""
    chosen = [
        mean for cell, mean in means.items() if fixed.items() <= dict(zip(design.factors, cell, strict=True)).items()
    ]
    return float(np.mean(chosen))


@pytest.mark.parametrize("names", [("orm", "framework"), ("orm", "server"), ("orm", "framework", "server")])
def test_effects_and_interactions_are_those_of_a_linear_model_with_a_level_for_each_block(
    names: tuple[str, ...],
) -> None:
    design = _factorial_design(*names)
    rng = np.random.default_rng(len(names))
    logs = rng.normal(0, 0.3, (len(design.filled), 1)) + rng.normal(0, 0.2, (1, 5))
    logs = logs + rng.normal(0, 0.02, (len(design.filled), 5))
    means = _cell_means(design, _model(design, logs))
    expected = {}
    for effect in design.effects:
        # An effect is a difference of averages over cells, an interaction a difference of such differences.
        expected[effect.names] = sum(
            (-1) ** sum(not made for made in choice)
            * _averaged(
                design,
                means,
                **{
                    change.factor: change.level if made else change.reference
                    for change, made in zip(effect.changes, choice, strict=True)
                },
            )
            for choice in product((True, False), repeat=len(effect.changes))
        )
    found = {key: math.log(ratio.ratio) for key, ratio in _ratios(design, logs).items()}
    assert found == pytest.approx(expected)


def test_two_levels_of_two_factors_are_the_coefficients_of_the_model() -> None:
    design = _factorial_design("orm", "framework")
    logs = np.random.default_rng(8).normal([[0.0], [0.1], [1.0], [1.5]], 0.03, (4, 8))
    fitted = _model(design, logs).params
    raw, b = "C(orm, Treatment('full'))[T.raw]", "C(framework, Treatment('a'))[T.b]"
    together = fitted[f"{raw}:{b}"]
    found = [math.log(ratio.ratio) for ratio in _ratios(design, logs).values()]
    assert found == pytest.approx([fitted[raw] + together / 2, fitted[b] + together / 2, together])


def test_the_intervals_hold_the_true_effects_in_95_of_100_runs_whatever_blocks_and_cells_are_like() -> None:
    runs, blocks = 600, 8
    design = _factorial_design("orm", "server")
    rng = np.random.default_rng(600)
    truth = rng.normal(0, 0.5, (6, 1))
    # Blocks that move by 20 %, and cells that are unlike in their spread.
    noise = (
        rng.normal(0, 0.2, (runs, 1, blocks))
        + rng.normal(0, 1, (runs, 6, blocks)) * np.linspace(0.01, 0.06, 6)[:, None]
    )
    exact = {key: ratio.ratio for key, ratio in _ratios(design, np.repeat(truth, 2, axis=1)).items()}
    held = dict.fromkeys(exact, 0)
    for logs in truth + noise:
        for key, ratio in _ratios(design, logs).items():
            held[key] += known(ratio.low) <= exact[key] <= known(ratio.high)
    assert len(held) == 1 + 2 + 2
    assert all(count in plausible(runs, 0.95) for count in held.values()), held


def test_where_no_factor_does_anything_five_runs_in_a_hundred_tell_of_one_at_most() -> None:
    runs, design = 1000, _factorial_design("orm", "framework")
    rng = np.random.default_rng(1000)
    wrong = 0
    for _ in range(runs):
        logs = rng.normal(0, 0.2, (1, 6)) + rng.normal(0, 0.03, (4, 6))
        pairs = decide(tuple(_ratios(design, logs).values()), Better.HIGHER)
        wrong += any(pair.outcome in (Outcome.FASTER, Outcome.SLOWER) for pair in pairs)
    assert 0 < wrong < plausible(runs, 0.05).stop


# Requests a second of four entries: raw SQL doubles what the ORM gives, b gives 1.5 times what a does, and both
# together give 1.2 times their product.
TRUE = {"a-full": 1000.0, "a-raw": 2000.0, "b-full": 1500.0, "b-raw": 3600.0}
ENTRIES = {name: LABELS | {"framework": name[0], "orm": name[2:]} for name in TRUE}


def _manifest(manifest: Manifest) -> Manifest:
    settings = replace(manifest.settings, levels={"query": (1, 20)})
    return replace(manifest, entries=ENTRIES, settings=settings)


def _samples(
    blocks: int = 6, levels: Iterable[int] = (1, 20), noise: float = 0.01, names: Iterable[str] = TRUE
) -> tuple[Sample, ...]:
    """Return samples of the true rates, less at N=20, with noise; and blocks that are as slow as chance has it."""
    rng = np.random.default_rng(blocks)
    slow = rng.normal(0, 0.3, blocks)
    return tuple(
        make_sample(
            Trial(block, name, "query", Level(128, 2, queries=n)),
            make_load(round(TRUE[name] / n * 1000 * math.exp(slow[block - 1] + rng.normal(0, noise))), 1_000_000_000),
        )
        for block in range(1, blocks + 1)
        for name in names
        for n in levels
    )


ONE, TWENTY = (LevelKey(queries, QUERIES) for queries in (1, 20))


def _of(effects_of: Iterable[EstimatedEffect], level: Scope, metric: Metric = RATE) -> list[EstimatedEffect]:
    return [each for each in effects_of if (each.level, each.metric) == (level, metric)]


def test_a_run_tells_of_each_level_and_of_all_in_both_metrics(manifest: Manifest) -> None:
    answer = effects.analyse(Run(_manifest(manifest), _samples(), ()))
    assert {(effect.level, effect.metric) for effect in answer.effects} == set(
        product((ONE, TWENTY, ALL_LEVELS), (RATE, PER_CPU))
    )
    for level in (ONE, TWENTY, ALL_LEVELS):
        found = _of(answer.effects, level)
        assert [effect.pair.ratio.ratio for effect in found] == pytest.approx(
            [2 * math.sqrt(1.2), 1.5 * math.sqrt(1.2), 1.2], rel=0.03
        )
        assert [effect.pair.outcome for effect in found] == [Outcome.FASTER] * 3
        corrected = multipletests([effect.pair.ratio.p for effect in found], method="holm")[1]
        assert [effect.pair.adjusted_p for effect in found] == pytest.approx(corrected.tolist())


def test_an_entry_without_samples_of_a_test_leaves_what_the_others_tell(manifest: Manifest) -> None:
    answer = effects.analyse(Run(_manifest(manifest), _samples(names=["a-full", "a-raw", "b-full"]), ()))
    assert [(each.effect.names, each.effect.weights) for each in _of(answer.effects, TWENTY)] == [
        (("orm raw", "orm full"), {"a-raw": 1.0, "a-full": -1.0}),
        (("framework b", "framework a"), {"b-full": 1.0, "a-full": -1.0}),
    ]
    assert answer.left_out == {"query": (LeftOut("b-raw"),)}


def test_what_wrk_was_the_limit_of_has_no_part_in_an_effect_at_that_level(manifest: Manifest) -> None:
    bound = tuple(
        replace(sample, counters=replace(sample.counters, roles=sample.counters.roles | _busy_client(sample)))
        if (sample.trial.entry, sample.trial.level.queries) == ("b-raw", 1)
        else sample
        for sample in _samples()
    )
    answer = effects.analyse(Run(_manifest(manifest), bound, ()))
    assert _of(answer.effects, ONE) == []
    assert len(_of(answer.effects, TWENTY)) == len(_of(answer.effects, ALL_LEVELS)) == 3
    assert [why_left_out(part) for part in answer.left_out["query"]] == ["wrk was the limit of b-raw at 1"]


def _busy_client(sample: Sample) -> dict[str, Any]:
    usage = sample.counters.roles["client"]
    return {"client": replace(usage, cpu_us=2 * sample.load.duration_us)}


def test_where_a_pilot_decided_the_number_of_blocks_the_wider_interval_counts(manifest: Manifest) -> None:
    # The pilot is noisier than what follows.
    pilot, rest = _samples(3, noise=0.2), _samples(9, noise=0.001)
    samples = (*pilot, *(sample for sample in rest if sample.trial.block > 3))
    plain, staged = (
        _of(effects.analyse(Run(_manifest(manifest), samples, (), decision)).effects, TWENTY)[0].pair.ratio
        for decision in (None, Decision(STARTED, 3, 9, 9, "spread"))
    )
    assert staged.ratio == plain.ratio
    assert known(staged.high) > known(plain.high)


def test_a_run_may_be_asked_of_some_of_its_entries_and_of_one_factor(manifest: Manifest) -> None:
    run = Run(_manifest(manifest), _samples(), ())
    answer = effects.analyse(run, ["orm=raw"], ["a-full", "a-raw"])
    (effect,) = _of(answer.effects, TWENTY)
    assert effect.effect.names == ("orm full", "orm raw")
    assert effect.pair.ratio.ratio == pytest.approx(0.5, rel=0.03)
    with pytest.raises(UsageError, match="has no entry c; there is a-full, a-raw, b-full, b-raw"), refusing():
        effects.analyse(run, [], ["c"])
