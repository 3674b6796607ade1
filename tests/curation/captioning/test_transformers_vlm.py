"""The captioner on tiny models of random weights, built here: two families, the same way in."""

import numpy as np
import pytest

from curation.captioning import captioner_version, load_captioner
from moviegen.errors import UsageError

pytest.importorskip("transformers")
import torch

TEMPLATE = (
    "{{% for m in messages %}}{{{{ m['role'] }}}}: {{% for c in m['content'] %}}{{% if c['type'] == 'video' %}}{video}"
    "{{% else %}}{{{{ c['text'] }}}}{{% endif %}}{{% endfor %}}{{% endfor %}} assistant:"
)


def byte_tokenizer(image: str, video: str):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>",
        extra_special_tokens={"image_token": image, "video_token": video},
    )  # fmt: skip


def text_config(tokenizer, width: int) -> dict:
    from transformers import LlamaConfig

    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    return LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=32, num_hidden_layers=2, **heads
    ).to_dict()


def llava_next_video(tokenizer):
    import transformers as t

    vision = t.CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=28, patch_size=14
    )
    config = t.LlavaNextVideoConfig(
        vision_config=vision.to_dict(), text_config=text_config(tokenizer, 16) | {"model_type": "llama"},
        image_token_id=tokenizer.image_token_id, video_token_id=tokenizer.video_token_id,
        image_token_index=tokenizer.image_token_id, video_token_index=tokenizer.video_token_id,
        image_grid_pinpoints=[[28, 28]],
    )  # fmt: skip
    size = {"height": 28, "width": 28}
    processor = t.LlavaNextVideoProcessor(
        video_processor=t.LlavaNextVideoVideoProcessor(size=size, crop_size=size),
        image_processor=t.LlavaNextImageProcessor(
            size={"shortest_edge": 28}, crop_size=size, image_grid_pinpoints=[[28, 28]]
        ),
        tokenizer=tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TEMPLATE.format(video=tokenizer.video_token),
    )  # fmt: skip
    return t.LlavaNextVideoForConditionalGeneration(config), processor


def perception_lm(tokenizer):
    import transformers as t

    pytest.importorskip("timm")
    vision = {
        "model_type": "timm_wrapper", "architecture": "vit_pe_lang_large_patch14_448", "do_pooling": False,
        "model_args": {
            "embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": [28, 28], "ref_feat_shape": [2, 2],
            "global_pool": "", "use_post_transformer_norm": False, "init_values": 0.1,
        },
    }  # fmt: skip
    config = t.PerceptionLMConfig(
        vision_config=vision, text_config=text_config(tokenizer, 32), vision_use_cls_token=True,
        projector_pooling_ratio=1, image_token_id=tokenizer.image_token_id, video_token_id=tokenizer.video_token_id,
    )  # fmt: skip
    processor = t.PerceptionLMProcessor(
        video_processor=t.PerceptionLMVideoProcessor(size={"height": 28, "width": 28}),
        image_processor=t.PerceptionLMImageProcessor(tile_size=28, max_num_tiles=1),
        tokenizer=tokenizer, patch_size=14, pooling_ratio=1, chat_template=TEMPLATE.format(video=tokenizer.video_token),
    )  # fmt: skip
    return t.PerceptionLMForConditionalGeneration(config), processor


@pytest.mark.parametrize("build", [llava_next_video, perception_lm])
def test_frames_go_in_and_a_text_comes_out(build, tmp_path, clip_input):
    torch.manual_seed(0)
    network, processor = build(byte_tokenizer("<image>", "<video>"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4)  # random weights as drawn look at nothing
    network.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    captioner = load_captioner("transformers_vlm", {"model": str(tmp_path), "max_new_tokens": 12, "num_frames": 4})
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (40, 60, 3), dtype=np.uint8) for _ in captioner.frames.indices(48)]
    assert len(frames) == 4
    caption = captioner.caption(clip_input(frames=frames))
    assert caption.text
    assert caption == captioner.caption(clip_input(frames=frames)), "greedy answers do not change"
    others = [[255 - f for f in frames], [f // 4 for f in frames], [np.full_like(f, 255) for f in frames]]
    assert {captioner.ask(other) for other in others} != {caption.text}, "the model looks at the frames"


def test_the_version_follows_the_weights_not_the_folder(tmp_path):
    versions = []
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(content)
        versions.append(captioner_version(load_captioner("transformers_vlm", {"model": str(tmp_path / name)})))
    assert versions[0] == versions[1] != versions[2]


def test_refusals_say_what_to_put_where(tmp_path):
    with pytest.raises(UsageError, match=r"no config\.json in .*Put a model there"):
        load_captioner("transformers_vlm", {"model": str(tmp_path)})
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_captioner("transformers_vlm", {"model": str(tmp_path)}).ask([np.zeros((8, 8, 3), np.uint8)])
