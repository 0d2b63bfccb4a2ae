"""A server for the engine's tests; its arguments say how it behaves. Standard library alone, to start fast."""

import argparse
import os
import socket
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--descriptor", type=int)
parser.add_argument("--status", type=int, default=200)
parser.add_argument("--hang", action="store_true")
parser.add_argument("--in-child", action="store_true")
parser.add_argument("--exit-after-answer", action="store_true")
asked = parser.parse_args()

if asked.descriptor is None:
    listener = socket.create_server(("127.0.0.1", asked.port))
else:
    listener = socket.socket(fileno=asked.descriptor)
    listener.listen()
print("listening", flush=True)

if asked.in_child and (child := os.fork()):
    listener.close()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    if asked.hang:
        time.sleep(60)
    connection.sendall(b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\nmood\nof the day" % asked.status)
    if asked.exit_after_answer:
        os._exit(5)
    connection.close()
