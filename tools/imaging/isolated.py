"""Decodes one lossless JPEG or JPEG-LS frame, in a process of its own.

GDCM and CharLS are the free decoders for these, and hostile bytes crash the one and stall the
other; here that ends this process, not the reader's. Run as a script: the layout as JSON in the
first argument, the codestream on stdin; on stdout one byte, 1 where colours come by plane, and then
the samples (little endian). Exit status 0 means decoded.
"""

import json
import os
import resource
import sys

SECONDS = 20
_SPARE_BYTES = 2**30


_JPEG_LS = "1.2.840.10008.1.2.4.8"


def jpeg_ls(codestream: bytes) -> tuple[int, bytes]:
    """The planar configuration and samples of a JPEG-LS ``codestream``, 8 or 16 bits each by its precision."""
    from jpeg_ls import decode_pixel_data

    samples, info = decode_pixel_data(codestream)
    return int(info["components"] > 1 and info["interleave_mode"] == 0), bytes(samples)


def jpeg_lossless(codestream: bytes, layout: dict[str, int | str]) -> tuple[int, bytes]:
    """As ``jpeg_ls``. ``layout`` names the Image Pixel attributes as pydicom's options do."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(codestream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout["columns"], layout["rows"], 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(layout["photometric_interpretation"])
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if layout["samples_per_pixel"] != 1:
        image.SetPlanarConfiguration(layout["planar_configuration"])
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(layout["transfer_syntax"])))
    stored = int(layout["bits_stored"])
    image.SetPixelFormat(
        gdcm.PixelFormat(
            layout["samples_per_pixel"],
            layout["bits_allocated"],
            stored,
            stored - 1,
            layout["pixel_representation"],
        )
    )
    decoded: str = image.GetBuffer()
    return int(layout["planar_configuration"]), decoded.encode("utf-8", "surrogateescape")


def main() -> None:
    """Decodes stdin to stdout, within bounds of memory and time."""
    layout = json.loads(sys.argv[1])
    codestream = sys.stdin.buffer.read()
    pixels = layout["rows"] * layout["columns"] * layout["samples_per_pixel"] * 8
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    most = _SPARE_BYTES + 4 * (pixels + len(codestream))
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # The decoders write their complaints to stdout and stderr; keep stdout for the samples alone.
    out = os.dup(1)
    os.dup2(2, 1)
    ls = layout["transfer_syntax"].startswith(_JPEG_LS)
    planar, samples = jpeg_ls(codestream) if ls else jpeg_lossless(codestream, layout)
    with os.fdopen(out, "wb") as stream:
        stream.write(bytes([planar]) + samples)


if __name__ == "__main__":
    main()
