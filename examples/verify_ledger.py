"""Verify a Byline ledger without Byline: Python's standard library alone.

    byline journal --export json --to ledger.jsonl && python verify_ledger.py ledger.jsonl

Computes every allocation, hash and balance again; prints the balances. Status 1, and why, if anything differs.
"""

import json
import sys
from collections import Counter, defaultdict
from fractions import Fraction
from hashlib import sha256 as sha
from math import lcm
from pathlib import Path

PPM, PPB = 10**6, 10**9
WAITS = {"attributed": "attribution", "all": "attribution training prior"}  # of new works, by the policy's probation


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root(level):  # RFC 6962, over hashed leaves
    while len(level) > 1:
        pairs = [sha(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0] if level else sha(b"").digest()


def divide(total, weights, salt):  # largest remainder: quotas rounded down, what is left to the largest fractions
    whole, size = sum(weights.values()), abs(total)
    quota = {name: Fraction(size * weight, whole or 1) for name, weight in weights.items()}
    parts = {name: int(q) for name, q in quota.items()}
    first = sorted(quota, key=lambda n: (parts[n] - quota[n], sha(f"{salt}\n{n}".encode()).hexdigest()))
    more = set(first[: size - sum(parts.values())])
    return {name: (part + (name in more)) * (1 if total >= 0 else -1) for name, part in parts.items()}


def prior(told):
    rule, stakes = told["terms"]["policy"]["prior"], told["stakes"]
    if rule == "equal-per-catalogue":
        size = Counter(s.get("catalogue", "") for s in stakes)
        return {s["cluster"]: lcm(*size.values()) // size[s.get("catalogue", "")] for s in stakes}
    return {s["cluster"]: s["length"] if rule == "by-length" else 1 for s in stakes}


def by_shares(event, net, told, policy):  # "basis cluster" -> nano-units, by the rule of money
    tau, lam, cap = policy["train_share_ppm"], told["terms"]["reliability"]["lambda_ppm"], policy.get("cap_ppm", PPM)
    share = {s["id"]: min(s["ppb"], cap * 1000) for s in told["shares"]["lines"]}
    weight, rest = prior(told), PPB - sum(share.values())
    whole, to_prior = sum(weight.values()), (PPM - lam) * PPB
    if policy["unattributed"] == "prior":
        to_prior, rest = to_prior + lam * rest, 0
    weights = {"unattributed None": (PPM - tau) * lam * rest * whole}
    for c, w in weight.items():
        weights[f"training {c}"], weights[f"prior {c}"] = tau * PPM * PPB * w, (PPM - tau) * to_prior * w
        weights[f"attribution {c}"] = (PPM - tau) * lam * share.get(c, 0) * whole
    return divide(net, weights, event)


def by_outputs(sums, told, policy):
    rest, to_prior = int(sums["unattributed_nano"]), policy["unattributed"] == "prior"
    found = {f"attribution {c}": int(n) for c, n in sums["clusters"]} | {"unattributed None": 0 if to_prior else rest}
    for basis, extra in (("training", 0), ("prior", rest * to_prior)):
        parts = divide(int(sums[f"{basis}_nano"]) + extra, prior(told), f"{sums['event']} {basis}")
        found |= {f"{basis} {c}": nano for c, nano in parts.items()}
    return found


def by_use(event, net, told, mode):
    cluster, weights = {w: s["cluster"] for s in told["stakes"] for w, _ in s["works"]}, Counter()
    for use in (use for use in told.get("uses", []) if use["event"] == event):
        c = cluster[use["work"]]
        weights[c] = 1 if mode == "flat-per-work" else weights[c] + use.get("count", 1)
    return {f"{mode.removesuffix('-per-work')} {c}": nano for c, nano in divide(net, weights, event).items()}


def settle(told):  # (event id, day, currency, account -> nano-units) of each event
    policy, sums = told["terms"]["policy"], {s["event"]: s for s in told.get("outputs", [])}
    works, mode = {s["cluster"]: dict(s["works"]) for s in told["stakes"]}, policy.get("mode", "by-shares")
    bases, new = WAITS.get(policy.get("probation"), "").split(), [s["cluster"] for s in told["stakes"] if s.get("new")]
    splits = sorted(told["splits"], key=lambda s: s["effective"])
    for event in told["events"]:
        name, gross, legs = event["id"], int(event["amount_nano"]), Counter()
        for account, rate in (("income:commission", "commission"), ("held:reserve", "reserve")):
            down = abs(gross) * policy[f"{rate}_ppm"] // PPM * (1 if gross >= 0 else -1)
            legs[account] -= int(sums[name][f"{rate}_nano"]) if name in sums else down
        net = gross + sum(legs.values())
        if mode != "by-shares":
            found = by_use(name, net, told, mode)
        else:
            found = by_outputs(sums[name], told, policy) if name in sums else by_shares(name, net, told, policy)
        lines_of = {s["work"]: s["lines"] for s in splits if s["effective"] <= event["received"]}
        legs["held:commons"] -= found.pop("unattributed None", 0)
        for key, nano in found.items():
            basis, cluster = key.split(" ", 1)
            agreed = {} if basis in bases and cluster in new else lines_of
            for work, part in divide(nano, works[cluster], f"{name} {basis} {cluster}").items():
                weights = Counter()
                for party, ppm in agreed.get(work, []):
                    weights[f"payable:{party}"] += ppm
                weights[f"held:unclaimed:{work}"] = PPM - sum(weights.values())
                legs.subtract(divide(part, weights, f"{name} {basis} {work}"))
        legs["assets:receivable"] += gross
        yield name, event["received"], event["currency"], legs


def due(run, inputs, posted):  # (reference, day, currency, account -> nano-units) of every posting of a run
    if "postings" in inputs:
        for p in inputs["postings"]:
            yield p["reference"], p["effective"], p["currency"], {a: int(n) for a, n in p["legs"]}
    elif "replaces" in inputs:
        for event, _, currency, legs in settle(inputs["settlement"]):
            legs.subtract(posted[event])
            if any(legs.values()):
                yield f"{event}~{run}", inputs["effective"], currency, legs
    else:
        yield from settle(inputs)


def main(path):
    head, *rest = map(json.loads, Path(path).read_text(encoding="utf-8").strip("\n").split("\n"))
    runs = {line["run"]: line["inputs"] for line in rest if "run" in line}
    entries = [line["entry"] for line in rest if "entry" in line]
    by_run, posted, balances, faults, leaves = defaultdict(dict), defaultdict(Counter), Counter(), [], []
    for seq, entry in enumerate(entries, 1):
        leaves.append(sha(b"\0" + canonical({name: value for name, value in entry.items() if name != "leaf"})).digest())
        moves = {account: int(nano) for account, nano in entry["legs"]}
        if entry["seq"] != seq or leaves[-1].hex() != entry["leaf"] or sum(moves.values()):
            faults.append(f"entry {seq}: number, hash or sum is wrong")
        by_run[entry["settlement"]][entry["reference"]] = (entry["effective"], entry["currency"], moves)
        balances.update({(entry["currency"], account): nano for account, nano in moves.items()})
    if head != {"format": "byline-ledger/1", "size": len(entries), "root": root(leaves).hex()}:
        faults.append("the head is not that of these entries")
    if runs.keys() != by_run.keys() or sum(map(len, by_run.values())) != len(entries):
        faults.append("a run without entries, an entry without run, or a reference that stands twice")
    for run, inputs in runs.items():
        if run != f"{run.split(':')[0]}:{sha(canonical([sha(canonical(inputs)).hexdigest()])).hexdigest()[:20]}":
            faults.append(f"{run}: its id is not the hash of its inputs")
        again = {r: (day, ccy, {a: n for a, n in legs.items() if n}) for r, day, ccy, legs in due(run, inputs, posted)}
        if again != by_run[run]:
            faults.append(f"{run}: computed again, it posts something else")
        for reference, (_, _, moves) in by_run[run].items():
            posted[reference.removesuffix(f"~{run}")].update(moves)
    print(*(f"{currency} {account} {nano}\n" for (currency, account), nano in sorted(balances.items())), sep="", end="")
    print(*faults or [f"{len(entries)} entries, {len(runs)} runs: all of it holds"], sep="\n", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
