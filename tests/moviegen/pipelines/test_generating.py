"""What `moviegen generate` does beside one file: aspects, cameras, rewriting, several seeds, resuming, the best of several."""

import json
import threading
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from moviegen.cli import main
from moviegen.contracts.clip import file_sha256
from moviegen.errors import UsageError
from moviegen.evaluation.cache import content_hash
from moviegen.models.text import read_by
from moviegen.pipelines.recipe import read_recipe
from moviegen.pipelines.rewrite import checked, load_rewriter, local_model, messages_for, rewriter
from moviegen.pipelines.scoring import best_of, describe_score, load_score
from moviegen.pipelines.video import VideoDefaults, VideoPipeline, schedule_t
from moviegen.testing.pairs import make_clip


def generate(model, *words: str) -> int:
    return main(["generate", "--model", str(model), *words])


def test_unless_told_it_is_the_paper_s_sampler():
    shape = VideoDefaults()
    assert (shape.num_inference_steps, shape.guidance_scale, shape.num_frames, shape.fps) == (
        50,
        7.5,
        256,
        Fraction(16),
    )
    grid = schedule_t("linear_quadratic", 50)
    assert torch.allclose(grid[:25], torch.arange(25) / 250)  # 50 steps that begin as 250 do [S §3.4.2]
    assert torch.allclose(schedule_t("linear", 4), torch.tensor([0, 0.25, 0.5, 0.75, 1]))
    with pytest.raises(UsageError, match="schedule linear"):
        schedule_t("linear_quadratic", 500)


def test_camera_words_rate_and_quoted_text_reach_their_encoders(video_model, tmp_path, monkeypatch):
    seen = []
    pipeline = VideoPipeline.from_pretrained(video_model)
    encode = type(pipeline.text_encoders[0]).encode
    monkeypatch.setattr(
        type(pipeline.text_encoders[0]),
        "encode",
        lambda self, texts, device="cpu": seen.extend(texts) or encode(self, texts, device),
    )
    words = ["--camera", "tracking shot.", "--fps", "24", "--output", str(tmp_path / "a.mp4")]
    assert generate(video_model, "--prompt", 'a sign says "OPEN"', *words) == 0
    assert seen == ['FPS-24. Tracking shot. a sign says "OPEN"', ""]
    assert read_by("quoted", seen) == ["OPEN", ""]  # what a character-level encoder is given of it
    assert read_recipe(tmp_path / "a.mp4").settings["fps"] == "24/1"


@pytest.mark.parametrize(("aspect", "size"), [("16:9", "48x32"), ("9:16", "32x48"), ("1:1", "32x32")])
def test_an_aspect_is_its_bucket_s_size_at_the_model_s_area(video_model, tmp_path, capsys, aspect, size):
    words = ["--prompt", "a", "--output", str(tmp_path / "a.mp4"), "--aspect", aspect, "--dry-run"]
    assert generate(video_model, *words) == 0
    assert f"10 frames, {size}," in capsys.readouterr().err


def test_several_videos_a_prompt_have_a_seed_each(video_model, tmp_path, capsys):
    words = ["--prompt", "a", "--output", str(tmp_path / "a.png"), "--num-videos-per-prompt", "3", "--seed", "5"]
    assert generate(video_model, *words) == 0
    paths = sorted(tmp_path.glob("*.png"))
    assert [path.name for path in paths] == [f"a_seed{seed}.png" for seed in (5, 6, 7)]
    assert [read_recipe(path).settings["seed"] for path in paths] == [5, 6, 7]
    assert len({path.read_bytes() for path in paths}) == 3


def test_a_stopped_run_goes_on_and_makes_nothing_twice(video_model, tmp_path, capsys):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("one\ntwo\nthree\n")
    words = ["--prompts-file", str(prompts), "--images", "--output", str(tmp_path / "out"), "--batch-size", "1"]
    assert generate(video_model, *words) == 0
    paths = sorted((tmp_path / "out").glob("*.png"))
    before = [path.read_bytes() for path in paths]
    capsys.readouterr()
    paths[1].write_bytes(before[1][:-9])  # half written by somebody else
    assert generate(video_model, *words) == 0
    said = capsys.readouterr()
    assert said.out == f"{paths[1]}\n"
    assert said.err.count("there already") == 2
    assert [path.read_bytes() for path in paths] == before
    assert generate(video_model, *words, "--guidance-scale", "2") == 0  # another recipe: all again
    assert len(capsys.readouterr().out.splitlines()) == 3


def brightness(frames, fps, prompt):
    """A score of one's own."""
    return float(frames.mean())


def test_the_best_of_several_is_kept_and_reproduced(video_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("moviegen.pipelines.scoring.brightness", brightness, raising=False)
    path, words = (
        tmp_path / "a.mp4",
        ["--best-of", "3", "--score", "moviegen.pipelines.scoring:brightness", "--batch-size", "2"],
    )
    assert generate(video_model, "--prompt", "a", "--output", str(path), "--seed", "7", *words) == 0
    pipeline = VideoPipeline.from_pretrained(video_model)
    means = [pipeline("a", seed=seed).frames.mean() for seed in (7, 8, 9)]
    settings = read_recipe(path).settings
    assert settings["seed"] == 7 + int(np.argmax(means))
    assert settings["scores"] == pytest.approx(means, abs=0.01)
    assert main(["reproduce", str(path), "--output", str(tmp_path / "b.mp4")]) == 0
    assert (tmp_path / "b.mp4").read_bytes() == path.read_bytes()
    capsys.readouterr()
    assert generate(video_model, "--prompt", "a", "--output", str(path), "--seed", "7", *words) == 0
    assert "there already" in capsys.readouterr().err


def test_a_recipe_names_the_judge_by_hash_and_file_name_and_does_without_it(video_model, tmp_path):
    path, judge = tmp_path / "a.png", tmp_path / "mean.pt"
    torch.jit.trace(_Mean(), torch.zeros(1, 3, 2, 4, 4)).save(str(judge))
    words = ("--best-of", "2", "--score", str(judge), "--num-inference-steps", "1")
    assert generate(video_model, "--prompt", "a", "--output", str(path), *words) == 0
    settings = read_recipe(path).settings
    assert settings["score"] == "mean.pt"
    assert settings["score_network"] == {"name": "mean.pt", "sha256": file_sha256(judge)}
    judge.unlink()
    assert main(["reproduce", str(path), "--output", str(tmp_path / "b.png")]) == 0
    assert describe_score("motion") == {"score": "motion"}
    named = describe_score(f"clip.alignment={video_model}")
    assert named["score"] == "clip.alignment"
    assert named["score_network"] == {"name": video_model.name, "sha256": content_hash(video_model)}


def test_scores_by_name_by_file_and_their_mistakes(tmp_path, monkeypatch):
    still, moving = np.zeros((4, 16, 16, 3), np.uint8), np.zeros((4, 16, 16, 3), np.uint8)
    moving[::2] = 200
    for name, better, worse in (("motion", moving, still), ("flicker", still, moving), ("frozen", moving, still)):
        score = load_score(name)
        assert score(better, Fraction(8), "") > score(worse, Fraction(8), "")
    patches = make_clip(0, frames=4)
    for name in ("flow", "flow_fastest"):
        assert load_score(name)(patches, Fraction(8), "") > load_score(name)(patches, Fraction(4), "") > 0
    monkeypatch.setattr("moviegen.evaluation.flow.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="--score flow: needs OpenCV"):
        load_score("flow")
    path = tmp_path / "mean.pt"
    torch.jit.trace(_Mean(), torch.zeros(1, 3, 2, 4, 4)).save(str(path))
    assert load_score(str(path))(moving, Fraction(8), "") == pytest.approx(100 / 255)
    assert best_of([float("nan"), 1.0, 3.0, 3.0]) == 2
    with pytest.raises(UsageError, match="wanted motion, flicker, frozen"):
        load_score("beauty")
    with pytest.raises(UsageError, match="no file"):
        load_score(str(tmp_path / "none.pt"))
    for name in ("clip.alignment", f"clip.alignment={tmp_path / 'none'}"):
        with pytest.raises(UsageError, match=r"wanted clip\.alignment=PATH, its network as --networks\.clip"):
            load_score(name)
    with pytest.raises(UsageError, match="an image has none"):
        load_score("motion")(still[:1], Fraction(1), "")
    with pytest.raises(UsageError, match="a number"):
        best_of([float("nan")])


class _Mean(torch.nn.Module):
    def forward(self, clip):
        return clip.mean()


class _Chat(BaseHTTPRequestHandler):
    """An endpoint that answers with the last message in capitals, after it was busy once."""

    asked: list = []  # noqa: RUF012

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        said = {
            "choices": [
                {"message": {"content": f"<think>hm</think>\nA long prompt about\n{body['messages'][-1]['content']}."}}
            ]
        }
        status, content = (503, b"busy") if len(self.asked) == 1 else (200, json.dumps(said).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def test_prompts_are_rewritten_by_a_chat_endpoint(video_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_Chat, "asked", [])
    monkeypatch.setattr("moviegen.pipelines.rewrite.time.sleep", lambda seconds: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Chat) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        words = ["--rewrite", url, "--rewrite-model", "some-llm", "--output", str(tmp_path / "a.png")]
        assert generate(video_model, "--prompt", 'a sign "OPEN"', *words) == 0
        server.shutdown()
    asked = _Chat.asked[-1]
    assert (asked["model"], asked["temperature"]) == ("some-llm", 0)
    assert asked["messages"] == messages_for('a sign "OPEN"')
    settings = read_recipe(tmp_path / "a.png").settings
    assert settings["prompt"] == 'A long prompt about a sign "OPEN".'
    assert (settings["original_prompt"], settings["rewritten_by"]) == ('a sign "OPEN"', "some-llm")
    assert (
        main(["reproduce", str(tmp_path / "a.png"), "--output", str(tmp_path / "b.png")]) == 0
    )  # without the endpoint


def test_an_answer_that_will_not_do_is_asked_for_again_and_never_hidden():
    answers = iter(["", 'A sign says "open" on a door.', 'A sign says "OPEN" on a door.'])
    assert rewriter(lambda messages: next(answers), "x")('sign "OPEN"') == 'A sign says "OPEN" on a door.'
    with pytest.raises(UsageError, match="lost the quoted 'OPEN'"):
        rewriter(lambda messages: "A sign.", "x")('sign "OPEN"')
    with pytest.raises(ValueError, match="has 401 words"):
        checked("a", "word " * 401)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--aspect", "2:1"], "--aspect 2:1: one of 16:9, 4:3, 1:1, 3:4, 9:16"),
        (["--aspect", "1:1", "--width", "32"], "either --aspect or --width"),
        (["--best_of", "3"], "--best_of N and --score NAME go together"),
        (["--best_of", "2", "--score", "beauty"], "--score 'beauty': wanted motion"),
        (["--num_inference_steps", "500"], "schedule linear"),
        (["--rewrite", "nowhere"], "wanted http://HOST:PORT/v1, or the folder"),
        (["--rewrite", "http://127.0.0.1:9/v1"], "wants --rewrite_model NAME"),
        (["--num_videos_per_prompt", "0"], "wanted at least 1"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(video_model, tmp_path, capsys, words, message):
    assert generate(video_model, "--prompt", "a", "--output", str(tmp_path / "a.mp4"), *words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory):
    """A causal model of bytes with random weights that has a chat template."""
    from transformers import ByT5Tokenizer, GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("chat")
    torch.manual_seed(0)
    GPT2LMHeadModel(
        GPT2Config(vocab_size=384, n_embd=16, n_layer=1, n_head=2, n_positions=8192, eos_token_id=1, bos_token_id=1)
    ).save_pretrained(folder)
    tokenizer = ByT5Tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
    tokenizer.save_pretrained(folder)
    return folder


def test_a_local_chat_model_is_asked_greedily(chat_model, monkeypatch):
    monkeypatch.setattr("moviegen.pipelines.rewrite.MAX_NEW_TOKENS", 8)
    ask = local_model(chat_model)
    messages = messages_for("a dog")
    assert ask(messages) == ask(messages)
    (chat_model / "chat_template.jinja").unlink(missing_ok=True)
    config = chat_model / "tokenizer_config.json"
    values = json.loads(config.read_text())
    values.pop("chat_template", None)
    config.write_text(json.dumps(values))
    with pytest.raises(UsageError, match="has no chat template"):
        local_model(chat_model)


def test_a_prompt_too_long_for_the_file_is_told_before_anything_is_made(video_model, tmp_path, capsys):
    assert generate(video_model, "--prompt", "x" * 70_000, "--output", str(tmp_path / "a.png")) == 2
    assert "the recipe does not fit into the file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nobody_at_the_endpoint_is_told(monkeypatch):
    monkeypatch.setattr("moviegen.pipelines.rewrite.time.sleep", lambda seconds: None)
    with pytest.raises(UsageError, match="is the server running"):
        load_rewriter("http://127.0.0.1:9/v1", "x")("a prompt")
