"""Archives of one walk: a zip file of pictures, or a NumPy file. Nothing is ever unpacked to disk."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from app.errors import BODY_TOO_LARGE, INVALID_FIELD, MALFORMED, NO_SILHOUETTE, TOO_MANY_IMAGES, ProblemError
from app.gait_uploads import FIELD, SentWalk, WalkLimits, decode_frames, frames_of_array, natural_order

ZIP_MAGIC = b"PK"
ARRAY_ENDING = ".npy"
# Writing an archive on some systems adds files of their own.
IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")


def read_walk(files: Sequence[bytes], names: Sequence[str], limits: WalkLimits) -> SentWalk:
    """Read the silhouettes of one walk: pictures, or one zip or npz file; slow, so not for the event loop.

    Raises:
        ProblemError: the archive is damaged or too large, has unsafe names or no walk in it, or as `decode_frames`.
    """
    if not files[0].startswith(ZIP_MAGIC):
        return decode_frames(files, names, limits)
    if len(files) > 1:
        raise ProblemError(INVALID_FIELD, f"{FIELD} has several files; send one archive, or pictures", field=FIELD)
    try:
        with zipfile.ZipFile(io.BytesIO(files[0])) as archive:
            members = _members(archive, limits)
            if all(member.filename.endswith(ARRAY_ENDING) for member in members):
                return frames_of_array(_array(archive, members), limits)
            _check_pictures(members, limits)
            names = [member.filename for member in members]
            order = natural_order(names)  # archives have no order that means anything
            return decode_frames([archive.read(members[i]) for i in order], [names[i] for i in order], limits)
    # A member that is encrypted, or compressed in a way not known here, is a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        raise ProblemError(MALFORMED, f"{FIELD}: the archive cannot be read: {error}", field=FIELD) from None


def _members(archive: zipfile.ZipFile, limits: WalkLimits) -> list[zipfile.ZipInfo]:
    # `ZipInfo.is_dir` fails for an empty name.
    infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    members = [info for info in infos if not _is_ignored(info.filename)]
    if not members:
        raise ProblemError(NO_SILHOUETTE, f"{FIELD}: the archive is empty", field=FIELD)
    if len(members) > limits.max_frames:
        detail = f"{FIELD}: the archive has {len(members)} files; send at most {limits.max_frames}"
        raise ProblemError(TOO_MANY_IMAGES, detail, field=FIELD, limit=limits.max_frames)
    if sum(member.file_size for member in members) > limits.max_bytes:
        detail = f"{FIELD}: the archive unpacks to more than {limits.max_bytes} bytes"
        raise ProblemError(BODY_TOO_LARGE, detail, field=FIELD, limit=limits.max_bytes)
    unsafe = [member.filename for member in members if _is_unsafe(member.filename)]
    if unsafe:
        detail = f"{FIELD}: the archive has a file outside its own folder: {unsafe[0][:100]!r}"
        raise ProblemError(MALFORMED, detail, field=FIELD)
    return members


def _is_ignored(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not parts or parts[0] in IGNORED or parts[-1] in IGNORED or (parts[-1].startswith(".") and parts[-1] != "..")


def _is_unsafe(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts


def _check_pictures(members: Sequence[zipfile.ZipInfo], limits: WalkLimits) -> None:
    for member in members:
        if member.file_size > limits.max_ratio * max(member.compress_size, 1):
            detail = f"{FIELD}: a file of the archive unpacks to more than {limits.max_ratio} times its size"
            raise ProblemError(BODY_TOO_LARGE, detail, field=FIELD, limit=limits.max_ratio)
        if member.file_size > limits.image.max_bytes:
            detail = f"{FIELD}: a picture unpacks to {member.file_size} bytes; send at most {limits.image.max_bytes}"
            raise ProblemError(BODY_TOO_LARGE, detail, field=FIELD, limit=limits.image.max_bytes)
    folders = {str(PurePosixPath(member.filename).parent) for member in members}
    if len(folders) > 1:
        detail = f"{FIELD}: the archive has pictures in {len(folders)} folders; send one walk a request"
        raise ProblemError(INVALID_FIELD, detail, field=FIELD)


def _array(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> NDArray[np.generic]:
    by_name = {member.filename.removesuffix(ARRAY_ENDING): member for member in members}
    if FIELD not in by_name and len(by_name) > 1:
        detail = (
            f"{FIELD}: the file has the arrays {', '.join(sorted(by_name))[:100]}; call the one of the walk {FIELD}"
        )
        raise ProblemError(INVALID_FIELD, detail, field=FIELD)
    member = by_name.get(FIELD) or next(iter(by_name.values()))
    data = io.BytesIO(archive.read(member))
    # NumPy makes room for as much as a header claims, before it sees that the data are missing.
    read_header = npy.read_array_header_1_0 if npy.read_magic(data) == (1, 0) else npy.read_array_header_2_0
    try:
        shape, _, dtype = read_header(data)
    except Exception as error:  # it is read as Python, with all of Python's errors
        raise ValueError(f"the header of the array is damaged: {error}") from None
    if dtype.hasobject or dtype.itemsize * int(np.prod(shape, dtype=object)) != len(data.getvalue()) - data.tell():
        raise ProblemError(MALFORMED, f"{FIELD}: the array is damaged, or is not of numbers", field=FIELD)
    data.seek(0)
    return np.asarray(npy.read_array(data, allow_pickle=False))
