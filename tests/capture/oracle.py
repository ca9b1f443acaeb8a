"""Small models with their losses, and the slow truth about them: one backward pass per example, matrices by hand."""

import torch
import torch.nn.functional as F
from torch import nn

FLOAT32 = 2e-5  # allowed error of a feature, as part of the largest of its row and layer: sums made in another order
INT8 = 1 / 254 + FLOAT32  # the same after storage: half a step of 127


class Plain:
    """2-D inputs. Every example is (x, y); its part of the loss is a squared error."""

    def model(self):
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))

    def examples(self, n):
        generator = torch.Generator().manual_seed(n)
        return [(torch.randn(5, generator=generator), torch.randn(3, generator=generator)) for _ in range(n)]

    def loss(self, model, examples):
        """Sum over the examples, from one forward pass of all of them, and the number of terms."""
        x, y = (torch.stack(part) for part in zip(*examples, strict=True))
        return ((model(x) - y) ** 2).sum(), y.numel()


class Twice(Plain):
    """3-D inputs; one layer is called twice in a forward pass, one is frozen, one is called by keyword."""

    def model(self):
        torch.manual_seed(4)
        model = TwiceModel()
        model.frozen.weight.requires_grad_(False)
        return model

    def examples(self, n):
        generator = torch.Generator().manual_seed(n)
        return [(torch.randn(4, 5, generator=generator), torch.randn(4, 3, generator=generator)) for _ in range(n)]


class TwiceModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.again, self.frozen, self.out = (nn.Linear(*s) for s in [(5, 6), (6, 6), (6, 6), (6, 3)])

    def forward(self, x):
        h = torch.tanh(self.into(x))
        h = torch.tanh(self.again(h))
        h = self.frozen(torch.relu(self.again(h)))
        return self.out(input=h)


class Text:
    """A causal language model. An example is (tokens, start): labels before `start` are masked."""

    def __init__(self, side="right"):
        self.side = side

    def examples(self, n):
        generator = torch.Generator().manual_seed(n)
        found = []
        for i in range(n):
            length = int(torch.randint(4, 9, (), generator=generator))
            found.append((torch.randint(1, 30, (length,), generator=generator), i % 3))
        return found

    def loss(self, model, examples):
        width = max(len(tokens) for tokens, _ in examples)
        tokens_BT = torch.zeros(len(examples), width, dtype=torch.long)
        labels_BT = torch.full((len(examples), width), -100)
        mask_BT = torch.zeros(len(examples), width, dtype=torch.long)
        for row, (tokens, start) in enumerate(examples):
            at = width - len(tokens) if self.side == "left" else 0
            tokens_BT[row, at : at + len(tokens)] = tokens
            labels_BT[row, at + start : at + len(tokens)] = tokens[start:]
            labels_BT[row, at] = -100  # the first token is not predicted
            mask_BT[row, at : at + len(tokens)] = 1
        positions_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)
        logits = model(input_ids=tokens_BT, attention_mask=mask_BT, position_ids=positions_BT, use_cache=False).logits
        targets = labels_BT[:, 1:].flatten()
        nll = F.cross_entropy(logits[:, :-1].flatten(0, 1), targets, ignore_index=-100, reduction="sum")
        return nll, int((targets != -100).sum())


class Gpt2(Text):
    def model(self):
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(5)
        config = GPT2Config(
            vocab_size=30,
            n_positions=16,
            n_embd=8,
            n_layer=2,
            n_head=2,
            resid_pdrop=0,
            embd_pdrop=0,
            attn_pdrop=0,
            tie_word_embeddings=False,
        )
        return GPT2LMHeadModel._from_config(config, attn_implementation="eager")


class Llama(Text):
    def model(self):
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(6)
        config = LlamaConfig(
            vocab_size=30,
            hidden_size=8,
            intermediate_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=16,
            tie_word_embeddings=False,
            pad_token_id=None,
        )
        return LlamaForCausalLM._from_config(config, attn_implementation="eager")


WORLDS = {
    "linear-2d": Plain(),
    "linear-3d": Twice(),
    "gpt2-right": Gpt2("right"),
    "gpt2-left": Gpt2("left"),
    "llama-right": Llama("right"),
    "llama-left": Llama("left"),
}


def slow_features(world, model, taps, example, divisor, scales=None):
    """Features of one example, layer by layer: its own backward pass, then left^T (s_out * G * s_in) right by hand."""
    model.zero_grad()
    (world.loss(model, [example])[0] / divisor).backward()
    features = {}
    for tap in taps:
        gradient = tap.weight.grad.double()
        gradient_OI = gradient.T if tap.transposed else gradient
        if scales is not None:
            gradient_OI = scales[tap.name].out_O.double()[:, None] * gradient_OI * scales[tap.name].in_I.double()
        features[tap.name] = (tap.left_OK.double().T @ gradient_OI @ tap.right_IK.double()).flatten()
    model.zero_grad()
    return features


def assert_near(got_K, want_K, tolerance):
    """Within `tolerance` times the largest wanted value; a row of zeros must be zeros but for float noise."""
    largest = float(want_K.abs().max())
    assert float((got_K.double() - want_K).abs().max()) <= tolerance * largest + 1e-9
