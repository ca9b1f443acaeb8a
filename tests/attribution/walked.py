"""Small trainings made by a plain torch loop, kept as a Trajectory in memory, for whatever walks a run again."""

import torch
import torch.nn.functional as F
from torch import nn

from byline.attribution import ParameterGroup, State, Step, Trajectory
from byline.attribution.restore import settings_as_numbers

VOCABULARY, WIDTH, TOKENS, EXAMPLES = 7, 4, 5, 6
NAMES = tuple(f"ex:{n}" for n in range(EXAMPLES))


class TinyLM(nn.Module):
    """One attention block with a residual, layer norm and a head; `spare` is never used."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.spare = nn.Linear(2, 2)
        self.register_buffer("positions", torch.linspace(0, 1, TOKENS))

    def forward(self, tokens_BT):
        stream = self.embedding(tokens_BT) + self.positions[: tokens_BT.shape[1], None]
        q, k, v = self.qkv(stream).chunk(3, -1)
        return self.head(self.norm(self.dropout(stream) + F.scaled_dot_product_attention(q, k, v, is_causal=True)))


class TinyTask:
    """Next-token loss; each example a fixed sequence, seen under noise that only the id and the step decide."""

    def __init__(self, shift=True):
        self.shift = shift
        # without the shift, the last tokens of the vocabulary never occur
        most = VOCABULARY if shift else VOCABULARY - 2
        self.tokens = torch.randint(most, (EXAMPLES, TOKENS), generator=torch.Generator().manual_seed(2))

    def batch(self, example_ids, step):
        rows = [int(name.split(":")[1]) for name in example_ids]
        shift = torch.tensor([(row + step) % 2 if self.shift else 0 for row in rows])
        return (self.tokens[rows] + shift[:, None]) % VOCABULARY

    def outputs(self, model, batch):
        return model(batch)[:, :-1]

    def losses(self, outputs, batch):
        return F.cross_entropy(outputs.transpose(1, 2), batch[:, 1:], reduction="none").mean(1)


def tiny(dtype=torch.float64, dropout=0.0):
    torch.manual_seed(0)
    return TinyLM(dropout).to(dtype)


def two_groups(model):
    """Weight decay on matrices only, as is usual; settings and rates differ."""
    matrices = [p for name, p in model.named_parameters() if p.ndim > 1]
    vectors = [p for name, p in model.named_parameters() if p.ndim == 1]
    return [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]


OPTIMIZERS = {
    "adamw": lambda m: torch.optim.AdamW(two_groups(m), lr=0.01, betas=(0.8, 0.95), eps=1e-4),
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.05),
    "sgd": lambda m: torch.optim.SGD(m.parameters(), lr=0.3),
    "momentum": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.8, dampening=0.3, weight_decay=0.02),
    "nesterov": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.8, nesterov=True),
}
ONLY_FORWARDS = {"nadam": lambda m: torch.optim.NAdam(m.parameters(), lr=0.01)}


def run(
    kind="adamw",
    *,
    dtype=torch.float64,
    steps=12,
    keep=(),
    max_norm=0.6,
    weights=None,
    batches=None,
    shift=True,
    dropout=0.0,
    pieces=False,
):
    """Train and return (model as it began, task, trajectory, trained model).

    Every example comes several times, one of them twice in a batch; the denominator of odd steps is not the number of
    rows. `weights`: of examples, by name. `pieces`: gradients are accumulated over two micro-batches, and before step 3
    a batch is run and thrown away."""
    task, weights = TinyTask(shift), weights or {}
    start, trained = tiny(dtype, dropout), tiny(dtype, dropout)
    optimizer = (OPTIMIZERS | ONLY_FORWARDS)[kind](trained)
    names = {id(p): name for name, p in trained.named_parameters()}
    batches = batches or [[f"ex:{(2 * s + i) % EXAMPLES}" for i in (0, 1, 3)] for s in range(steps)]
    batches = [[*ids, ids[0]] if number % 3 == 1 else ids for number, ids in enumerate(batches)]
    states, made = {0: snapshot(trained, optimizer, 0)}, []
    for number, ids in enumerate(batches):
        for place, group in enumerate(optimizer.param_groups):
            group["lr"] = group.setdefault("peak", group["lr"]) * (1 - number / (2 * len(batches))) / (1 + place)
        denominator = 5.0 if number % 2 else float(len(ids))
        skipped = ((("ex:4", "ex:5"),) if number == 3 else ()) if pieces else ()
        for thrown in skipped:
            batch = task.batch(thrown, number)
            task.losses(task.outputs(trained, batch), batch)
        for part in [ids[:2], ids[2:]] if pieces else [ids]:
            batch = task.batch(part, number)
            losses_B = task.losses(task.outputs(trained, batch), batch)
            weights_B = torch.tensor([weights.get(name, 1.0) for name in part], dtype=dtype)
            ((losses_B * weights_B).sum() / denominator).backward()
        norm = nn.utils.clip_grad_norm_(trained.parameters(), max_norm)
        clip = min(1.0, float(max_norm / (norm + 1e-6)))
        rates = tuple(group["lr"] for group in optimizer.param_groups)
        parts = (2, len(ids) - 2) if pieces else ()
        made.append(Step(tuple(ids), rates, clip, denominator if number % 2 else 0.0, parts, skipped))
        optimizer.step()
        optimizer.zero_grad()
        states[number + 1] = snapshot(trained, optimizer, number + 1)
    groups = tuple(
        ParameterGroup(tuple(names[id(p)] for p in group["params"]), settings_of(group))
        for group in optimizer.param_groups
    )
    kept = tuple(sorted({0, len(made), *keep}))
    kind = "sgd" if isinstance(optimizer, torch.optim.SGD) else kind
    return start, task, Trajectory(kind, groups, tuple(made), kept, states.__getitem__, max_norm), trained


def snapshot(model, optimizer, taken):
    moments = {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                moments.setdefault(key, {})[name] = value.clone()
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    return State(taken, weights, moments, buffers, {"cpu": torch.get_rng_state()})


def settings_of(group):
    return settings_as_numbers({name: value for name, value in group.items() if name not in ("params", "lr", "peak")})


def measure(model, query):
    """Mean log-likelihood of a sequence."""
    tokens = query[None]
    return F.log_softmax(model(tokens)[0, :-1], -1).gather(1, tokens[0, 1:, None]).mean()


def loaded(state, dtype=torch.float64):
    model = tiny(dtype)
    model.load_state_dict({**state.weights, **state.buffers})
    return model


QUERIES = {f"q:{n}": torch.tensor(row) for n, row in enumerate([[0, 3, 1, 6, 2], [5, 5, 2, 0, 4], [1, 2, 3, 4, 5]])}
