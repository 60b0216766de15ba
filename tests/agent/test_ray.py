"""A run on a local Ray cluster of two workers; skipped where ray is not installed."""

from pathlib import Path

import pytest

from instructedit_models.errors import BadParameterError
from tests.agent.test_batch import jobs, pictures, run  # noqa: F401 - `jobs` is a fixture
from tests.agent.tiny_worker import make

pytest.importorskip("ray")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_ray_workers_give_the_same_bytes(jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from agent.ray_workers import RayWorkers

    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    run(jobs, tmp_path / "here")
    summary = run(jobs, tmp_path / "ray", RayWorkers("local", 2, 1, make))
    assert summary.count("done") == 3
    assert pictures(tmp_path / "ray") == pictures(tmp_path / "here") != {}


def test_no_cluster_is_one_sentence(jobs: Path, tmp_path: Path) -> None:  # noqa: F811
    from agent.ray_workers import RayWorkers

    with pytest.raises(BadParameterError, match="There is no Ray cluster at '127.0.0.1:1'"):
        run(jobs, tmp_path / "out", RayWorkers("127.0.0.1:1", 2, 1, make))
