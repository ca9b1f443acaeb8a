"""The same rules as Cedar policies: a second engine, written by others, that must agree with our reading of the table.

Two actions carry the outcome. `train` is permitted by a ground that is established, and forbidden by any deny or review
rule that is not excluded. `consider` is permitted by a ground, or a review marked as one, that is at least possible,
and forbidden by a deny rule that applies. Allowed to train: allow. Only to be considered: review. Neither: deny.

A fact that is not established is an absent attribute. Where a rule needs certainty, a test reads
`context has f && ...`; where possibility is enough, `if context has f then ... else true`. Days are numbers of days
since 1970-01-01, and effective dates and the strict reading are conditions too, so that a pack is one text.

Source: Cedar policy language 4 (docs.cedarpolicy.com); cedarpy.
"""

import json
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from typing import Any

from byline.core import GateError
from byline.gate.law.condition import Condition, Every, Question
from byline.gate.law.pack import Effect, Pack, Reading, Rule
from byline.gate.law.ruling import Outcome
from byline.gate.law.vocabulary import Fact, Facts, Value, vocabulary

_EPOCH = date(1970, 1, 1).toordinal()
_ACTIONS = ("train", "consider")
_ANYBODY = "\npermit(principal, action, resource);\n"
_REQUEST = {"principal": 'Operator::"operator"', "resource": 'Work::"work"'}


class CedarEngine:
    """The policies of one pack, validated against the schema of facts.

    Raises: GateError("rights-missing") without cedarpy, GateError("bad-policies") if they do not fit the schema.
    """

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self._cedar = _cedarpy()
        self.text = policies(pack)
        checked = self._cedar.validate_policies(self.text, schema(pack))
        if not checked.validation_passed:
            says = f"policies of {pack.jurisdiction}: {'; '.join(map(str, checked.errors))}"
            raise GateError("bad-policies", says, "report it: the table passed its own check")

    @cached_property
    def _sets(self) -> dict[str, Any]:
        """Parsed policies by action: each request meets only those that could apply to it."""
        return {action: self._cedar.PolicySet.from_str(policies(self.pack, (action,))) for action in _ACTIONS}

    @cached_property
    def _no_entities(self) -> Any:
        return self._cedar.Entities.from_json_str("[]")

    def outcomes(self, vectors: Sequence[Facts], on: date, reading: Reading = Reading.PLAIN) -> list[Outcome]:
        """deny, review or allow for each vector; what is owed is not Cedar's to say.

        Raises: GateError("cedar-failed") if Cedar could not evaluate a policy.
        """
        contexts = [_context(self.pack, facts, on, reading) for facts in vectors]
        train = self._allowed("train", contexts)
        # What may be trained on may be considered, so the second question is put for the rest only.
        rest = iter(self._allowed("consider", [each for each, yes in zip(contexts, train, strict=True) if not yes]))
        return [Outcome.ALLOW if yes else Outcome.REVIEW if next(rest) else Outcome.DENY for yes in train]

    def check(self, read: Sequence[Outcome], vectors: Sequence[Facts], on: date, reading: Reading) -> None:
        """Hold outcomes as we read them against Cedar's. Raises: GateError("engines-differ") naming the facts."""
        found = self.outcomes(vectors, on, reading)
        for ours, outcome, facts in zip(read, found, vectors, strict=True):
            if outcome is not (Outcome.ALLOW if ours.permits else ours):
                says = f"{self.pack.jurisdiction}: read as {ours}, by Cedar {outcome}, for {dict(facts)}"
                raise GateError("engines-differ", says, "use neither; report it with these facts")

    def check_rule(
        self, rule: Rule, answers: Sequence[bool | None], vectors: Sequence[Facts], on: date, reading: Reading
    ) -> None:
        """Hold our answers to one rule (None: undecided) against its policies alone, for facts that it reads.

        Raises: GateError("engines-differ") naming rule and facts.
        """
        contexts = [_context(self.pack, facts, on, reading) for facts in vectors]
        for action, text in _policies(rule):
            forbids = text.find("\nforbid") >= 0
            alone = self._cedar.PolicySet.from_str(text + (_ANYBODY if forbids else ""))
            certain = (action == "train") is not forbids
            for answer, allowed, facts in zip(answers, self._ask(action, contexts, alone), vectors, strict=True):
                if (allowed is not forbids) is not (answer is True if certain else answer is not False):
                    says = f"{rule.id}: read as {answer}, by Cedar {allowed} ({action}), for {dict(facts)}"
                    raise GateError("engines-differ", says, "use neither; report it with these facts")

    def _allowed(self, action: str, contexts: Sequence[dict[str, Any]]) -> list[bool]:
        return self._ask(action, contexts, self._sets[action])

    def _ask(self, action: str, contexts: Sequence[dict[str, Any]], policies: Any) -> list[bool]:
        requests = [_REQUEST | {"action": f'Action::"{action}"', "context": context} for context in contexts]
        results = self._cedar.is_authorized_batch(requests, policies, self._no_entities)
        errors = [error for result in results for error in result.diagnostics.errors]
        if errors:
            raise GateError("cedar-failed", f"{self.pack.jurisdiction}: {errors[0]}", "report it with the facts used")
        return [bool(result.allowed) for result in results]


def policies(pack: Pack, actions: tuple[str, ...] = _ACTIONS) -> str:
    """The rules as Cedar text, with annotations. Duties are not policies: they decide nothing."""
    head = f"// {pack.title}: {pack.version}, {pack.status}. Made from the tables in byline/gate/law/packs.\n"
    return head + "\n".join(text for rule in pack.rules for action, text in _policies(rule) if action in actions)


def _policies(rule: Rule) -> list[tuple[str, str]]:
    """(action, policy) of a rule."""
    certain, possible = _text(rule.when, certain=True), _text(rule.when, certain=False)
    if rule.effect is Effect.ALLOW:
        return [_policy(rule, "permit", "train", certain), _policy(rule, "permit", "consider", possible)]
    if rule.effect is Effect.DENY:
        return [_policy(rule, "forbid", "train", possible), _policy(rule, "forbid", "consider", certain)]
    if rule.effect is Effect.DUTY:
        return []
    if rule.ground:
        return [_policy(rule, "permit", "consider", possible)]
    return [_policy(rule, "forbid", "train", possible)]


def _policy(rule: Rule, verb: str, action: str, condition: str) -> tuple[str, str]:
    notes = {
        "id": rule.id,
        "jurisdiction": rule.jurisdiction,
        "cite": "; ".join(rule.cite),
        "evidence": ", ".join(rule.evidence),
        "because": rule.because,
    }
    lines = [f"@{name}({json.dumps(text, ensure_ascii=False)})" for name, text in notes.items()]
    when = " && ".join([*_bounds(rule), f"({condition})"])
    lines += [f'{verb}(principal, action == Action::"{action}", resource)', f"when {{ {when} }};\n"]
    return action, "\n".join(lines)


def _bounds(rule: Rule) -> list[str]:
    """When the rule holds at all."""
    since = [f"context.on >= {_number(rule.effective_from)}"] if rule.effective_from else []
    until = [f"context.on < {_number(rule.effective_to)}"] if rule.effective_to else []
    return since + until + (["context.strict"] if rule.reading is Reading.STRICT else [])


def _text(condition: Condition, certain: bool) -> str:
    if isinstance(condition, Question):
        question = _question(condition)
        question = f"!({question})" if condition.negated else question
        known = f"context has {condition.fact}"
        return f"({known} && {question})" if certain else f"(if {known} then {question} else true)"
    joint = " && " if isinstance(condition, Every) else " || "
    return f"({joint.join(_text(part, certain) for part in condition.parts)})"


def _question(test: Question) -> str:
    fact = f"context.{test.fact}"
    if test.operation == "in_force":
        return f"{fact} >= context.on"
    if test.operation in ("at_least", "at_most"):
        return f"{fact} {'>=' if test.operation == 'at_least' else '<='} {test.operands[0]}"
    if test.operation == "covers":
        return f"{fact}.containsAny({json.dumps(test.operands)})"
    if isinstance(test.operands[0], bool):
        return fact if test.operands[0] else f"!{fact}"
    return f"{json.dumps(test.operands)}.contains({fact})"


def schema(pack: Pack) -> str:
    """The Cedar schema (JSON) of the facts that the pack reads: all optional but the day and the reading."""
    facts = {name: _attribute(vocabulary().fact(name)) | {"required": False} for name in pack.facts}
    always = {"on": {"type": "Long", "required": True}, "strict": {"type": "Boolean", "required": True}}
    context = {"type": "Record", "attributes": facts | always}
    applies = {"principalTypes": ["Operator"], "resourceTypes": ["Work"], "context": context}
    actions = {action: {"appliesTo": applies} for action in _ACTIONS}
    return json.dumps({"": {"entityTypes": {"Operator": {}, "Work": {}}, "actions": actions}})


def _attribute(fact: Fact) -> dict[str, Any]:
    if fact.kind == "places":
        return {"type": "Set", "element": {"type": "String"}}
    return {"type": {"yes-no": "Boolean", "choice": "String", "number": "Long", "day": "Long"}[fact.kind]}


def _context(pack: Pack, facts: Facts, on: date, reading: Reading) -> dict[str, Any]:
    known = {name: _encoded(facts[name]) for name in pack.facts if name in facts}
    return known | {"on": _number(on), "strict": reading is Reading.STRICT}


def _encoded(value: Value) -> Any:
    if isinstance(value, date):
        return _number(value)
    return sorted(value) if isinstance(value, frozenset) else value


def _number(day: date) -> int:
    return day.toordinal() - _EPOCH


def _cedarpy() -> Any:
    try:
        import cedarpy
    except ImportError as fault:
        raise GateError("rights-missing", "cedarpy is not installed", "pip install 'byline[rights]'") from fault
    return cedarpy
