"""Run-length frames of DICOM, expanded to exactly the size of the frame and no further.

Source: PS3.5 annex G. Written here because an unbounded decoder lets a small file fill the memory.
"""

from itertools import pairwise
from struct import unpack_from

from tools.errors import UnreadableStudyError

_HEADER_BYTES = 64
_MOST_SEGMENTS = 15


def decode(coded: bytes, frame_pixels: int, samples: int, bytes_per_sample: int) -> bytes:
    """The samples of one frame: colour by plane, little endian, ``frame_pixels * samples * bytes_per_sample`` bytes.

    Raises ``UnreadableStudyError`` when the segments are not those of such a frame.
    """
    expected = samples * bytes_per_sample
    if len(coded) < _HEADER_BYTES or expected > _MOST_SEGMENTS:
        raise _broken()
    count, *offsets = unpack_from("<16L", coded)
    if count != expected:
        raise _broken()
    starts = [*offsets[:count], len(coded)]
    if starts[0] < _HEADER_BYTES or any(a > b for a, b in pairwise(starts)):
        raise _broken()
    out = bytearray(frame_pixels * expected)
    for sample in range(samples):
        plane = sample * bytes_per_sample
        for byte in range(bytes_per_sample):
            # Segments hold the most significant byte first.
            first = plane * frame_pixels + bytes_per_sample - 1 - byte
            last = (plane + bytes_per_sample) * frame_pixels
            segment = _segment(coded, starts[plane + byte], starts[plane + byte + 1], frame_pixels)
            out[first:last:bytes_per_sample] = segment
    return bytes(out)


def _segment(coded: bytes, position: int, end: int, size: int) -> bytes:
    out = bytearray()
    while len(out) < size and position + 1 < end:
        control = coded[position]
        if control < 128:
            out += coded[position + 1 : position + 2 + control]
            position += control + 2
        elif control > 128:
            out += coded[position + 1 : position + 2] * (257 - control)
            position += 2
        else:
            position += 1
    if len(out) < size:
        raise _broken()
    return bytes(out[:size])


def _broken() -> UnreadableStudyError:
    return UnreadableStudyError("The run-length compressed picture is broken; export or copy the file again.")
