"""One optimizer step as a linear map, the preconditioner held fixed; and its transpose."""

from collections.abc import Mapping

from byline.attribution.linearised import Named
from byline.attribution.path import Path

# Suffixes: K vectors carried at once; every tensor here is (K, *shape of the parameter)


class LinearUpdate:
    """SGD (momentum, Nesterov), Adam and AdamW: how changes of gradients and weights become changes of weights.

    `push` carries tangents forwards and `pull` cotangents backwards; each is the transpose of the other. Both change
    what is carried in place. Decoupled weight decay shrinks the weights, coupled decay is part of the gradient.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decoupled = path.trajectory.optimizer == "adamw"

    def push(self, s: int, weights: Named, momenta: Named, gradients: Named) -> None:
        """`gradients` are the tangents of step s's clipped gradient."""
        preconditioners = self.path.preconditioners(s)
        for name, value in weights.items():
            keep, into, ahead, gain, decay = self._numbers(name, s)
            gradient = gradients[name] if self.decoupled else gradients[name] + decay * value
            momenta[name].mul_(keep).add_(into * gradient)
            moved = gradient + keep * momenta[name] if ahead else momenta[name]
            if self.decoupled:
                value *= 1 - self.path.rate(name, s) * decay
            value -= gain * preconditioners[name] * moved

    def pull(self, s: int, weights: Named, momenta: Named) -> Named:
        """Cotangents of step s's clipped gradient; those of weights and momenta are carried to before the step, all
        but what the gradient itself sends back to the weights."""
        preconditioners = self.path.preconditioners(s)
        gradients = {}
        for name, value in weights.items():
            keep, into, ahead, gain, decay = self._numbers(name, s)
            moved = -gain * preconditioners[name] * value
            momenta[name] += keep * moved if ahead else moved
            gradients[name] = into * momenta[name] + moved if ahead else into * momenta[name]
            momenta[name] *= keep
            value += -self.path.rate(name, s) * decay * value if self.decoupled else decay * gradients[name]
        return gradients

    def _numbers(self, name: str, s: int) -> tuple[float, float, bool, float, float]:
        """Momentum kept, gradient let into it, Nesterov, gain of the step, weight decay."""
        settings: Mapping[str, float] = self.path.settings[name]
        rate, decay = self.path.rate(name, s), settings.get("weight_decay", 0.0)
        if "beta1" in settings:
            keep = settings["beta1"]
            return keep, 1 - keep, False, rate / (1 - keep ** (s + 1)), decay
        into = 1.0 if s == 0 else 1 - settings.get("dampening", 0.0)
        return settings.get("momentum", 0.0), into, bool(settings.get("nesterov", 0.0)), rate, decay


def zeros_like(carried: Named) -> Named:
    return {name: value.new_zeros(value.shape) for name, value in carried.items()}
