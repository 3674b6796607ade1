"""Tiny video-language models of random weights, of two families: they say nonsense, fast, and look at the frames."""

from pathlib import Path
from typing import Any

TEMPLATE = (
    "{{% for m in messages %}}{{{{ m['role'] }}}}: {{% for c in m['content'] %}}{{% if c['type'] == 'video' %}}{video}"
    "{{% else %}}{{{{ c['text'] }}}}{{% endif %}}{{% endfor %}}{{% endfor %}} assistant:"
)


def byte_tokenizer(image: str, video: str) -> Any:
    """A tokenizer of single bytes, with marks for pictures and videos."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = {f"{name}_token": f"<{name}>" for name in ("bos", "eos", "pad")}
    extra = {"image_token": image, "video_token": video}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, extra_special_tokens=extra, **marks)


def text_config(tokenizer: Any, width: int) -> dict:
    """A LLaMA of two layers."""
    from transformers import LlamaConfig

    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    return LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=32, num_hidden_layers=2, **heads
    ).to_dict()


def llava_next_video(tokenizer: Any) -> tuple[Any, Any]:
    """(model, processor) of a LLaVA-NeXT-Video."""
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


def perception_lm(tokenizer: Any) -> tuple[Any, Any]:
    """(model, processor) of a PerceptionLM; needs timm."""
    import transformers as t

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


FAMILIES = {"llava_next_video": llava_next_video, "perception_lm": perception_lm}


def save_tiny_vlm(folder: Path, family: str = "llava_next_video") -> Path:
    """A model and its processor in a folder, as `save_pretrained` writes them."""
    import torch

    torch.manual_seed(0)
    network, processor = FAMILIES[family](byte_tokenizer("<image>", "<video>"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4)  # random weights as drawn look at nothing
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
