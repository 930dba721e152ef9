"""From what was measured to how many machines a load needs: arithmetic, every assumption named."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What nobody measured.

    `peak`: joins a second in the busiest minute ÷ the hour's mean. `busy`: share of the CPU that is to be used then.
    `watchers`: people who watch behind each party that leaves a line. `watch_seconds`: how long each party watches.
    `notices`: per party. `fewest_machines`: of one installation, so that one may be lost and a majority is left.
    """

    peak: float = 3.0
    busy: float = 0.5
    cores_a_machine: int = 8
    fewest_machines: int = 3
    watchers: float = 10.0
    watch_seconds: float = 1200.0
    notices: float = 2.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a load needs. Rates are a second, in the busiest minute but for `mean`; `cells`: whole installations."""

    joins_an_hour: int
    mean: float
    peak: float
    cells: int
    saga_cores: float
    watch_cores: float
    machines: int
    log_mb: float
    broker_mb: float
    messages: float
    kept_gb_an_hour: float
    streams: float
    stream_gb: float
    notices: float


class Model:
    """One installation is what was measured; a larger load is shared by several, each with stores of its own."""

    def __init__(self, measured: Mapping[str, Any], assumed: Assumptions) -> None:
        self.measured, self.assumed = measured, assumed
        self._points: list[tuple[float, float]] = [(0.0, measured["idle_cores"])]
        self._points += [(load["rate"], load["rate"] * load["cpu_us"] / 1e6) for load in measured["loads"]]

    @property
    def cell_most(self) -> float:
        """Joins a second that one installation took."""
        return max(rate for rate, _ in self._points)

    @property
    def life_factor(self) -> float:
        """CPU of a whole life ÷ CPU of joining alone, at the rate at which lives were measured."""
        life = self.measured["life"]
        return float(life["cpu_us"] * life["rate"] / 1e6 / self.cores(life["rate"]))

    def cores(self, rate: float) -> float:
        """Cores that one installation uses at so many joins a second, straight between what was measured."""
        if not 0 <= rate <= self.cell_most:
            raise ValueError(f"{rate:g} joins a second in one installation: at most {self.cell_most:g} were measured")
        for (low, less), (high, more) in zip(self._points, self._points[1:], strict=False):
            if rate <= high:
                return less + (more - less) * (rate - low) / (high - low)
        raise AssertionError("unreachable")

    def need(self, joins_an_hour: int) -> Need:
        """What so many joins an hour need."""
        assumed, measured = self.assumed, self.measured
        mean = joins_an_hour / 3600
        peak = mean * assumed.peak
        cells = max(1, math.ceil(peak / self.cell_most))
        saga_cores = cells * self.cores(peak / cells) * self.life_factor
        watch_cores = mean * assumed.watchers * measured["watching"]["update_us"] / 1e6
        streams = mean * assumed.watch_seconds
        wanted = (saga_cores + watch_cores) / assumed.busy / assumed.cores_a_machine
        life = measured["life"]
        return Need(
            joins_an_hour,
            mean,
            peak,
            cells,
            saga_cores,
            watch_cores,
            max(cells * assumed.fewest_machines, math.ceil(wanted)),
            log_mb=peak * sum(life["log_bytes"].values()) / 1e6,
            broker_mb=peak * life["message_bytes"] / 1e6,
            # fewer at a higher rate, because more share one; this is what they were at 50 a second
            messages=peak * measured["saga"]["messages"],
            kept_gb_an_hour=joins_an_hour * sum(measured["kept"]["bytes"].values()) / 1e9,
            streams=streams,
            stream_gb=streams * measured["watching"]["stream_kb"] / 1e6,
            notices=peak * assumed.notices,
        )


def shipped() -> Model:
    """With the figures that came with the code."""
    return Model(json.loads(FILE.read_text("utf-8")), Assumptions())
