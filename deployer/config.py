"""What a model server should be."""

import json
import re
import unicodedata
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MAX_NAME = 255
GPUS_SEEN = "CUDA_VISIBLE_DEVICES"
MAX_CONFIG_BYTES = 16 * 1024
MEMORY_UNITS = {
    **{"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12},
    **{"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40},
}
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET_REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|prefect:[^/]+/.+|kubernetes:[^/]+/.+)")
IN_FORMS = {"type": "string", "pattern": f"^{SECRET_REFERENCE.pattern}$"}
"""Has Prefect's API refuse a secret in place of its reference before it stores it among a run's parameters."""


def _plain_text(value: str) -> str:
    if value != value.strip():
        raise ValueError("blanks at the start or the end are not allowed: remove them")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValueError("control characters and halves of surrogate pairs are not allowed")
    return value


def _name(value: str) -> str:
    name = unicodedata.normalize("NFC", _plain_text(value))
    if len(name) > MAX_NAME:
        raise ValueError(f"at most {MAX_NAME} characters are allowed, these are {len(name)}")
    return name


def _variables(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an environment variable")
        if "\0" in value or any(unicodedata.category(character) == "Cs" for character in value):
            raise ValueError(f"the value of {name} holds a NUL character, or half of a surrogate pair")
    return values


def _secret_references(values: dict[str, str]) -> dict[str, str]:
    for name, reference in _variables(values).items():
        if not SECRET_REFERENCE.fullmatch(reference):
            raise ValueError(
                f"the secret of {name} must be a reference (env:NAME, file:/path, prefect:block/name, "
                "kubernetes:secret/key), never the secret itself"
            )
    return values


def secret_reference(reference: str) -> str:
    """It, if it is a reference; what is none may be a secret, so it is not told."""
    if not SECRET_REFERENCE.fullmatch(reference):
        raise ValueError("give a reference (env:NAME, file:/path, prefect:block/name), never the token itself")
    return reference


PlainText = Annotated[str, AfterValidator(_plain_text)]
Name = Annotated[str, AfterValidator(_name)]


class Section(BaseModel):
    """A part of a config that folds away in a form."""

    # JSON knows no infinite number: what held one would not read back.
    # What is given wrongly may be a secret in place of its reference, so no error shows it.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class Probes(Section):
    """How it is told whether a server is ready."""

    path: str = Field(
        default="", title="Path", description="HTTP path that answers 200 when ready; the runtime's own when empty."
    )
    startup_s: float = Field(
        default=300, gt=0, title="Startup seconds", description="How long it may take from its start until ready."
    )
    settle_s: float = Field(
        default=1, ge=0, title="Settle seconds", description="How long it must stay ready before it takes traffic."
    )
    timeout_s: float = Field(
        default=2, gt=0, title="Timeout seconds", description="How long one answer to a health check may take."
    )
    restart_hung_s: float = Field(
        default=0,
        ge=0,
        title="Restart hung seconds",
        description="How long it may not answer, once over its startup seconds, until reconcile kills and starts it "
        "again; 0: it is left alone.",
    )


class Drain(Section):
    """How an old revision ends."""

    drain_s: float = Field(
        default=1, ge=0, title="Drain seconds", description="How long it runs on after the traffic has left it."
    )
    grace_s: float = Field(
        default=30, ge=0, title="Grace seconds", description="How long it may finish what it has before it is killed."
    )


class Access(Section):
    """Who may call the server."""

    token: Annotated[str, AfterValidator(secret_reference)] = Field(
        title="Token",
        description="Reference to the token that callers must show: env:NAME, file:/path, prefect:block/name.",
        json_schema_extra={**IN_FORMS},
    )


class Provenance(Section):
    """Where a config came from; filled in from the Prefect run when not given."""

    pipeline_name: str = Field(default="", title="Flow", description="Name of the flow.")
    pipeline_run_id: str = Field(default="", title="Flow run", description="Id of the flow run.")
    pipeline_step_name: str = Field(default="", title="Task", description="Name of the task.")


class Resources(Section):
    """How much of a machine the server may use."""

    cpu: float | None = Field(
        default=None, gt=0, title="CPU", description="How many cores it may keep busy; as many as there are when empty."
    )
    memory: str = Field(
        default="",
        pattern="^([1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)?)?$",
        title="Memory",
        description="How much memory it may have, as 512Mi or 2G; no limit when empty.",
    )
    gpu: int = Field(default=0, ge=0, title="GPUs", description="How many GPUs it has for itself.")

    @property
    def memory_bytes(self) -> int | None:
        """Its memory in bytes; None where it has no limit."""
        number = self.memory.rstrip("kKMGTi")
        return int(number) * MEMORY_UNITS.get(self.memory[len(number) :], 1) if number else None


class Command(Section):
    """A command line of the user's own that serves HTTP; used by the runtime `command`."""

    line: str = Field(
        default="",
        title="Command line",
        description="What to run; {port} and {model} stand for the port to listen on and the model's folder or file, "
        "{python} for the interpreter of its Python environment. In a container the image's own when empty.",
    )
    readiness_path: str = Field(
        default="/ping", pattern="^/", title="Readiness path", description="HTTP path that answers 200 when ready."
    )
    prediction_path: str = Field(
        default="/", pattern="^/", title="Prediction path", description="HTTP path that takes prediction requests."
    )


class Docker(Section):
    """The container; used by the flavor docker."""

    image: str = Field(
        default="",
        pattern="^[^\\s]*$",
        title="Image",
        description="The image that serves the model, pulled where the engine lacks it; the deployer's own setting, "
        "the runtime's, or one built for the model when empty.",
    )
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        title="Port",
        description="The port that the server listens on in its container, which {port} and PORT say too; the "
        "runtime's, or the only one that the image exposes, when empty.",
    )


class ModelServerConfig(BaseModel):
    """What a model server should be; checked whole before anything is touched."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), hide_input_in_errors=True)

    model_uri: PlainText = Field(
        min_length=1,
        title="Model URI",
        description="Where the model is: a path, or a URI that begins with file:, http:, https:, s3:, gs:, az:, hf:, "
        "models: or runs:.",
    )
    model_name: Name = Field(
        default="", title="Model name", description="Name of the model; one of the two names must be given."
    )
    name: Name = Field(
        default="", title="Server name", description="Name of the server; derived from the model's name when empty."
    )
    model_type: Name = Field(
        default="", title="Model type", description="Free text to find by; what the model says of itself when empty."
    )
    runtime: str = Field(default="mlflow", title="Runtime", description="How the model becomes an HTTP server.")
    environment: Literal["current", "isolated", "unchecked"] = Field(
        default="current",
        title="Python environment",
        description="Where the model's requirements.txt is met. current: by what is installed here, which is checked "
        "first. isolated: in a virtual environment of its own, built by uv before the rollout begins, and shared by "
        "all that ask for the same. unchecked: here, whatever is installed.",
    )
    rollout: Literal["replace", "recreate"] = Field(
        default="replace",
        title="Rollout",
        description="How traffic moves to this revision. replace: it starts beside the old one, and no request fails. "
        "recreate: the old one is stopped first, for where there is no room for both. That causes an outage: "
        "503 until this one is ready, or the old one is back.",
    )
    replicas: int = Field(default=1, ge=1, title="Replicas", description="How many copies serve at the same time.")
    env: Annotated[dict[str, str], AfterValidator(_variables)] = Field(
        default={},
        title="Environment variables",
        description="Environment variables of the server; stored as they are.",
    )
    secrets: Annotated[dict[str, str], AfterValidator(_secret_references)] = Field(
        default={},
        title="Secrets",
        description="Environment variables by reference: env:NAME, file:/path, prefect:block/name.",
        json_schema_extra={"additionalProperties": {**IN_FORMS}},
    )
    credentials: Annotated[dict[str, str], AfterValidator(_secret_references)] = Field(
        default={},
        title="Credentials",
        description="Environment variables by reference, like secrets, for whoever fetches the model, not its server.",
        json_schema_extra={"additionalProperties": {**IN_FORMS}},
    )
    resources: Resources | None = Field(
        default=None, title="Resources", description="How much of a machine it may use."
    )
    probes: Probes | None = Field(default=None, title="Probes", description="How it is told whether it is ready.")
    drain: Drain | None = Field(default=None, title="Drain", description="How an old revision ends.")
    access: Access | None = Field(
        default=None, title="Access", description="Who may call it, where that is not as for all servers there."
    )
    provenance: Provenance | None = Field(
        default=None, title="Provenance", description="Where it came from; the Prefect run's when empty."
    )
    command: Command | None = Field(
        default=None, title="Command", description="The command line, for the runtime named command."
    )
    docker: Docker | None = Field(
        default=None, title="Docker", description="The container, for the flavor named docker."
    )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not (self.name or self.model_name):
            raise ValueError("give at least one of `name` (the server's) and `model_name` (the model's)")
        if both := self.env.keys() & self.secrets.keys():
            raise ValueError(f"{', '.join(sorted(both))}: in `env` and in `secrets`; give each variable once")
        if self.resources and self.resources.gpu and GPUS_SEEN in self.env.keys() | self.secrets.keys():
            raise ValueError(f"{GPUS_SEEN} is set by `resources.gpu`: give one of the two")
        size = len(json.dumps(self.model_dump(mode="json")))
        if size > MAX_CONFIG_BYTES:
            raise ValueError(f"a config may hold {MAX_CONFIG_BYTES} bytes as JSON, this one has {size}")
        return self

    def without_provenance(self) -> Self:
        """The config as far as it decides what serves."""
        return self.model_copy(update={"provenance": None})
