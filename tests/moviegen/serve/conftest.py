"""A service with tiny models."""

import pytest

from moviegen.serve.jobs import JobQueue
from moviegen.serve.pool import ModelPool
from moviegen.serve.service import Service
from moviegen.serve.uploads import UploadLimits
from moviegen.testing.tiny_products import tiny_soundtrack, tiny_t2v, tiny_upsampler


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder of runs with three finished models, and one that is not."""
    folder = tmp_path_factory.mktemp("runs")
    tiny_t2v().save_pretrained(folder / "04_t2v" / "model")
    tiny_t2v(seed=1).save_pretrained(folder / "03_t2i" / "model")
    tiny_soundtrack().save_pretrained(folder / "audio" / "model")
    tiny_upsampler().save_pretrained(folder / "upsampler" / "model")
    (folder / "edit" / "model").mkdir(parents=True)
    return folder


@pytest.fixture
def service(runs, tmp_path):
    """A service that writes into a folder of its own."""
    models = {
        "model": runs / "04_t2v/model",
        "audio_model": runs / "audio/model",
        "upsampler": runs / "upsampler/model",
    }
    queue = JobQueue(max_waiting=4)
    service = Service(models, tmp_path / "out", "cpu", UploadLimits(max_mb=2, max_s=20), queue, ModelPool(2))
    yield service
    service.close()
