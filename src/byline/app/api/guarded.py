"""Completions held against the works: whole ones, and those that come as a stream. Only what was checked goes on.

Of each choice the words are passed on, and what is no word of the model's (roles, counts, reasons for its end). Fields
that carry words in another form, such as tool calls, log-probabilities or reasoning, are left out: what cannot be held
against the works is not let through.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from byline.lookup import Guard, GuardReport, GuardStream

Told = dict[str, Any]
PASSED_ON = ("id", "object", "created", "model", "system_fingerprint", "usage")
BLOCKED = "content_filter"  # the reason for an end that clients of this protocol know
SAYS = "The rest was held back: it would repeat, word for word or nearly, a work whose contributor said no."


def report_told(report: GuardReport) -> Told:
    """Verdict and reasons. Not the passage: it may be long, and the works of others are not ours to send."""
    told: Told = {"action": str(report.action), "policy": report.policy, "words": report.words}
    told["reasons"] = [reason.to_json() for reason in report.reasons]
    return told


@dataclass
class Checked:
    """One answer of the model while it is checked: a stream for each choice, and the verdicts so far."""

    guard: Guard
    receipt: str
    choices: int = 1  # how many were asked for
    against: Told = field(default_factory=dict)  # how many works it is held against
    streams: dict[int, GuardStream] = field(default_factory=dict)
    told: dict[int, Told] = field(default_factory=dict)
    shown: dict[int, Any] = field(default_factory=dict)  # digests of what was let through
    model: str = ""
    broken: str = ""  # why the answer ended before its end

    def record(self) -> Told:
        """What a receipt says of the answer; a choice that nobody waited for is judged by what there is of it."""
        for index in set(self.streams) - set(self.told):
            self._close(index)
        return {
            "model": self.model,
            "choices": [self._choice_told(n) for n in sorted(self.told)],
            "broken": self.broken,
        }

    def _choice_told(self, index: int) -> Told:
        verdict = {name: value for name, value in self.told[index].items() if name != "policy"}
        return {"index": index, **verdict, "released_sha256": self.shown[index].hexdigest()}

    def mark(self, told: Told, index: int) -> Told:
        """The verdict on a choice, beside it."""
        verdict = self.told[index]
        says = {"says": SAYS} if verdict["action"] == "block" else {}
        return told | {"byline": {"receipt": self.receipt, **verdict, **says}}

    # --- whole answers

    def whole(self, answer: Mapping[str, Any], chat: bool) -> Told:
        """The answer with each choice cut where it was blocked. Raises: ValueError if it is none."""
        self.model = _name(answer)
        choices = [self._choice(each, chat) for each in answer["choices"]]
        return _shell(answer) | {"choices": choices, "byline": {"receipt": self.receipt}}

    def _choice(self, choice: Mapping[str, Any], chat: bool) -> Told:
        index, text = int(choice.get("index", 0)), _words(choice, chat, "message")
        released = self._push(index, text) + self._close(index)
        blocked = self.told[index]["action"] == "block"
        told: Told = {"index": index, "finish_reason": BLOCKED if blocked else choice.get("finish_reason")}
        if chat:
            told["message"] = {"role": "assistant", "content": released}
        else:
            told["text"] = released
        return self.mark(told, index)

    # --- streams

    def event(self, chunk: Mapping[str, Any], chat: bool) -> list[Told]:
        """What of a chunk may go on now, as chunks; none while everything is held back. Raises: ValueError."""
        self.model = _name(chunk) or self.model
        choices = [told for each in chunk["choices"] for told in self._part(each, chat)]
        passed = [_shell(chunk) | {"choices": [each], "byline": {"receipt": self.receipt}} for each in choices]
        if not chunk["choices"] and chunk.get("usage"):
            passed.append(_shell(chunk) | {"choices": []})
        return passed

    @property
    def stopped(self) -> bool:
        """Whether every choice was ended by a block, so that nothing more is worth waiting for."""
        return len(self.told) >= self.choices and all(each["action"] == "block" for each in self.told.values())

    def rest(self, last: Mapping[str, Any], chat: bool) -> list[Told]:
        """What was still held back when the stream ended without saying so."""
        open_ = [index for index in self.streams if index not in self.told]
        return [_shell(last) | {"choices": [self._end(index, "", None, chat)]} for index in open_]

    def _part(self, choice: Mapping[str, Any], chat: bool) -> list[Told]:
        index = int(choice.get("index", 0))
        if index in self.told:
            return []  # it was ended
        released = self._push(index, _words(choice, chat, "delta"))
        if self.streams[index].blocked or choice.get("finish_reason"):
            return [self._end(index, released, choice.get("finish_reason"), chat)]
        role = chat and bool((choice.get("delta") or {}).get("role"))
        return [_delta(index, released, None, chat, role)] if released or role else []

    def _end(self, index: int, released: str, reason: str | None, chat: bool) -> Told:
        released += self._close(index)
        blocked = self.told[index]["action"] == "block"
        return self.mark(_delta(index, released, BLOCKED if blocked else reason or "stop", chat, False), index)

    # --- the guard

    def _push(self, index: int, text: str) -> str:
        if index not in self.streams:
            self.streams[index], self.shown[index] = self.guard.stream(), hashlib.sha256()
        return self._let_through(index, self.streams[index].push(text))

    def _close(self, index: int) -> str:
        report = self.streams[index].close()
        self.told[index] = report_told(report)
        return self._let_through(index, self.streams[index].rest)

    def _let_through(self, index: int, released: str) -> str:
        self.shown[index].update(released.encode())
        return released


def _shell(told: Mapping[str, Any]) -> Told:
    return {name: told[name] for name in PASSED_ON if name in told}


def _name(told: Mapping[str, Any]) -> str:
    """What the server calls its model."""
    return str(told.get("model", "")).encode("utf-8", "replace").decode()[:200]


def _words(choice: Mapping[str, Any], chat: bool, where: str) -> str:
    """Raises: ValueError if they are no text."""
    words = (choice.get(where) or {}).get("content") if chat else choice.get("text")
    if words is not None and not isinstance(words, str):
        raise ValueError("the words of a choice are no text")
    (words or "").encode()  # half of a pair of surrogates is no text either: UnicodeEncodeError is a ValueError
    return words or ""


def _delta(index: int, text: str, reason: str | None, chat: bool, role: bool) -> Told:
    told: Told = {"index": index, "finish_reason": reason}
    if not chat:
        return told | {"text": text}
    return told | {"delta": ({"role": "assistant"} if role else {}) | ({"content": text} if text else {})}


def sse(told: Told) -> bytes:
    """As one server-sent event."""
    return f"data: {json.dumps(told, ensure_ascii=False)}\n\n".encode()
