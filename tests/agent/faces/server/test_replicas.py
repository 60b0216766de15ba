"""Two replicas behind Ray Serve over one workspace: any of them shows what another did."""

import socket
from pathlib import Path

import httpx
import pytest

pytest.importorskip("ray")
pytest.importorskip("aiohttp")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class TinyMaker:
    """Opens a replica's service on tiny models."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self):
        from tests.agent.service.tiny import open_service

        return open_service(self._folder, alone=False)


def test_two_replicas_share_conversations_and_the_queue(tmp_path: Path) -> None:
    import ray
    from ray import serve

    from agent.faces.door import Door
    from agent.faces.server.replicas import serve_replicas
    from tests.agent.service.tiny import picture

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=True, logging_level="ERROR")
    try:
        serve_replicas(TinyMaker(tmp_path), Door(port=port), 2, {"num_cpus": 0.5})
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            png = {"Content-Type": "image/png"}
            keys = [
                client.post("/v1/conversations", content=picture("red", "blue"), headers=png).json()["id"]
                for _ in range(8)
            ]
            jobs = [
                client.post(f"/v1/conversations/{key}/messages", json={"text": f"make the blue box {colour}"}).json()
                for colour in ("green", "yellow")
                for key in keys
            ]
            states = [client.get(f"{job['url']}?wait=30").json()["state"] for job in jobs]
            assert states == ["done"] * 16
            for key in keys:
                for _ in range(4):  # whichever replica answers
                    shown = client.get(f"/v1/conversations/{key}").json()
                    assert [one["kind"] for one in shown["messages"]][0] == "edit" and len(shown["messages"]) == 2
                    assert client.get(shown["versions"][1]["image_url"]).status_code == 200
        from agent.service.database import Database

        database = Database(tmp_path)
        workers = {row["worker"] for row in database.query("SELECT worker FROM jobs")}
        database.close()
        assert len(workers) == 2
    finally:
        serve.shutdown()
        ray.shutdown()
