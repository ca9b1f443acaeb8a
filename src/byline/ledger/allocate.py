"""Dividing an amount of whole units among weights, so that the parts always add up to the amount."""

from collections.abc import Mapping

from byline.core import LedgerError, sha256_hex


def allocate(total_nano: int, weights: Mapping[str, int], salt: str) -> dict[str, int]:
    """Parts of `total_nano` in proportion to `weights`, by largest remainder; ties by SHA-256 of salt and id.

    Each part is the exact quota rounded down or up; a zero weight gets zero; the order of `weights` does not matter;
    `allocate(-t)` is `allocate(t)` with the signs turned.
    Raises: LedgerError("negative-weight"), LedgerError("no-weight") if there is money and nobody to give it to.
    Source: largest remainder (Hamilton) on integers; a fixed tie-break would favour the same payee at every event.
    """
    for name, weight in weights.items():
        if weight < 0:
            raise LedgerError("negative-weight", f"{name} has weight {weight}", "negative influence is shown, not paid")
    whole = sum(weights.values())
    if whole == 0 and total_nano:
        raise LedgerError("no-weight", f"{total_nano} nano to divide, and all weights are zero")
    if whole == 0:
        return dict.fromkeys(weights, 0)
    size, sign = abs(total_nano), 1 if total_nano >= 0 else -1
    parts = {name: size * weight // whole for name, weight in weights.items()}
    left = size - sum(parts.values())
    order = sorted(weights, key=lambda name: (-(size * weights[name] % whole), sha256_hex(f"{salt}\n{name}".encode())))
    for name in order[:left]:
        parts[name] += 1
    return {name: sign * part for name, part in parts.items()}
