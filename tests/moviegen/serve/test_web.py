"""What the server takes from whom: uploads and no other files, known names and no others."""

import numpy as np
import pytest

from moviegen.media.write import write_video
from moviegen.serve.command import ServeConfig, host_names

pytest.importorskip("gradio", reason='no gradio: pip install "moviegen[serve]"')


@pytest.fixture
def client(service, tmp_path, monkeypatch):
    from starlette.testclient import TestClient

    from moviegen.serve.web import make_app

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    with TestClient(make_app(service, ["localhost", "films.example"]), base_url="http://127.0.0.1") as found:
        yield found


def upload_event(client) -> int:
    """Number of the event that takes a film for the upsampler."""
    config = client.get("/config").json()
    (field,) = [c["id"] for c in config["components"] if c["props"].get("elem_id") == "upload-upsample-video"]
    return next(each["id"] for each in config["dependencies"] if [field, "upload"] in each["targets"])


def test_a_file_is_taken_only_when_it_was_uploaded(client, service, tmp_path):
    film, number = tmp_path / "private.mp4", upload_event(client)
    write_video(film, [np.zeros((16, 16, 3), np.uint8)] * 3, 4)

    def send(path: str) -> int:
        data = [{"path": path, "meta": {"_type": "gradio.FileData"}, "url": f"http://127.0.0.1/gradio_api/file={path}"}]
        return client.post(
            "/gradio_api/run/predict", json={"fn_index": number, "data": data, "session_hash": "a"}
        ).status_code

    assert send(str(film)) >= 400
    for address in ("http://127.0.0.1:9/a.mp4", "HTTPS://films.example/a.mp4", "ftp://films.example/a.mp4"):
        assert send(address) == 400
    assert not (service.output / "inputs").exists()
    (path,) = client.post("/gradio_api/upload", files={"files": ("film.mp4", film.read_bytes())}).json()
    assert send(path) == 200
    (kept,) = (service.output / "inputs").iterdir()
    assert client.get(f"/inputs/{kept.name}").content == film.read_bytes()


def test_events_are_small(client):
    assert client.post("/gradio_api/run/predict", content=b" " * (5 << 20)).status_code == 413


def test_it_answers_to_addresses_and_known_names(client):
    for host, status in (
        ("localhost", 200), ("127.0.0.1:7860", 200), ("[::1]:7860", 200), ("192.168.0.7", 200), ("Films.example:80", 200),
        ("evil.example", 400), ("films.example.evil.example", 400), ("127.0.0.1.evil.example", 400), ("", 400), ("[", 400),
    ):  # fmt: skip
        assert client.get("/config", headers={"host": host}).status_code == status, host


def test_no_setting_lets_any_name_in(tmp_path):
    config = ServeConfig(host="0.0.0.0", open_to_network=True, allowed_hosts=("Films.example",))
    assert {"localhost", "films.example"} <= set(host_names(config))
    assert "*" not in host_names(config)
    with pytest.raises(ValueError, match="any host is none"):
        ServeConfig(allowed_hosts=("*",))
