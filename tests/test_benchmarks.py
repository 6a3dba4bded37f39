"""The benchmarks run, and say what they found. Nothing here asserts a time: a busy machine is no fault of the code."""

import json
import math
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from benchmarks.__main__ import parser, planned
from benchmarks._figures import Spread, percentile, ratios
from benchmarks._loops import LOOPS
from benchmarks._results import Key, Point, Results
from benchmarks._rounds import Plan, in_turn, sample_alone, sample_here, take
from benchmarks._subjects import floors_on, subjects
from benchmarks._table import lines
from benchmarks._targets import TARGETS, Target
from benchmarks.compare import compare
from benchmarks.measures import MEASURES
from benchmarks.measures.growth import CURVES
from benchmarks.peers import PEERS
from benchmarks.report import PAGE, filled
from benchmarks.stages._ours import OURS

ROOT = Path(__file__).parent.parent
HERE = [measure for measure in MEASURES if not measure.alone]
ALONE = [measure for measure in MEASURES if measure.alone]


def names(things):
    return [thing.name for thing in things]


def sound(measure, figures):
    """It gives just the figures that it announces; memory may shrink, time does not."""
    assert set(figures) == set(names(measure.figures))
    assert all(math.isfinite(value) for value in figures.values())
    assert all(figures[figure.name] > 0 for figure in measure.figures if figure.unit == "s")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("measure", HERE, ids=names(HERE))
def test_each_measure_works_for_everybody_on_each_loop(measure, loop):
    everybody = subjects(measure, loop)
    assert "bargein" in names(everybody)
    for subject in everybody:
        sound(measure, sample_here(measure, subject, loop, measure.smallest))


@pytest.mark.parametrize("measure", ALONE, ids=names(ALONE))
def test_what_is_weighed_is_measured_in_a_process_of_its_own(measure):
    sound(measure, sample_alone(measure, OURS["bargein"], "asyncio", measure.smallest))


@pytest.mark.parametrize("curve", CURVES, ids=[curve.measure.name for curve in CURVES])
def test_each_curve_has_a_point_at_its_beginning(curve):
    for subject in subjects(curve.measure, "asyncio"):
        sound(curve.measure, sample_here(curve.measure, subject, "asyncio", curve.sizes[0]))


def test_everybody_takes_a_sample_in_each_round_and_each_round_begins_with_another():
    measure = next(measure for measure in MEASURES if measure.name == "interrupt")
    results = take(Plan(measures=[measure], loops=["asyncio"], rounds=2, scale=0))
    assert {len(samples) for samples in results.samples.values()} == {2}
    assert {key.subject for key in results.samples} == {"floor", "scope", "bargein"}
    everybody = ["a", "b", "c"]
    assert [in_turn(everybody, number) for number in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


def test_each_bound_is_about_something_that_is_measured():
    figures = {figure.name: measure for measure in MEASURES for figure in measure.figures}
    for target in TARGETS:
        measure = figures[target.figure]
        for loop in target.loops:
            assert loop in measure.loops, target
            known = {*names(subjects(measure, loop)), *PEERS, None}
            assert {target.who, target.against} <= known, target


def test_the_floors_of_all_loops_are_of_the_same_kinds():
    kinds = {kind for measure in MEASURES for kind in measure.floors}
    assert kinds == set(floors_on("asyncio"))
    assert kinds - set(floors_on("trio")) == {"cancels"}  # trio has nothing below a scope to cancel with


@pytest.mark.parametrize(
    ("target", "found", "verdict"),
    [
        (Target("ask", ("asyncio",), 2, 1), 1, "then reached"),
        (Target("ask", ("asyncio",), 2, 1), 1.5, "must reached, then missed by 50%"),
        (Target("ask", ("asyncio",), 2, 1), 3, "misses must by 50%"),
        (Target("ask", ("asyncio",), 2), 2, "must reached"),
        (Target("ask", ("asyncio",), 2, at_least=True), 1, "misses must by 100%"),
        (Target("ask", ("asyncio",), 2, at_least=True), 2, "must reached"),
        (Target("ask", ("asyncio",), None, 2, at_least=True), 1, "misses then by 100%"),
    ],
)
def test_a_verdict_says_what_is_reached_and_by_how_much_the_rest_is_missed(target, found, verdict):
    assert target.verdict(found) == verdict


def test_a_ratio_is_taken_within_a_round_and_the_median_over_all():
    assert ratios([2, 30, 4], [1, 10, 2]) == [2, 3, 2]
    assert Spread.of([5, 1, 3]) == Spread(2, 3, 4)
    assert Spread.of([7]) == Spread(7, 7, 7)
    assert [percentile(range(1, 101), percent) for percent in (50, 99, 100)] == [50, 99, 100]


@pytest.fixture
def results():
    """A run in which bargein's ask took one and a half times as long as the floor's, and a peer's twice as long as bargein's."""
    results = Results(titles={"ask": "ask"}, units={"ask": "s"})
    for place in ("here", "xoscar"):
        results.samples[Key("ask", "asyncio", "floor", place)] = [1e-5, 2e-5, 1e-5]
        results.samples[Key("ask", "asyncio", "bargein", place)] = [1.5e-5, 3e-5, 1.5e-5]
    results.samples[Key("ask", "asyncio", "xoscar", "xoscar")] = [3e-5, 6e-5, 3e-5]
    results.growth = [Point("depth-ask", "bargein", size, 1e-5) for size in (1, 10, 100)]
    results.circumstances = {
        "machine": {"system": "Linux", "processor": "one", "cores": 2, "load": 0.1},
        "python": "CPython",
        "versions": {"anyio": "4"},
        "commit": "abc",
        "date": "today",
    }
    return results


def test_the_table_judges_ours_and_shows_of_other_environments_only_the_peer(results):
    told = [(line.subject, line.ratio.split()[:1], line.against, line.verdict) for line in lines(results)]
    assert told == [
        ("floor", [], "", ""),
        ("bargein", ["1.50"], "floor", "must reached, then missed by 25%"),
        ("bargein", ["2.00"], "xoscar", "misses must by 150%"),
        ("xoscar", ["2.00"], "bargein", ""),
    ]


def test_results_are_read_as_they_were_written(results, tmp_path):
    results.write(tmp_path / "new" / "results.json")
    assert Results.read(tmp_path / "new" / "results.json") == results
    document = json.loads((tmp_path / "new" / "results.json").read_text())
    (tmp_path / "other.json").write_text(json.dumps({**document, "format": 0}))
    with pytest.raises(ValueError, match="format 0"):
        Results.read(tmp_path / "other.json")


def test_a_comparison_says_what_a_change_did_to_the_ratios(results):
    faster = attrs.evolve(results, samples=dict(results.samples))
    faster.samples[Key("ask", "asyncio", "bargein")] = [1e-5, 2e-5, 1e-5]
    changes = {row[2:4]: row[-2:] for row in compare(results, faster)}
    assert changes["bargein", "floor"] == ("-33.3%", "faster")
    assert changes["xoscar", "bargein"] == ("+0.0%", "within the noise")


def test_the_page_has_a_place_for_each_table(results):
    page = filled(PAGE.read_text(encoding="utf-8"), results)
    assert page == filled(page, results)
    for part in (
        "| ask | asyncio | bargein | 15 µs | 1.50 (1.50-1.50) | floor | ≤ 1.6 | ≤ 1.2 | must reached, then missed by 25% |",
        "| ask | xoscar | 30 µs | 2.00 (2.00-2.00) |",
        "| depth-ask | bargein | 10 µs | 10 µs | 10 µs |",
        "commit abc, today.",
    ):
        assert part in page
    with pytest.raises(ValueError, match="no place for machine"):
        filled("", results)


def test_the_plots_are_drawn(results, tmp_path):
    pytest.importorskip("matplotlib", reason="comes with `make bench`")
    from benchmarks._plots import draw  # noqa: PLC0415 - see above

    drawn = draw(results, tmp_path)
    assert sorted(path.name for path in drawn) == ["growth-time.svg", "peers.svg", "targets.svg"]
    assert all("</svg>" in path.read_text(encoding="utf-8") for path in drawn)


def test_the_command_line_measures_what_it_is_asked_for(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--only", "tell", "--loops", "asyncio", "--peers", ""]
    options = ["--rounds", "1", "--scale", "0", "--json", str(tmp_path / "results.json")]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bargein" in done.stdout
    results = Results.read(tmp_path / "results.json")
    assert {(key.figure, key.loop) for key in results.samples} == {("tell", "asyncio")}
    assert {"date", "commit", "machine", "python", "versions"} <= set(results.circumstances)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [(["--only", "nothing"], "no measure"), (["--loops", "none"], "no event loop"), (["--peers", "none"], "no peer")],
)
def test_the_command_line_says_what_there_is_not(options, complaint):
    with pytest.raises(SystemExit, match=complaint):
        planned(parser().parse_args(options))
