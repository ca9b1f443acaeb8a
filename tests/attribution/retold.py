"""Small trainings that are recorded and walked again from what the run folder tells, with a loop of their own."""

import torch
from torch import nn

from byline.attribution import new_optimizers, restore, set_rates
from byline.capture import Projector, Recorder

EXAMPLES, STEPS, NORM = 12, 40, 0.3
IDS = [f"ex:{n}" for n in range(EXAMPLES)]


def data():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(EXAMPLES, 5, generator=generator), torch.randn(EXAMPLES, 3, generator=generator)


class Net(nn.Module):
    """Running statistics, dropout, a frozen layer and two layers that share nothing with each other."""

    def __init__(self, dropout=0.2):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Linear(5, 8), nn.BatchNorm1d(8)
        self.frozen, self.last = nn.Linear(8, 8), nn.Linear(8, 3)
        self.frozen.requires_grad_(False)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.last(self.drop(torch.tanh(self.frozen(self.norm(self.first(x))))))


def trained(model):
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def two_groups(kind, **options):
    """The layers in two parameter groups with learning rates of their own."""

    def make(model):
        head = list(model.last.parameters())
        body = [p for p in trained(model) if not any(p is q for q in head)]
        return [kind([{"params": body}, {"params": head, "lr": 2 * options["lr"]}], **options)]

    return make


def muon_and_adamw(model):
    matrices = [p for p in trained(model) if p.ndim == 2]
    rest = [p for p in trained(model) if p.ndim != 2]
    return [
        torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1),
        torch.optim.AdamW(rest, lr=0.01, betas=(0.8, 0.95)),
    ]


OPTIMIZERS = {
    "sgd": two_groups(torch.optim.SGD, lr=0.05, weight_decay=0.01),
    "sgd-momentum": two_groups(torch.optim.SGD, lr=0.05, momentum=0.9, dampening=0.1),
    "sgd-nesterov": two_groups(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True),
    "sgd-maximize": two_groups(torch.optim.SGD, lr=0.001, maximize=True),
    "adam": two_groups(torch.optim.Adam, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1),
    "adam-amsgrad": two_groups(torch.optim.Adam, lr=0.01, amsgrad=True),
    "adamw": two_groups(torch.optim.AdamW, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1),
    "adamw-foreach": two_groups(torch.optim.AdamW, lr=0.01, foreach=True),
    "nadam": two_groups(torch.optim.NAdam, lr=0.01, decoupled_weight_decay=True, weight_decay=0.1),
    "adafactor": two_groups(torch.optim.Adafactor, lr=0.05, eps=(1e-6, 1e-2), weight_decay=0.1),
    "muon+adamw": muon_and_adamw,
}


def batches_of(step):
    """Two micro-batches of unequal size in every third step, else one batch."""
    rows = [(3 * step + i) % EXAMPLES for i in range(5)]
    return [rows[:3], rows[3:]] if step % 3 == 1 else [rows]


def summed_loss(model, rows, weights):
    x, y = data()
    losses = ((model(x[rows]) - y[rows]) ** 2).mean(1)
    return (losses * torch.tensor([weights.get(IDS[row], 1.0) for row in rows])).sum()


def train(optimizers_of, path=None, *, clip=True, weights=None, steps=STEPS, skip=(), scaler=None, dropout=0.2, **more):
    """The loop of a user; `skip`: steps before which a batch is run and its gradient thrown away."""
    model = Net(dropout)
    optimizers = optimizers_of(model)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    recorder = None
    if path is not None:
        norm = {"max_norm": NORM} if clip else {}
        recorder = Recorder(model, optimizers, path, projector=Projector(4), scaler=scaler, **norm, **more)
    torch.manual_seed(5)
    with recorder or torch.enable_grad():
        for step in range(steps):
            for optimizer, rates in zip(optimizers, peaks, strict=True):
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * (1 - step / (2 * steps))
            if step in skip:
                one_batch(recorder, model, [0, 1, 2], {}, 3)
                model.zero_grad()
            parts = batches_of(step)
            for rows in parts:
                one_batch(recorder, model, rows, weights or {}, sum(map(len, parts)), scaler)
            finish(model, optimizers, clip, scaler)
    return model


def one_batch(recorder, model, rows, weights, denominator, scaler=None):
    with recorder.batch([IDS[row] for row in rows]) if recorder else torch.enable_grad():
        loss = summed_loss(model, rows, weights) / denominator
        (scaler.scale(loss) if scaler else loss).backward()


def finish(model, optimizers, clip, scaler=None):
    for optimizer in optimizers if scaler else ():
        scaler.unscale_(optimizer)
    if clip:
        nn.utils.clip_grad_norm_(model.parameters(), NORM)
    for optimizer in optimizers:
        scaler.step(optimizer) if scaler else optimizer.step()
    if scaler:
        scaler.update()
    model.zero_grad()


def walk(trajectory, taken, *, weights=None, dropout=0.2):
    """The run again from a kept state, driven by nothing but the trajectory."""
    model = Net(dropout)
    optimizers = new_optimizers(model, trajectory)
    restore(model, optimizers, trajectory.state(taken))
    for step in trajectory.steps[taken:]:
        set_rates(optimizers, step)
        for ids in step.skipped:
            with torch.no_grad():
                summed_loss(model, [IDS.index(name) for name in ids], {})
        for ids in step.batches:
            (summed_loss(model, [IDS.index(name) for name in ids], weights or {}) / step.divisor).backward()
        if trajectory.max_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), trajectory.max_norm)
        elif step.clip != 1:
            for parameter in trained(model):
                parameter.grad.mul_(step.clip)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
    return model


def same_bits(left, right):
    """Weights and buffers."""
    return all(torch.equal(a, b) for a, b in zip(left.state_dict().values(), right.state_dict().values(), strict=True))


def apart(left, right):
    """Largest difference of a weight."""
    return max(float((a - b).detach().abs().max()) for a, b in zip(left.parameters(), right.parameters(), strict=True))
