"""Money per output: each output's own price follows its own shares, a million outputs at a time.

Of every output first come commission and reserve, rounded down; the rest is divided into training and the rest, that
into prior and attribution, and the attribution among clusters and what nobody is found for. Each is one division by
largest remainder, so that an output adds up to its price and each line is within three nano-units of the formula.
The parts of training and prior are not divided per output but once per payment, when the sums are settled.

Suffixes: N outputs, W clusters (ordered by id), L lines of an output, P payers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import numpy as np
import numpy.typing as npt

from byline.core import PPB, PPM, ClusterId, EventId, LedgerError, Record
from byline.ledger.rows import Ints, Ties, divide_rows, exact_sum, scaled_down
from byline.ledger.terms import Terms

AT_ONCE = 8192  # outputs: the working memory of a step then is about 20 MB at 40 clusters
FIXED = ("commission", "reserve", "training", "prior", "unattributed")  # the lines before those of the clusters


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Some outputs that one payment was for: ids_N of equal length in bytes, nano_N their prices, and ppb_NW their
    shares of the clusters, in the order of `clusters`, in parts per billion; what is missing to 1e9 is unattributed.

    Raises: LedgerError("bad-outputs").
    """

    ids_N: npt.NDArray[np.bytes_]
    nano_N: Ints
    ppb_NW: npt.NDArray[np.integer]

    def __post_init__(self) -> None:
        if self.ids_N.dtype.kind != "S" or self.nano_N.dtype != np.int64 or self.ppb_NW.dtype.kind not in "iu":
            kinds = f"{self.ids_N.dtype}, {self.nano_N.dtype}, {self.ppb_NW.dtype}"
            raise LedgerError("bad-outputs", f"ids, prices and shares are {kinds}", "give S, int64 and uint32")
        if not len(self.ids_N) == len(self.nano_N) == len(self.ppb_NW) or self.ppb_NW.ndim != 2:
            shapes = f"{self.ids_N.shape}, {self.nano_N.shape}, {self.ppb_NW.shape}"
            raise LedgerError("bad-outputs", f"ids, prices and shares have shapes {shapes}", "one row per output")


@dataclass(frozen=True, slots=True)
class OutputSums(Record):
    """The lines of one payment's outputs added up, and what they were computed from.

    `clusters`: (cluster, attributed nano-units as text). `rates`: commission, reserve, tau, lambda and cap, in parts
    per million. The digests (SHA-256) are of the columns' bytes, little endian, whatever the blocks they came in.
    """

    event: EventId
    outputs: int
    received_nano: str
    commission_nano: str
    reserve_nano: str
    training_nano: str
    prior_nano: str
    unattributed_nano: str
    clusters: tuple[tuple[ClusterId, str], ...]
    rates: tuple[int, ...]
    inputs_sha256: str
    lines_sha256: str


class Sink(Protocol):
    """Where lines go, such as an open binary file."""

    def write(self, data: bytes, /) -> object: ...


def sum_outputs(
    event: EventId, blocks: Iterable[Outputs], clusters: Sequence[ClusterId], terms: Terms, lines_to: Sink | None = None
) -> OutputSums:
    """Divide every output of a payment and add up. `lines_to` receives lines_NL as int64, little endian, row after
    row: the five of `FIXED`, then one per cluster. The sums do not depend on how outputs are cut into blocks.

    Raises: LedgerError("bad-outputs") if an output stands twice or shares add to more than the whole.
    """
    names = tuple(sorted(clusters))
    if names != tuple(clusters) or len(set(names)) != len(names):
        raise LedgerError("bad-outputs", "the clusters are not in the order of their ids", "sort the columns")
    work = _Work(event, names, rates_of(terms))
    for block in blocks:
        for start in range(0, len(block.ids_N), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            work.add(block.ids_N[some], block.nano_N[some], block.ppb_NW[some], lines_to)
    return work.done()


def rates_of(terms: Terms) -> tuple[int, ...]:
    policy = terms.policy
    lam = terms.reliability.lambda_ppm
    return (policy.commission_ppm, policy.reserve_ppm, policy.train_share_ppm, lam, policy.cap_ppm)


class _Work:
    """Sums and digests so far."""

    def __init__(self, event: EventId, clusters: tuple[ClusterId, ...], rates: tuple[int, ...]) -> None:
        self.event, self.clusters, self.rates = event, clusters, rates
        self.sums, self.received = [0] * (len(FIXED) + len(clusters)), 0
        self.hashes = [sha256() for _ in range(3)]
        self.lines_hash = sha256()
        self.ids: list[npt.NDArray[np.bytes_]] = []
        self.ties = Ties(event, ("", *clusters))

    def add(
        self, ids_N: npt.NDArray[np.bytes_], nano_N: Ints, ppb_NW: npt.NDArray[np.integer], lines_to: Sink | None
    ) -> None:
        lines_NL = self._lines(ids_N.tolist(), nano_N, ppb_NW.astype(np.int64))
        data = lines_NL.astype("<i8", copy=False).tobytes()
        for digest, column in zip(self.hashes, (ids_N, nano_N.astype("<i8"), ppb_NW.astype("<u4")), strict=True):
            digest.update(column.tobytes())
        self.lines_hash.update(data)
        self.ids.append(ids_N)
        self.received += exact_sum(nano_N)[0]
        self.sums = [old + new for old, new in zip(self.sums, exact_sum(lines_NL), strict=True)]
        if lines_to:
            lines_to.write(data)

    def count(self) -> int:
        """Raises: LedgerError("bad-outputs") if one stands twice."""
        ids = np.sort(np.concatenate(self.ids)) if self.ids else np.zeros(0, dtype="S1")
        if (ids[1:] == ids[:-1]).any():
            raise LedgerError("bad-outputs", f"an output of {self.event} stands twice", "give each output once")
        return len(ids)

    def _lines(self, ids: list[bytes], nano_N: Ints, ppb_NW: Ints) -> Ints:
        """lines_NL; an output whose price is taken back takes back exactly what it gave."""
        commission, reserve, tau, lam, cap = self.rates
        size_N = np.abs(nano_N)
        _refuse_shares(size_N, ppb_NW, len(self.clusters))
        commission_N, reserve_N = scaled_down(size_N, commission, PPM), scaled_down(size_N, reserve, PPM)
        net_N = size_N - commission_N - reserve_N
        training_N = self._of_two(net_N, tau, ids, "training")
        attribution_N = self._of_two(net_N - training_N, lam, ids, "attribution")
        np.minimum(ppb_NW, cap * (PPB // PPM), out=ppb_NW)
        weights_NW = np.concatenate([PPB - ppb_NW.sum(axis=1, keepdims=True), ppb_NW], axis=1)
        parts_NW = divide_rows(attribution_N, weights_NW, PPB, ids, self.ties)
        prior_N = net_N - training_N - attribution_N
        lines_NL = np.column_stack([commission_N, reserve_N, training_N, prior_N, parts_NW])
        return np.asarray(lines_NL * np.sign(nano_N)[:, None], dtype=np.int64)

    def _of_two(self, total_N: Ints, ppm: int, ids: list[bytes], name: str) -> Ints:
        weights_NW = np.broadcast_to(np.array([ppm, PPM - ppm], dtype=np.int64), (len(total_N), 2))
        return divide_rows(total_N, weights_NW, PPM, ids, Ties(f"{self.event} {name}", (name, "rest")))[:, 0]

    def done(self) -> OutputSums:
        commission, reserve, training, prior, unattributed, *attributed = map(str, self.sums)
        return OutputSums(
            self.event,
            self.count(),
            str(self.received),
            commission,
            reserve,
            training,
            prior,
            unattributed,
            tuple(zip(self.clusters, attributed, strict=True)),
            self.rates,
            sha256(b"".join(each.digest() for each in self.hashes)).hexdigest(),
            self.lines_hash.hexdigest(),
        )


def pooled_shares(ppb_NW: npt.NDArray[np.integer], owner_N: npt.NDArray[np.integer], owners: int) -> Ints:
    """Shares of each payer's outputs together, so that a subscription follows its own payer's outputs (payer-centric);
    with one owner of all, those of the pool.

    ppb_NW as in `Outputs`, owner_N in [0, owners) -> ppb_PW, which with the unattributed rest add up to 1e9 exactly:
    largest remainder, ties by column. An owner without outputs gets no shares. Raises: LedgerError("bad-outputs").
    """
    rest_N = PPB - ppb_NW.sum(axis=1, dtype=np.int64)
    if (rest_N < 0).any() or len(rest_N) > 2**20 * 8:
        raise LedgerError("bad-outputs", "shares add to more than the whole, or there are more than 8 million outputs")
    sums_PW = np.zeros((owners, ppb_NW.shape[1] + 1), dtype=np.int64)
    np.add.at(sums_PW, owner_N, np.column_stack([rest_N, ppb_NW]))
    return _quantised(sums_PW)[:, 1:]


def _quantised(weights_PW: Ints) -> Ints:
    """weights_PW >= 0 with rows adding up to less than 2**63 / 1000 -> rows adding up to 1e9 (zero rows stay zero).

    Long division, three digits to the base of 1000: each product stays below 2**63.
    """
    whole_P = weights_PW.sum(axis=1)
    divisor_P = np.maximum(whole_P, 1)[:, None]
    parts_PW, rest_PW = np.zeros_like(weights_PW), weights_PW % divisor_P
    whole_parts_PW = weights_PW // divisor_P
    for _ in range(3):
        digit_PW, rest_PW = np.divmod(rest_PW * 1000, divisor_P)
        parts_PW = parts_PW * 1000 + digit_PW
    parts_PW += whole_parts_PW * PPB
    left_P = np.where(whole_P > 0, PPB - parts_PW.sum(axis=1), 0)
    order_PW = np.argsort(-rest_PW, axis=1, kind="stable")
    more_PW = np.zeros_like(parts_PW)
    np.put_along_axis(
        more_PW, order_PW, (np.arange(parts_PW.shape[1])[None, :] < left_P[:, None]).astype(np.int64), axis=1
    )
    return parts_PW + more_PW


def _refuse_shares(size_N: Ints, ppb_NW: Ints, clusters: int) -> None:
    if ppb_NW.shape[1] != clusters:
        raise LedgerError(
            "bad-outputs", f"shares of {ppb_NW.shape[1]} clusters, {clusters} are named", "one column each"
        )
    if len(size_N) and (size_N.min() < 0 or ppb_NW.min() < 0 or ppb_NW.sum(axis=1).max() > PPB):
        raise LedgerError("bad-outputs", "a price does not fit 64 bits, or shares add to more than the whole")
