"""Is a training set up so that its records will be right? Looked at before a long training, not after it.

    report = doctor(model, optimizer)
    for finding in report.findings: ...           # grade, says, fix
    report.sound                                  # False: something would make the records wrong

A finding is "ok", a "note" (what will be missing, and from what), a "warning" (an engine will refuse or lose precision)
or "wrong" (the records would not mean what they say). Nothing is trained and nothing is changed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from byline.attribution import ParameterGroup
from byline.attribution.path import FOLLOWED
from byline.attribution.restore import settings_as_numbers
from byline.attribution.update import update_of
from byline.capture import OptimizerView, Projector, Tap, Uncaptured, find_taps
from byline.core import AttributionError, CaptureError, Record
from byline.evaluation import Metasmoothness, smoothness_gate

Optimizers = torch.optim.Optimizer | list[torch.optim.Optimizer]
GRADES = ("ok", "note", "warning", "wrong")
SHOWN = 3  # examples of a kind in one finding


@dataclass(frozen=True, slots=True)
class Finding(Record):
    """`about`: capture, optimizer, precision, determinism, model, run or smoothness."""

    about: str
    grade: str
    says: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Report(Record):
    """`captured` of the `parameters` that are trained; the worst findings first."""

    captured: int
    parameters: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        return all(finding.grade != "wrong" for finding in self.findings)


def doctor(
    model: nn.Module,
    optimizer: Optimizers | None = None,
    *,
    projector: Projector | None = None,
    smoothness: Metasmoothness | None = None,
    more: Iterable[Finding] = (),
) -> Report:
    """Look at a model, as it stands before training and in the mode in which it will train, and at its optimizers.

    `projector`: the recorder's, for its `skip`. `smoothness`: as `byline.evaluation.metasmoothness` measured it, which
    takes three trainings. `more`: findings of the caller's, to be sorted among these.
    """
    taps, uncaptured, found = _capture(model, projector or Projector())
    checks: tuple[Callable[[nn.Module], Iterator[Finding]], ...] = (
        _precision, _determinism, _dropout, _batch_statistics, _attention,
    )  # fmt: skip
    found += [finding for check in checks for finding in check(model)]
    if optimizer is not None:
        found += _optimizer(model, optimizer, taps)
    if smoothness is not None:
        found.append(_smoothness(smoothness))
    found = sorted([*found, *more], key=lambda finding: -GRADES.index(finding.grade))
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return Report(trained - sum(item.size for item in uncaptured) if taps else 0, trained, tuple(found))


# --- capture --------------------------------------------------------------------------------------------------


def _capture(model: nn.Module, projector: Projector) -> tuple[tuple[Tap, ...], tuple[Uncaptured, ...], list[Finding]]:
    try:
        taps, uncaptured = find_taps(model, projector)
    except CaptureError as fault:
        return (), (), [_fault("capture", fault)]
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    layers = ", ".join(tap.name for tap in taps[:SHOWN]) + (", ..." if len(taps) > SHOWN else "")
    read = sum(tap.weight.numel() for tap in taps)
    found = [
        Finding("capture", "ok", f"{len(taps)} weights are recorded, {read / trained:.1%} of the parameters: {layers}")
    ]
    reasons = Counter(item.reason for item in uncaptured)
    return taps, uncaptured, found + [_uncaptured(reason, uncaptured, trained) for reason in reasons]


def _uncaptured(reason: str, items: Iterable[Uncaptured], trained: int) -> Finding:
    mine = [item for item in items if item.reason == reason]
    size = sum(item.size for item in mine)
    names = ", ".join(item.parameter for item in mine[:SHOWN]) + (", ..." if len(mine) > SHOWN else "")
    return Finding(
        "capture",
        "note",
        f"{len(mine)} weights are not recorded, {size / trained:.1%} of the parameters ({reason}): {names}",
        "shortlists do not see them; transport and audit walk the whole model and do",
    )


# --- optimizer ------------------------------------------------------------------------------------------------


def _optimizer(model: nn.Module, optimizer: Optimizers, taps: tuple[Tap, ...]) -> list[Finding]:
    try:
        view = OptimizerView.of(optimizer, taps)
        groups = view.describe(model)
    except CaptureError as fault:
        return [_fault("optimizer", fault)]
    found = [Finding("optimizer", "ok", f"capture follows {view.kind}")]
    if view.kind in FOLLOWED:
        found.append(Finding("optimizer", "ok", f"transport follows {view.kind}"))
    else:
        says = f"transport cannot follow {view.kind}: no shares for money from this training"
        found.append(Finding("optimizer", "warning", says, f"train with one of {', '.join(FOLLOWED)}"))
    return [*found, _audited(groups), *_left_still(model, groups)]


def _audited(groups: list[dict[str, Any]]) -> Finding:
    try:
        for group in groups:
            settings = settings_as_numbers(group["settings"])
            update_of(group["kind"], ParameterGroup(tuple(group["parameters"]), settings, group["kind"]))
    except AttributionError as fault:
        return Finding("optimizer", "warning", f"the exact audit is not possible: {fault.message}", fault.fix)
    return Finding("optimizer", "ok", "an audit can differentiate its steps")


def _left_still(model: nn.Module, groups: list[dict[str, Any]]) -> Iterator[Finding]:
    held = {name for group in groups for name in group["parameters"]}
    still = [name for name, parameter in model.named_parameters() if parameter.requires_grad and name not in held]
    if still:
        says = f"{len(still)} parameters require gradients and no optimizer trains them: {', '.join(still[:SHOWN])}"
        yield Finding("optimizer", "note", says, "freeze them (requires_grad_(False)), or pass all optimizers")


# --- the model ------------------------------------------------------------------------------------------------


def _precision(model: nn.Module) -> Iterator[Finding]:
    kinds = {parameter.dtype for parameter in model.parameters() if parameter.requires_grad}
    low = sorted(str(kind).removeprefix("torch.") for kind in kinds if kind in (torch.bfloat16, torch.float16))
    if low:
        yield Finding(
            "precision",
            "warning",
            f"weights are kept in {', '.join(low)}: small steps are rounded away, and with them what examples did",
            "keep float32 weights and use torch.autocast for the speed",
        )
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        says = "autocast is on: features are recorded, a replay must run under the same autocast"
        yield Finding("precision", "note", says, "audit with the task's outputs under the same torch.autocast")
    loose = torch.get_float32_matmul_precision()
    tf32 = torch.backends.cudnn.allow_tf32 and any(parameter.is_cuda for parameter in model.parameters())
    if loose != "highest" or tf32:
        yield Finding(
            "precision",
            "warning",
            f"float32 products are rounded (matmul precision {loose}, cuDNN TF32 {'on' if tf32 else 'off'})",
            'torch.set_float32_matmul_precision("highest"); torch.backends.cudnn.allow_tf32 = False',
        )
    if not low and loose == "highest" and not tf32:
        yield Finding("precision", "ok", "weights and products are float32 or better")


def _determinism(model: nn.Module) -> Iterator[Finding]:
    threads, cuda = torch.get_num_threads(), any(parameter.is_cuda for parameter in model.parameters())
    if cuda and not torch.are_deterministic_algorithms_enabled():
        yield Finding(
            "determinism",
            "warning",
            "CUDA kernels may add in another order at every call: a replay will differ",
            "torch.use_deterministic_algorithms(True) and CUBLAS_WORKSPACE_CONFIG=:4096:8",
        )
    if cuda and torch.backends.cudnn.benchmark:
        says = "cuDNN chooses kernels by their speed at the moment: a replay may take others"
        yield Finding("determinism", "warning", says, "torch.backends.cudnn.benchmark = False")
    if threads > 1:
        says = f"sums are split over {threads} threads: the same bits come out with the same number only"
        fix = f"audit with torch.set_num_threads({threads}), or train with one thread (byline.training.single_thread)"
        yield Finding("determinism", "note", says, fix)
    if not cuda and threads == 1:
        yield Finding("determinism", "ok", "one thread on the CPU: sums are made in one order")


def _dropout(model: nn.Module) -> Iterator[Finding]:
    layers = [name for name, module in model.named_modules() if _drops(module)]
    settings = vars(getattr(model, "config", object())) if hasattr(model, "config") else {}
    asked = [f"config.{name} = {value}" for name, value in settings.items() if _is_rate(name, value)]
    if model.training and (layers or asked):
        yield Finding(
            "model",
            "warning",
            f"dropout is on ({', '.join((layers + asked)[:SHOWN])}): transport carries queries through a model "
            "without it, and an audit draws it again from the recorded states of the generators",
            "train without dropout (p = 0)",
        )
    else:
        yield Finding("model", "ok", "nothing is dropped at random")


def _drops(module: nn.Module) -> bool:
    """torch's dropout layers, and those of attention, which keep a rate of their own."""
    kinds = (nn.modules.dropout._DropoutNd, nn.MultiheadAttention, nn.RNNBase)
    rate = getattr(module, "p", getattr(module, "dropout", 0.0))
    return isinstance(module, kinds) and isinstance(rate, int | float) and rate > 0


def _is_rate(name: str, value: Any) -> bool:
    return ("dropout" in name or name.endswith("_pdrop")) and isinstance(value, int | float) and value > 0


def _batch_statistics(model: nn.Module) -> Iterator[Finding]:
    layers = [name for name, module in model.named_modules() if isinstance(module, _BatchNorm) and module.training]
    if layers:
        yield Finding(
            "model",
            "wrong",
            f"batch norm reads its statistics from the batch ({', '.join(layers[:SHOWN])}): an example's gradient "
            "holds parts of the others', so what is recorded for a row is not that row's",
            "use GroupNorm or LayerNorm, or freeze the statistics (module.eval())",
        )
    else:
        yield Finding("model", "ok", "no layer mixes the rows of a batch")


def _attention(model: nn.Module) -> Iterator[Finding]:
    kind = getattr(getattr(model, "config", None), "_attn_implementation", None)
    if kind is not None and kind not in ("eager", "sdpa"):
        yield Finding(
            "model",
            "warning",
            f"attention runs in the fused kernels of {kind}, which cannot be differentiated twice, as an audit does",
            'load the model with attn_implementation="eager" or "sdpa"',
        )
    elif kind == "sdpa" or any(isinstance(module, nn.MultiheadAttention) for module in model.modules()):
        says = "attention may run in a fused kernel; an audit uses its definition, rounded otherwise"
        yield Finding("model", "note", says, 'attn_implementation="eager" makes both the same')


# --- the rest -------------------------------------------------------------------------------------------------


def _smoothness(found: Metasmoothness) -> Finding:
    allowed = smoothness_gate(found.score)
    grade = "ok" if allowed.largest_drop >= 0.1 else "warning"
    says = f"{allowed.because} (h = {found.h}): removal of up to {allowed.largest_drop:.0%} can be certified"
    return Finding("smoothness", grade, says if allowed.largest_drop else allowed.because, allowed.fix)


def _fault(about: str, fault: CaptureError) -> Finding:
    return Finding(about, "wrong", f"the recorder refuses: {fault.message} [{fault.code}]", fault.fix)
