"""What a file is, by its first bytes: for telling users what they gave instead of weights."""

import zipfile
from pathlib import Path

HEAD_BYTES = 512
SAFETENSORS = "a safetensors file"

# The number of the first field of ONNX, its version, is followed by who wrote the file or by the network.
ONNX_VERSIONS, ONNX_NEXT = range(3, 32), b"\x12\x3a\x42"
BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"MATLAB ", "a MATLAB file"),
    (b"GGUF", "a GGUF file"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file; unpack it first"),
    (b"Rar!", "a RAR file; unpack it first"),
    (b"version https://git-lfs", "a pointer of Git LFS, not what it points to; `git lfs pull` brings that"),
)
# The member that tells, and what the archive then is; torch.save's own files are not among them.
MEMBERS = (
    ("constants.pkl", "a TorchScript program; save its state_dict() with torch.save"),
    ("archive_format", "a program of torch.export; save its state_dict with torch.save"),
    (".npy", "an archive of NumPy arrays"),
    (".keras", "a Keras network"),
    (".png", "a zip file of pictures"),
    (".jpg", "a zip file of pictures"),
    (".jpeg", "a zip file of pictures"),
    (".pth", "a zip file; unpack it first"),
    (".pt", "a zip file; unpack it first"),
    (".safetensors", "a zip file; unpack it first"),
)


def kind_of(path: Path) -> str:
    """What a file is, such as "a zip file of pictures"; empty where nothing is known of its kind.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        return "empty"
    for beginning, kind in BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if zipfile.is_zipfile(path):
        return _kind_of_zip(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return SAFETENSORS
    if len(head) > 2 and head[0] == 0x08 and head[1] in ONNX_VERSIONS and head[2] in ONNX_NEXT:
        return "an ONNX network, which cannot be turned back into weights"
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return "a web page, which is what a browser shows; download the file behind it"
    return "a text file" if _is_text(head) else ""


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return ""
    for ending, kind in MEMBERS:
        if any(name.lower().endswith(ending) for name in names):
            return kind
    # Torch's own zip files hold their structure in this.
    return "" if any(name.endswith("data.pkl") for name in names) else "a zip file without weights"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # The last letter may be cut in two.
        text = head[: error.start].decode() if len(head) - error.start < 4 and len(head) == HEAD_BYTES else "\0"
    return all(letter.isprintable() or letter in "\r\n\t" for letter in text)
