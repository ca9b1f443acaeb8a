"""Every exception Byline raises. An error says what happened, where, and how to mend it.

    BylineError
    ├── CoreError          a value that breaks a format: float in a hashed record, bad id
    ├── RegistryError      database, catalogue files
    ├── GateError          manifest cannot be frozen or does not verify
    ├── StoreError         a run folder that is missing, torn or altered
    ├── CaptureError       the recorder was used in a way that would lose examples
    ├── LookupFault        text that cannot be searched
    ├── AttributionError   a query that cannot be scored
    ├── EvaluationError    a measurement that cannot be made
    ├── LedgerError        money that would not balance
    ├── CooperativeError   a vote, a membership or an offer that the statutes do not allow
    ├── DisclosureError    a signature, proof or statement that does not verify
    ├── TrainingError      a training that cannot start
    └── AppError           a command used in a way that cannot work

Faults in people's data are not exceptions: they come back as `Problem` values (`core.records`), all at once.
"""


class BylineError(Exception):
    """Base of all errors. `code` is stable and documented in docs/errors.md; `fix` is for a person."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(code, message, fix)  # all three, so that the error survives the way back from a process
        self.code = code
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}" if self.fix else self.message


class CoreError(BylineError): ...


class RegistryError(BylineError): ...


class GateError(BylineError): ...


class StoreError(BylineError): ...


class CaptureError(BylineError): ...


class LookupFault(BylineError): ...


class AttributionError(BylineError): ...


class EvaluationError(BylineError): ...


class LedgerError(BylineError): ...


class CooperativeError(BylineError): ...


class DisclosureError(BylineError): ...


class TrainingError(BylineError): ...


class AppError(BylineError): ...
