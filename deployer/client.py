"""Asks a model server for predictions."""

import base64
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployer import secrets
from deployer.config import SECRET_REFERENCE
from deployer.errors import InvalidRequest, PredictionFailed, ServerStopped, UnknownName
from deployer.gateway import TOKEN_USER
from deployer.http import Answer, NoAnswer, request
from deployer.plain import is_frame, plain, split
from deployer.runtimes import command, mlflow
from deployer.server import ModelServer, State

MAX_MESSAGE = 600
EXAMPLE_ROWS = [[5.1, 3.5, 1.4, 0.2]]
MLFLOW_KEYS = frozenset({"inputs", "instances", "dataframe_split", "dataframe_records"})


@dataclass(frozen=True)
class Protocol:
    """How a kind of server is asked.

    Attributes:
        question: from data to what is sent, as plain JSON values.
        prediction: from the answer to what the caller gets.
    """

    question: Callable[[Any], Any]
    prediction: Callable[[Any], Any]


def predict(server: ModelServer, data: Any, timeout: float = 60, token: str = "") -> Any:
    """What the model server predicts for `data`.

    Args:
        data: lists, dicts, numpy arrays or pandas objects; a dict that is a request of the server's protocol
            already is sent as it is. Missing numbers are sent as null, dates in ISO 8601, bytes in base 64.
        timeout: seconds for the whole request.
        token: reference to the token to show (env:NAME, file:/path, prefect:block/name); the server's own when empty.

    Raises:
        ServerStopped: the server is stopped; nothing was sent.
        PredictionFailed: it answered with an error, or not at all.
        InvalidRequest: the data cannot be sent as JSON; nothing was sent.
        SecretUnresolved: the token cannot be had here; nothing was sent.
    """
    if server.state is State.STOPPED:
        raise ServerStopped(f"The model server {server.name!r} is stopped.", hint=f"Start it: {_cli('start', server)}")
    if timeout <= 0:
        raise InvalidRequest(f"A timeout of {timeout:g} s leaves no time to answer.", hint="Give a positive number.")
    protocol = _protocol(server)
    body = json.dumps(protocol.question(data), allow_nan=False).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json", **_shown(token or server.token)}
    return protocol.prediction(_content(server, _ask(server, body, headers, timeout)))


def example_question(server: ModelServer) -> Any:
    """A question as it is sent, for four numbers; such as to be replaced by one of the model's own."""
    protocol = PROTOCOLS.get(server.protocol)
    return protocol.question(EXAMPLE_ROWS) if protocol else EXAMPLE_ROWS


def curl(server: ModelServer) -> str:
    """The same question as a command of a shell's, which shows the token where one is asked for."""
    user = f'-u "{TOKEN_USER}:$TOKEN" ' if server.token else ""
    question = shlex.quote(json.dumps(example_question(server)))
    return f"curl {user}{shlex.quote(server.prediction_url)} -H 'Content-Type: application/json' -d {question}"


def _shown(token: str) -> dict[str, str]:
    """The header that shows a token, read now."""
    if not token:
        return {}
    if not SECRET_REFERENCE.fullmatch(token):
        # Without its text: it may be the token itself.
        hint = "Give env:NAME, file:/path or prefect:block/name, never the token itself."
        raise InvalidRequest("The token is not given by reference.", hint=hint)
    shown = base64.b64encode(f"{TOKEN_USER}:{secrets.resolved('the call', token)}".encode()).decode()
    return {"Authorization": f"Basic {shown}"}


def _protocol(server: ModelServer) -> Protocol:
    try:
        return PROTOCOLS[server.protocol]
    except KeyError:
        raise UnknownName(
            f"The model server {server.name!r} speaks the protocol {server.protocol!r}, which is not known here.",
            hint=f"Ask it by HTTP at {server.prediction_url}, or update prefect-model-deployer.",
        ) from None


def _ask(server: ModelServer, body: bytes, headers: dict[str, str], timeout: float) -> Answer:
    try:
        answer = request("POST", server.prediction_url, body=body, headers=headers, timeout_s=timeout)
    except NoAnswer as error:
        raise PredictionFailed(
            f"The model server {server.name!r} did not answer: {error.reason}.",
            hint=_after_silence(server, error),
        ) from None
    if not answer.ok:
        raise _refused(server, answer)
    return answer


def _content(server: ModelServer, answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        raise PredictionFailed(
            f"The model server {server.name!r} answered with something else than JSON: {_shortened(answer.body)}",
            status=answer.status,
            hint=f"See whether {server.prediction_url} is where it predicts.",
        ) from None


def _refused(server: ModelServer, answer: Answer) -> PredictionFailed:
    said = _message(answer.body)
    return PredictionFailed(
        f"The model server {server.name!r} answered {answer.status}" + (f": {said}" if said else "."),
        status=answer.status,
        hint=_what_to_do(server, answer.status),
    )


def _after_silence(server: ModelServer, error: NoAnswer) -> str:
    if error.timed_out:
        return f"Give it more time (timeout=), or look at its log: {_cli('logs', server)}"
    if error.untrusted:
        return "Name the file of its authority, or of the certificate itself where it is its own, in SSL_CERT_FILE."
    return f"See how it is: {_cli('describe', server)}; `model-deployer reconcile` brings back what is down."


def _what_to_do(server: ModelServer, status: int) -> str:
    if status in (502, 503, 504):
        return f"It is stopped, starting or overloaded. See how it is: {_cli('describe', server)}"
    if status in (401, 403):
        return _about_the_token(server)
    if status in (404, 405):
        return f"See whether {server.prediction_url} is where it predicts: {_cli('describe', server)}"
    if status < 500:
        return "Send what the model was trained on: the same shape and types; named columns as a DataFrame or dicts."
    return f"Look at its log: {_cli('logs', server)}"


def _about_the_token(server: ModelServer) -> str:
    give = 'give a reference to the present one (token="env:NAME", or --token'
    if server.config.access:
        return f"It asks for a token of its own: {give}). One that was changed is asked for once it is deployed again."
    return (
        f"It asks for a token: {give}; or the deployer's setting `token`). One that was changed is asked for from the "
        "next deploy or reconcile on."
    )


def _message(body: bytes) -> str:
    """What the server said of its error, without the stack traces that come with it."""
    try:
        content = json.loads(body)
    except ValueError:
        return _shortened(body)
    if isinstance(content, Mapping):
        content = next((content[key] for key in ("message", "detail", "error") if content.get(key)), content)
    return _shortened((content if isinstance(content, str) else json.dumps(content)).encode())


def _shortened(body: bytes) -> str:
    text = " ".join(body.decode(errors="replace").split())
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"


def _cli(action: str, server: ModelServer) -> str:
    return f"`model-deployer {action} {shlex.quote(server.name)}`"


def _mlflow_question(data: Any) -> Any:
    if is_frame(data):
        return {"dataframe_split": split(data)}
    if isinstance(data, dict) and MLFLOW_KEYS & data.keys():
        return plain(data)
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        return {"dataframe_records": plain(data)}
    return {"inputs": plain(data)}


def _mlflow_prediction(content: Any) -> Any:
    return content.get("predictions", content) if isinstance(content, dict) else content


def _as_it_is(content: Any) -> Any:
    return content


PROTOCOLS: dict[str, Protocol] = {
    mlflow.PROTOCOL: Protocol(_mlflow_question, _mlflow_prediction),
    command.PROTOCOL: Protocol(plain, _as_it_is),
}
"""By `Runtime.protocol`."""
