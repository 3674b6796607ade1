"""Lakes and videos at `s3://` urls, through fsspec: an object store, and what it says explained.

Credentials, endpoint and retries are the library's own: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or a profile, or a role),
AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS, AWS_RETRY_MODE. A put is atomic; one that must not overwrite another's work is conditional
(If-Match, If-None-Match), which S3, MinIO and R2 know.
"""

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.contracts.lake import crash_point
from moviegen.disk import FULL, writing, writing_below
from moviegen.errors import BusyError, MovieGenError, StorageError, UsageError
from moviegen.temporary import temporary_beside

if TYPE_CHECKING:
    from s3fs import S3FileSystem

ONE_PUT_BYTES = 64 << 20
"""A larger file is put in pieces, which become one object at the end."""

CONNECT_S, READ_S = 10, 60
"""Seconds to wait for a connection and for the next bytes of an answer, each time it is tried: a server that is silent ends the run."""


class ChangedError(MovieGenError):
    """An object is not what it was when it was last read."""


def scratch_folder() -> Path:
    """Folder of this machine for what is on its way to or from a store: MOVIEGEN_SCRATCH, or in the user's cache."""
    given = os.environ.get("MOVIEGEN_SCRATCH")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given).absolute() if given else cache / "moviegen" / "scratch"


def file_system() -> "S3FileSystem":
    """The file system of `s3://`. Raises UsageError saying what to install."""
    try:
        import s3fs
    except ImportError as error:
        raise UsageError("s3:// needs the package s3fs: pip install 'moviegen[s3]'") from error
    waits = {"connect_timeout": CONNECT_S, "read_timeout": READ_S}
    return s3fs.S3FileSystem(config_kwargs=waits)  # the same one in a process for the same settings


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns what the library raises into a StorageError that says what to do; FileNotFoundError, ChangedError and ours pass."""
    from botocore import exceptions as said

    try:
        yield
    except (MovieGenError, FileNotFoundError):
        raise
    except (said.NoCredentialsError, said.PartialCredentialsError, said.ProfileNotFound) as error:
        advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, here and on every worker"
        raise StorageError(f"{url}: no credentials ({error}): {advice}") from error
    except (PermissionError, said.NoAuthTokenError) as error:
        raise StorageError(
            f"{url}: refused ({error}): see that the credentials may list, read and write there"
        ) from error
    except (said.BotoCoreError, said.ClientError, OSError) as error:
        if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict") or isinstance(error, FileExistsError):
            raise ChangedError(f"{url}: somebody else has written it meanwhile") from error
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
        raise StorageError(
            f"{url}: {type(error).__name__}: {error}; is {endpoint} up and reachable? Tried again as AWS_MAX_ATTEMPTS says; what is "
            "committed stays, and the same command goes on from there"
        ) from error


def _code(error: BaseException) -> str:
    response = getattr(error.__cause__ or error, "response", None) or {}
    return response.get("Error", {}).get("Code", "")


def list_objects(url: str) -> list[dict]:
    """Every object below a url: `url`, `size`, `etag`, `mtime_ns`. Raises UsageError when there is no such bucket."""
    system, bucket = file_system(), url.removeprefix("s3://").partition("/")[0]
    try:
        with explained(url):
            system.call_s3("head_bucket", Bucket=bucket)
            system.invalidate_cache()
            found = system.find(url.removeprefix("s3://") + "/", detail=True)
    except FileNotFoundError as error:
        raise UsageError(
            f"{url}: there is no bucket {bucket!r} where these credentials look; make it, or mend the url"
        ) from error
    return [
        {
            "url": f"s3://{key}",
            "size": info["size"],
            "etag": info["ETag"],
            "mtime_ns": round(info["LastModified"].timestamp()) * 10**9,
        }
        for key, info in sorted(found.items())
    ]


def download(url: str, target: Path, check: Callable[[Path], None]) -> None:
    """Fetches an object to a file that appears whole, once `check` has looked at its bytes and not raised. Raises FileNotFoundError when
    it is not there."""
    temporary = temporary_beside(target)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with explained(url), writing_below(target.parent, FULL):
            file_system().get_file(url.removeprefix("s3://"), str(temporary))
        check(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


class ObjectStore:
    """A lake's files in a bucket. See `moviegen.contracts.store.Store`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.scratch = scratch_folder() / "lakes" / hash_id(url)[:16]
        self._bucket, _, self._prefix = url.removeprefix("s3://").partition("/")
        self._read: dict[str, tuple[str | None, str | None]] = {}
        self._lock: Any = None
        file_system()

    def publish(self, path: str, sha256: str) -> None:
        """Puts a file of the scratch folder, with its SHA-256 for the store to compare, and keeps it as one that was fetched."""
        written, kept = self.scratch / path, self._kept(path, sha256)
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(written, kept)
        except FileNotFoundError:  # another attempt at the same task was quicker, and wrote the same bytes
            if not kept.exists():
                raise
        self.put_file(path, kept, sha256)
        crash_point("object.put")

    def put_file(self, path: str, file: Path, sha256: str | None = None) -> None:
        """Puts a file under a path of the lake."""
        sha256 = sha256 or file_sha256(file)
        size, url = file.stat().st_size, self._url(path)
        with self._with_bucket(url):
            if size > ONE_PUT_BYTES:
                file_system().put_file(str(file), url.removeprefix("s3://"), Metadata={"sha256": sha256})
                self.confirm(path, sha256, size)
            else:
                checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
                self._call(
                    "put_object", path, Body=file.read_bytes(), ChecksumSHA256=checksum, Metadata={"sha256": sha256}
                )

    def fetch(self, path: str, sha256: str) -> Path:
        """The file in the scratch folder, fetched unless it is there, and compared when it is fetched."""
        kept = self._kept(path, sha256)
        if kept.exists():
            return kept

        def check(arrived: Path) -> None:
            if file_sha256(arrived) != sha256:
                raise ValueError(f"{self._url(path)}: its bytes are not those committed (sha256 differs)")

        download(self._url(path), kept, check)
        return kept

    def confirm(self, path: str, sha256: str, size: int | None = None) -> None:
        """Asks the store for the object's size and SHA-256 without fetching it; what others have put without the latter is fetched anew."""
        with explained(self._url(path)):
            about = self._call("head_object", path)
        found = about.get("Metadata", {}).get("sha256")
        if found is None:
            self._kept(path, sha256).unlink(missing_ok=True)
            self.fetch(path, sha256)
        elif found != sha256 or (size is not None and about["ContentLength"] != size):
            raise ValueError(f"{self._url(path)}: its bytes are not those committed (sha256 {found}, wanted {sha256})")

    def read_text(self, path: str) -> str | None:
        """A small text; None when there is none. Who holds the lock asks once: if somebody else wrote after all, the next put fails."""
        if self._lock is None or path not in self._read:
            with explained(self._url(path)):
                self._read[path] = read_object(self._call, path)
        return self._read[path][0]

    def replace_text(self, path: str, text: str) -> bool:
        """Replaces a text on the condition that it is the one last read here, and that the lake's lock is still held."""
        if path not in self._read:
            self.read_text(path)
        known, etag = self._read[path]
        if known == text:
            return False
        if self._lock is not None:
            self._lock.check()
        crash_point("commit.written")
        try:
            with self._with_bucket(self._url(path)):
                self._read[path] = (text, put_object(self._call, path, text, etag))
        except ChangedError as error:
            del self._read[path]
            if self.read_text(path) != text:  # else it was our own put, whose answer was lost and which was tried again
                raise BusyError(
                    f"{error}: another run writes to this lake; this one ends, and nothing of either is lost"
                ) from error
        crash_point("commit.renamed")
        return True

    def names(self, folder: str) -> list[str]:
        """Names of the objects in a folder, sorted."""
        url = self._url(folder)
        system = file_system()
        with explained(url):
            system.invalidate_cache()
            try:
                found = system.ls(url.removeprefix("s3://"), detail=False)
            except FileNotFoundError:
                return []
        return sorted(name.rpartition("/")[2] for name in found)

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every object below a folder, by its path in the lake."""
        found = list_objects(self._url(folder))
        return {each["url"].removeprefix(self.url + "/"): each["size"] for each in found}

    def hold_lock(self) -> AbstractContextManager[None]:
        """Holds the object `_lock.json` as long as this process lives and can reach the store. See `storage_lock`."""
        return self._held()

    @contextmanager
    def _held(self) -> Iterator[None]:
        from moviegen.storage_lock import StoreLock

        list_objects(self._url("_commits"))  # a bucket that is not there is said before work is done
        with StoreLock(self.url, self._call) as self._lock:
            self._read.clear()
            try:
                yield
            finally:
                self._lock = None

    def _kept(self, path: str, sha256: str) -> Path:
        """Where a fetched file lies: another content of the same path is another file."""
        return self.scratch / ".fetched" / sha256[:32] / path

    def _url(self, path: str) -> str:
        return f"{self.url}/{path}"

    def _call(self, method: str, path: str, **parameters: Any) -> dict:
        key = f"{self._prefix}/{path}" if self._prefix else path
        return file_system().call_s3(method, Bucket=self._bucket, Key=key, **parameters)

    @contextmanager
    def _with_bucket(self, url: str) -> Iterator[None]:
        """As `explained`; that a put finds nothing means that there is no bucket."""
        try:
            with explained(url):
                yield
        except FileNotFoundError as error:
            raise UsageError(f"{url}: there is no bucket {self._bucket!r} where these credentials look") from error


def read_object(call: Any, path: str) -> tuple[str | None, str | None]:
    """(text, etag) of a small object; (None, None) when it is not there."""
    from fsspec.asyn import sync

    try:
        answer = call("get_object", path)
    except FileNotFoundError:
        return None, None
    system = file_system()
    content = sync(system.loop, answer["Body"].read)
    return content.decode(), answer["ETag"]


def put_object(call: Any, path: str, text: str, etag: str | None) -> str:
    """Puts a text in place of the one with this etag, or where there is none yet; its etag. Raises as the library does."""
    condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
    return call("put_object", path, Body=text.encode(), **condition)["ETag"]
