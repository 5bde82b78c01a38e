"""Makes the smallest model that vLLM serves: two layers of random weights, and a tokenizer trained on our own notes.

python tests/real_vllm/tiny_model.py FOLDER [SEED]
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

TEMPLATE = """\
{%- if tools %}<|im_start|>system
You may call these functions. Answer with {"name": …, "arguments": …} between <tool_call> and </tool_call>.
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif -%}
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% elif message.content %}\
{% for part in message.content %}{{ part.text }}
{% endfor %}{% endif %}\
{%- for call in message.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}
"""
"""A chat template of the usual kind, with tools as Hermes and Qwen write them."""

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]


def make(folder: Path, seed: int = 0) -> None:
    """Write the model, its tokenizer and its settings into a folder, as ``from_pretrained`` reads them."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "retrieval" / "notes").rglob("*.md"))]
    texts += [path.read_text("utf-8") for path in sorted((ROOT / "agent" / "prompts").glob("*.md"))]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=2_000, special_tokens=SPECIAL, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL[1:],
        chat_template=TEMPLATE,
    )
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(str(folder))
    chosen = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    (folder / "generation_config.json").write_text(json.dumps(chosen), "utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
