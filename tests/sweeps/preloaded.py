"""`robust-tuning` by a process that has loaded torch already, which saves each run ten seconds.

`python preloaded.py serve SOCKET` loads the package once and forks a process for every command.
`python preloaded.py SOCKET WORDS...` has a command run so and behaves as if it were that process:
the same output and inherited files, signals passed on, the same end; and it takes it along when it
is killed.
"""

import contextlib
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from pathlib import Path


def serve(path: str) -> None:
    # What takes so long.
    import matplotlib.backends.backend_pdf
    import matplotlib.backends.backend_svg
    import matplotlib.pyplot  # noqa: F401
    import wandb  # noqa: F401

    from robust_tuning.cli import train  # noqa: F401
    from robust_tuning.cli.main import main

    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(path)
    listening.listen()
    waiting = selectors.DefaultSelector()
    waiting.register(listening, selectors.EVENT_READ)
    clients: dict[int, socket.socket] = {}
    needed, knows = Path(f"{path}.modules"), False
    while True:
        if not knows and needed.exists():  # what else the first run had to load
            knows = True
            for name in needed.read_text().split():
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        for key, _ in waiting.select(timeout=0.02):
            if key.fileobj is listening:
                client, _ = listening.accept()
                message, files, _, _ = socket.recv_fds(client, 1 << 20, 16)
                if not message:  # killed in between
                    client.close()
                    continue
                request = json.loads(message)
                process = os.fork()
                if process == 0:
                    listening.close()
                    os.setsid()
                    os.dup2(files[0], 1)
                    os.dup2(files[0], 2)
                    os.chdir(request["folder"])
                    os.environ.update(request["environment"])
                    status = 1
                    try:
                        status = main(request["words"])
                        if not needed.exists():
                            needed.with_suffix(".new").write_text("\n".join(sys.modules))
                            needed.with_suffix(".new").rename(needed)
                    finally:
                        sys.stdout.flush()
                        sys.stderr.flush()
                        os._exit(status)
                for file in files:
                    os.close(file)
                clients[process] = client
                waiting.register(client, selectors.EVENT_READ, process)
                with contextlib.suppress(OSError):  # it may be gone
                    client.send(str(process).encode())
            else:  # the client is gone, whose process this would be
                waiting.unregister(key.fileobj)
                if key.data in clients:
                    os.kill(key.data, signal.SIGKILL)
        for process in list(clients):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                client = clients.pop(process)
                with contextlib.suppress(KeyError):  # gone before
                    waiting.unregister(client)
                with contextlib.suppress(OSError):
                    client.send(str(os.waitstatus_to_exitcode(status)).encode())
                client.close()


def ask(path: str, words: list[str]) -> int:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.connect(path)
    inherited = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208  no pathlib here
    files = [1, *(f for f in inherited if f > 2 and f != server.fileno() and is_inherited(f))]
    request = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    socket.send_fds(server, [json.dumps(request).encode()], files)
    process = int(server.recv(100))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(process, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    return int(server.recv(100) or b"1")


def is_inherited(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        status = ask(sys.argv[1], sys.argv[2:])
        if status < 0:
            signal.signal(-status, signal.SIG_DFL)
            os.kill(os.getpid(), -status)
        sys.exit(status)
