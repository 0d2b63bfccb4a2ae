"""Everything this library raises, as one small tree.

DeployerError
├── Transient                    worth another try: tenacity inside, Prefect's retry outside
│   ├── EngineUnavailable
│   ├── GatewayDown
│   ├── PrefectUnavailable
│   └── SourceUnavailable
├── InvalidRequest               asked for wrongly: nothing was touched
│   ├── InvalidConfig
│   ├── Unsupported
│   └── UnknownName
├── ModelError
│   ├── ModelNotFound
│   ├── AccessDenied
│   ├── ModelChanged
│   ├── InvalidModel
│   ├── ModelGone
│   │   └── EnvironmentGone      never reaches a caller: it is built again
│   ├── EnvironmentMismatch
│   ├── ImageUnusable
│   └── EnvironmentFailed
├── ServerNotFound
├── ServerAlreadyExists
├── NothingToRollBackTo
├── SecretUnresolved
├── RolloutError                 the new revision does not serve
│   ├── RevisionRefused
│   ├── RolloutTimeout
│   ├── Superseded
│   └── ServerStopped
├── EngineError                  the platform says no, and will say so again
│   ├── StateDirectoryUnusable
│   ├── PortTaken
│   ├── DevicesTaken
│   └── LifecycleTimeout
├── PredictionFailed
└── Conflict                     somebody else was first: look again (never reaches a caller)
    ├── WorkloadExists
    └── RouteMoved
"""


class DeployerError(Exception):
    """What happened, what still serves, and what to do next.

    Args:
        what: what happened, a sentence.
        serving: what still serves, empty when nothing is known of it.
        hint: what to do next.
    """

    def __init__(self, what: str, *, serving: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.serving = serving
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.serving, self.hint) if part)


class Transient(DeployerError):
    """Worth another try as it is."""


class EngineUnavailable(Transient):
    """The platform did not answer, or answered that it cannot just now."""


class GatewayDown(Transient):
    """The gateway does not answer, or did not acknowledge a route in time."""


class PrefectUnavailable(Transient):
    """The Prefect server does not answer."""


class SourceUnavailable(Transient):
    """Where the model is cannot be reached, or answers that it cannot just now."""


class InvalidRequest(DeployerError):
    """Asked for wrongly; nothing was touched."""


class InvalidConfig(InvalidRequest):
    """A config or settings whose fields do not hold together."""


class Unsupported(InvalidRequest):
    """A valid wish that this flavor cannot fulfil."""


class UnknownName(InvalidRequest):
    """A flavor, runtime or block of that name does not exist."""


class ModelError(DeployerError):
    """The model itself is the trouble."""


class ModelNotFound(ModelError):
    """Nothing stands at the model's URI."""


class AccessDenied(ModelError):
    """Where the model is, the credentials given, or none, do not suffice."""


class ModelChanged(ModelError):
    """The model became another one while it was fetched, or is not what its source says it is."""


class InvalidModel(ModelError):
    """What stands there is no model that the runtime can serve."""


class ModelGone(ModelError):
    """The bytes of a revision can no longer be had."""


class EnvironmentGone(ModelGone):
    """The Python environment of a revision is not here."""


class EnvironmentMismatch(ModelError):
    """The model's requirements are not met where it would be served."""


class ImageUnusable(ModelError):
    """The container image cannot be had, or does not run where it would serve."""


class EnvironmentFailed(ModelError):
    """An environment with the model's requirements could not be built.

    Attributes:
        log_tail: the last lines of what builds it.
    """

    def __init__(self, what: str, *, serving: str = "", hint: str = "", log_tail: str = "") -> None:
        super().__init__(what, serving=serving, hint=hint)
        self.log_tail = log_tail

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.log_tail, self.serving, self.hint) if part)


class ServerNotFound(DeployerError):
    """No model server has that UUID or name."""


class ServerAlreadyExists(DeployerError):
    """The name asked for belongs to another model server."""


class NothingToRollBackTo(DeployerError):
    """No earlier revision that served is known."""


class SecretUnresolved(DeployerError):
    """A secret's reference leads nowhere."""


class RolloutError(DeployerError):
    """The new revision does not serve."""


class RevisionRefused(RolloutError):
    """The new revision never became ready.

    Attributes:
        status: what the platform saw of it, in words.
        exit_code: of its process, where it ended and the platform knows.
        log_tail: the last lines it wrote.
    """

    def __init__(
        self,
        what: str,
        *,
        serving: str = "",
        hint: str = "",
        status: str = "",
        exit_code: int | None = None,
        log_tail: str = "",
    ) -> None:
        super().__init__(what, serving=serving, hint=hint)
        self.status = status
        self.exit_code = exit_code
        self.log_tail = log_tail

    def __str__(self) -> str:
        tail = f"last log lines:\n{self.log_tail}" if self.log_tail else ""
        return "\n".join(part for part in (self.what, tail, self.serving, self.hint) if part)


class RolloutTimeout(RevisionRefused):
    """The caller's time ran out before the new revision took traffic."""


class Superseded(RolloutError):
    """A later deploy won."""


class ServerStopped(RolloutError):
    """The server was stopped while the rollout was under way, or does not run."""


class EngineError(DeployerError):
    """The platform says no, and will say so again."""


class StateDirectoryUnusable(EngineError):
    """The state directory cannot be written, or lies where locks do not hold."""


class PortTaken(EngineError):
    """A port that was asked for belongs to somebody else."""


class DevicesTaken(EngineError):
    """Others have the GPUs that were asked for."""


class LifecycleTimeout(EngineError):
    """Starting, stopping or deleting took longer than the caller allowed."""


class PredictionFailed(DeployerError):
    """The server answered a prediction with an error, or not at all.

    Attributes:
        status: the HTTP status, 0 where no answer came.
    """

    def __init__(self, what: str, *, serving: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(what, serving=serving, hint=hint)
        self.status = status


class Conflict(DeployerError):
    """Somebody else was first: look again."""


class WorkloadExists(Conflict):
    """The server has a workload of that revision already."""


class RouteMoved(Conflict):
    """The route is no longer the one that was observed, or may not name that revision."""
