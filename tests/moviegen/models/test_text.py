"""Text encoders: bytes as ByT5 has them, padding without effect, and the transformers library behind the same interface."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.errors import UsageError
from moviegen.models.text import (
    ByteTextEncoder,
    ByteTextEncoderConfig,
    ByteTokenizer,
    TextContext,
    TextEncoder,
    TransformersTextEncoder,
    concatenate_contexts,
)

TINY = ByteTextEncoderConfig(dim=16, num_layers=2, num_heads=2, ffn_dim=24, max_length=40)
TEXTS = ["a red circle moves left", "", 'a sign: "été"', "日本"]


@pytest.fixture(scope="module")
def encoder() -> ByteTextEncoder:
    torch.manual_seed(0)
    return ByteTextEncoder(TINY).eval()


@settings(deadline=None)
@given(st.text(max_size=60))
def test_decoding_undoes_encoding(text):
    tokenizer = ByteTokenizer(1000)
    ids, mask = tokenizer.encode([text])
    assert mask.all()
    assert tokenizer.decode(ids[0].tolist()) == text


def test_ids_are_byt5_s():
    from transformers import ByT5Tokenizer

    theirs = ByT5Tokenizer()(TEXTS, padding=True, truncation=True, max_length=12, return_tensors="pt")
    ids, mask = ByteTokenizer(12).encode(TEXTS)
    assert torch.equal(ids, theirs.input_ids)
    assert torch.equal(mask, theirs.attention_mask.bool())


@torch.no_grad()
def test_what_is_beside_a_text_in_the_batch_changes_nothing(encoder):
    together = encoder.encode(TEXTS)
    assert together.features.shape == (4, 24, 16)
    for row, text in enumerate(TEXTS):
        alone = encoder.encode([text])
        length = alone.mask.shape[1]
        torch.testing.assert_close(together.features[row, :length], alone.features[0], rtol=1e-4, atol=1e-5)
        assert together.mask[row].sum() == length


@torch.no_grad()
def test_order_and_letters_matter(encoder):
    a, b, c = encoder.encode(["left red", "red left", "left rad"]).features
    assert (a - b).abs().max() > 1e-2
    assert (a - c).abs().max() > 1e-2


@torch.no_grad()
def test_no_text_is_one_token_and_long_text_is_cut(encoder):
    assert encoder.encode([""]).mask.tolist() == [[True]]
    assert encoder.encode(["x" * 500]).mask.shape == (1, TINY.max_length)


@torch.no_grad()
def test_the_quoted_role_reads_only_what_is_quoted():
    torch.manual_seed(0)
    model = ByteTextEncoder(ByteTextEncoderConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24, role="quoted")).eval()
    first = model.encode(['a sign that says "open"'])
    torch.testing.assert_close(first.features, model.encode(['"open" on a door']).features)
    assert model.encode(["no sign"]).mask.tolist() == [[True]]


def test_contexts_of_different_length_join():
    first = TextContext(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    second = TextContext(torch.ones(1, 5, 4), torch.ones(1, 5, dtype=torch.bool))
    for joined, real in (
        (concatenate_contexts(first, second), [3, 3, 5]),
        (concatenate_contexts(second, first), [5, 3, 3]),
    ):
        assert joined.features.shape == (3, 5, 4)
        assert joined.mask.sum(1).tolist() == real


def test_a_context_checks_its_shapes():
    with pytest.raises(ValueError, match="text context"):
        TextContext(torch.zeros(2, 3, 4), torch.zeros(2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="bool"):
        TextContext(torch.zeros(2, 3, 4), torch.zeros(2, 3))


@pytest.fixture(scope="module")
def t5_folder(tmp_path_factory):
    """A ByT5 encoder of the paper's kind, two layers small, with its tokenizer."""
    from transformers import ByT5Tokenizer, T5Config, T5EncoderModel

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=384, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj="gated-silu",
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, tokenizer_class="ByT5Tokenizer",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("t5")
    T5EncoderModel(config).save_pretrained(folder)
    ByT5Tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A CLIP text tower (MetaCLIP's kind) with a tokenizer of single letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    letters = ["<pad>", "<end>", *"abcdefghijklmnopqrstuvwxyz "]
    core = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, unk_token="<pad>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    core.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<end>")
    config = CLIPTextConfig(
        vocab_size=len(letters), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, bos_token_id=1, eos_token_id=1, pad_token_id=0, projection_dim=16,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("clip")
    CLIPTextModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_transformers_encoders_are_frozen_and_padding_changes_nothing(t5_folder, clip_folder):
    for folder, width in ((t5_folder, 24), (clip_folder, 16)):
        encoder = TransformersTextEncoder.from_pretrained(folder, max_length=32)
        assert isinstance(encoder, TextEncoder)
        assert encoder.width == width
        assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
        together = encoder.encode(["a red circle", "blue", ""])
        assert together.features.shape == (3, 13, width)
        alone = encoder.encode(["blue"])
        torch.testing.assert_close(together.features[1, :5], alone.features[0], rtol=1e-3, atol=1e-4)
        assert together.mask.sum(1).tolist() == [13, 5, 1]


def test_a_transformers_encoder_comes_back_as_saved(t5_folder, tmp_path):
    encoder = TransformersTextEncoder.from_pretrained(t5_folder, max_length=16, role="quoted")
    encoder.save_pretrained(tmp_path)
    again = TransformersTextEncoder.from_pretrained(tmp_path, max_length=16, role="quoted")
    text = ['she says "hello"']
    torch.testing.assert_close(again.encode(text).features, encoder.encode(text).features)
    plain = TransformersTextEncoder.from_pretrained(t5_folder, max_length=16)
    torch.testing.assert_close(again.encode(text).features, plain.encode(["hello"]).features)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"model\.safetensors and tokenizer files"):
        TransformersTextEncoder.from_pretrained(tmp_path)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="divisible by num_heads"):
        ByteTextEncoderConfig(dim=30, num_heads=4)


def test_words_are_the_means_of_their_bytes():
    config = replace(TINY, grain="words")
    text = 'a red star above "UP"'
    torch.manual_seed(0)
    encoder = ByteTextEncoder(config).eval()
    bytewise = ByteTextEncoder(replace(config, grain="bytes")).eval()
    bytewise.load_state_dict(encoder.state_dict())
    words, letters = encoder.encode([text, ""]), bytewise.encode([text, ""])
    parts = ["a ", "red ", "star ", "above ", '"', "U", "P", '"', "\0"]  # the last one is the end of the text
    starts = np.cumsum([0, *map(len, parts)])
    assert words.mask.tolist() == [[True] * len(parts), [True] + [False] * (len(parts) - 1)]
    for i, (start, end) in enumerate(pairwise(starts)):
        torch.testing.assert_close(words.features[0, i], letters.features[0, start:end].mean(0))
    torch.testing.assert_close(words.features[1, 0], letters.features[1, 0])


def test_a_text_has_the_same_words_beside_a_longer_one():
    torch.manual_seed(0)
    encoder = ByteTextEncoder(replace(TINY, grain="words")).eval()
    alone, beside = encoder.encode([TEXTS[0]]), encoder.encode([TEXTS[0], "a blue circle moves to the left"])
    count = alone.mask.shape[1]
    assert beside.mask[0].tolist() == [True] * count + [False] * (beside.mask.shape[1] - count)
    torch.testing.assert_close(beside.features[:1, :count], alone.features)


@pytest.mark.parametrize("grain", ["letters", ""])
def test_an_unknown_grain_is_refused(grain):
    with pytest.raises(ValueError, match="bytes, words"):
        ByteTextEncoderConfig(grain=grain)
