"""Reads the archive at a URL. Fails unless it has this number of entries, all with the right checksums."""

import http.client
import io
import sys
import zipfile
from urllib.parse import urlsplit

CHUNK = 8 << 20


class RemoteFile(io.RawIOBase):
    """A file that is read with ranges."""

    def __init__(self, url):
        self.path = urlsplit(url).path
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self.size, self.position = int(self.request("HEAD", {}).headers["content-length"]), 0

    def request(self, method, headers):
        self.connection.request(method, self.path, headers=headers)
        response = self.connection.getresponse()
        if response.status >= 300:
            sys.exit(f"{method} {self.path}: {response.status}")
        response.content = response.read()
        return response

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self.position = offset + (0, self.position, self.size)[whence]
        return self.position

    def tell(self):
        return self.position

    def readinto(self, buffer):
        end = min(self.position + len(buffer), self.size)
        if end <= self.position:
            return 0
        content = self.request("GET", {"range": f"bytes={self.position}-{end - 1}"}).content
        buffer[: len(content)] = content
        self.position += len(content)
        return len(content)


url, entries = sys.argv[1], int(sys.argv[2])
with zipfile.ZipFile(io.BufferedReader(RemoteFile(url), CHUNK)) as archive:
    assert len(archive.infolist()) == entries, f"{len(archive.infolist())} entries"
    assert archive.testzip() is None
