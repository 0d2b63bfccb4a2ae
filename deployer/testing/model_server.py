"""A tiny model server for tests, of the standard library alone; `model.json` in the model says how it behaves.

{"answer": "v1", "mode": "ok", "delay_s": 0.05, "work_s": 0}: GET /ping answers 200 and every POST {"answer": "v1"}
after `work_s` seconds, or as many as the request's header Work-Seconds says. It opens its port `delay_s` seconds after
its start. MODES says what else it can do. On TERM it finishes what it has begun, then ends with 0; on USR2 it hangs: it
accepts, and never answers again.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

MODES = {
    "ok": "serves",
    "exit": "prints `cannot load model` and exits with 7 instead of opening its port",
    "hang": "never opens its port",
    "sick": "answers 500 to /ping",
    "once": "exits with 3 a moment after its first answer to /ping",
}
EXIT_BROKEN, EXIT_ONCE = 7, 3
ONCE_LIVES_S = 0.3
REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    close: bool
    work_s: float | None


@dataclass
class ModelServer:
    answer: str
    mode: str = "ok"
    delay_s: float = 0.05
    work_s: float = 0
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _exit_code: int = 0
    _hung: bool = False
    _idle: set[asyncio.StreamWriter] = field(default_factory=set)
    _busy: set[asyncio.StreamWriter] = field(default_factory=set)
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, host: str, port: int) -> int:
        """Serve until TERM; gives the exit code."""
        self._listen_to_signals()
        server = await asyncio.start_server(self._connected, host, port, backlog=1024)
        print(f"serving {self.answer} on port {port}", flush=True)
        await self._ending.wait()
        server.close()
        for writer in self._idle:
            writer.close()
        await self._finished()
        return self._exit_code

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        loop.add_signal_handler(signal.SIGUSR2, self._hang)

    def _hang(self) -> None:
        self._hung = True

    async def _finished(self) -> None:
        while self._busy and not self._hung:
            self._done.clear()
            await self._done.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing() and await self._one_request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._idle.discard(writer)
            self._busy.discard(writer)
            self._done.set()
            writer.close()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays."""
        self._idle.add(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        self._idle.discard(writer)
        self._busy.add(writer)
        request = await _read(reader, head)
        status, content = await self._answered(request)
        close = request.close or self._ending.is_set()
        writer.write(_response(status, content, close))
        await writer.drain()
        self._busy.discard(writer)
        self._done.set()
        return not close

    async def _answered(self, request: Request) -> tuple[int, dict[str, str]]:
        if self._hung:
            await asyncio.Event().wait()
        if request.method == "POST":
            await asyncio.sleep(self.work_s if request.work_s is None else request.work_s)
            return 200, {"answer": self.answer}
        if request.path != "/ping":
            return 404, {"error": "there is nothing here"}
        if self.mode == "sick":
            return 500, {"error": "sick"}
        if self.mode == "once":
            asyncio.get_running_loop().call_later(ONCE_LIVES_S, self._end, EXIT_ONCE)
        return 200, {"status": "ready"}

    def _end(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._ending.set()


async def _read(reader: asyncio.StreamReader, head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = {name.lower(): value.strip().lower() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    else:
        await reader.readexactly(int(headers.get("content-length", "0")))
    close = headers.get("connection") == "close" or version == "HTTP/1.0"
    work_s = float(headers["work-seconds"]) if "work-seconds" in headers else None
    return Request(method, target.partition("?")[0], close, work_s)


def _response(status: int, content: dict[str, str], close: bool) -> bytes:
    body = json.dumps(content).encode()
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _model(place: Path) -> ModelServer:
    return ModelServer(**json.loads((place if place.is_file() else place / "model.json").read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description="A tiny model server for tests.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    asked = parser.parse_args()
    model = _model(asked.model)
    time.sleep(model.delay_s)
    if model.mode == "exit":
        print("cannot load model", flush=True)
        return EXIT_BROKEN
    if model.mode == "hang":
        signal.pause()
    return asyncio.run(model.serve(asked.host, asked.port))


if __name__ == "__main__":
    sys.exit(main())
