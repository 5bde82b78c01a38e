"""Bounds that are checked before anything is decoded: bytes, pixels, frames, inflated size, parsing effort."""

import os
import stat
import struct
import zlib
from io import BytesIO
from pathlib import Path

from pydicom.errors import BytesLengthException, InvalidDicomError

from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError

FAULTS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    EOFError,
    RuntimeError,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    BytesLengthException,
    InvalidDicomError,
)
"""What parsers and decoders raise on bytes that are not what they claim to be."""

MOST_PARSER_READS = 4_000_000
"""Reads one header may cost: about ten seconds of parsing; a 4,096-frame study needs about a million."""

LONGEST_HEADER_VALUE = 64 * 2**20
"""Most bytes of one header element that is no pixel data."""


def read_bytes(path: Path, limits: Settings, most: int | None = None) -> bytes:
    """The bytes of the regular file at ``path``, read once, after its size was checked; or its first ``most`` bytes.

    Raises ``UnreadableStudyError`` for a path that is missing, a folder, a device or a pipe, may
    not be read or holds nothing; ``TooLargeError`` over ``limits.max_file_bytes``.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableStudyError("This is a folder, not an image; name one image file in it.")
        if not stat.S_ISREG(mode):
            raise UnreadableStudyError("This is a pipe, socket or device, not an image; name an image file.")
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            size = os.fstat(stream.fileno()).st_size if most is None else 0
            data = stream.read(most or limits.max_file_bytes + 1) if size <= limits.max_file_bytes else b""
    except FileNotFoundError:
        raise UnreadableStudyError("There is no such file; check the path.") from None
    except PermissionError:
        raise UnreadableStudyError("The file may not be read; check its permissions.") from None
    except (OSError, ValueError):
        raise UnreadableStudyError("The path cannot be opened as a file; check the path.") from None
    if size > limits.max_file_bytes or len(data) > limits.max_file_bytes:
        raise TooLargeError(
            f"The file has more than {limits.max_file_bytes:,} bytes; "
            "give a smaller one or raise OVERREAD_MAX_FILE_BYTES."
        )
    if not data:
        raise UnreadableStudyError("The file is empty; export or copy it again.")
    return data


def check_extent(rows: int, columns: int, frames: int, bytes_per_pixel: float, limits: Settings) -> None:
    """Raises when an image of this extent is no image, or larger than ``limits`` allow when decoded."""
    if rows < 1 or columns < 1 or frames < 1:
        raise UnreadableStudyError("The header gives the image no rows, columns or frames; export the file again.")
    if rows * columns > limits.max_pixels:
        raise TooLargeError(
            f"The image has more than {limits.max_pixels:,} pixels; give a smaller one or raise OVERREAD_MAX_PIXELS."
        )
    if frames > limits.max_frames:
        raise TooLargeError(
            f"The file has more than {limits.max_frames:,} frames; give fewer or raise OVERREAD_MAX_FRAMES."
        )
    if rows * columns * frames * bytes_per_pixel > limits.max_decoded_bytes:
        raise TooLargeError(
            f"The frames would take more than {limits.max_decoded_bytes:,} bytes decoded; "
            "give fewer frames or raise OVERREAD_MAX_DECODED_BYTES."
        )


def inflate(deflated: bytes, limits: Settings) -> bytes:
    """Raw deflate (RFC 1951, as PS3.5 A.5 uses it) undone, to at most ``limits.max_inflated_bytes``."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = engine.decompress(deflated, limits.max_inflated_bytes)
        # More output, or only the end-of-stream mark: one byte more tells them apart.
        if not engine.eof and engine.decompress(engine.unconsumed_tail, 1):
            raise TooLargeError(
                f"The file inflates to more than {limits.max_inflated_bytes:,} bytes; "
                "export it uncompressed or raise OVERREAD_MAX_INFLATED_BYTES."
            )
    except zlib.error:
        raise UnreadableStudyError("The deflated part of the file is broken; export or copy it again.") from None
    if not engine.eof:
        raise UnreadableStudyError("The deflated part of the file is cut off; export or copy it again.")
    return inflated


class MeteredBytes(BytesIO):
    """Bytes that count how often they are read, so that a header of endless tiny elements ends in an error.

    ``exhausted`` stays true once the bound was met, whatever a parser makes of the exception.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MOST_PARSER_READS
        self.exhausted = False

    def read(self, size: int | None = -1, /) -> bytes:
        """As ``BytesIO.read``; raises ``OSError`` when the parser has read too often."""
        self._left -= 1
        if self._left < 0:
            self.exhausted = True
            raise OSError("too many reads")
        return super().read(size)
