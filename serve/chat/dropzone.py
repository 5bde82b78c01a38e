"""The place where images are dropped, as HTML. What it does is in ``static/opening.js``."""

from html import escape

from overread.settings import Settings
from serve.chat.drops import most_together
from serve.chat.faults import size_words
from serve.chat.samples import samples


def dropzone_html(settings: Settings) -> str:
    """The place, with the bounds that are checked before anything is sent."""
    each, together = settings.max_file_bytes, most_together(settings)
    bounds = {"each": each, "together": together, "files": settings.max_files}
    data = " ".join(f'data-{name}="{value}"' for name, value in bounds.items())
    offered = "".join(
        f'<li><button type="button" data-sample="{escape(one.name)}"><b>{escape(one.title)}</b>'
        f"<span>{escape(one.about)}</span></button></li>"
        for one in samples()
    )
    return f"""<section id="opening" aria-label="Images" {data}>
<div class="zone">
<p><b>Drop images or a folder here</b></p>
<div class="pick"><button type="button" data-pick="files">Choose files</button>
<button type="button" data-pick="folder">Choose a folder</button></div>
<p class="hint">DICOM (files, a folder, a zip), NIfTI, PNG or JPEG, up to {size_words(each)} a file. Identity is taken
out before anything is shown.</p>
<input type="file" multiple hidden data-input="files" aria-label="Image files">
<input type="file" webkitdirectory hidden data-input="folder" aria-label="A folder of images">
</div>
<div class="sending" hidden>
<p id="opening-progress"></p>
<progress max="1" aria-labelledby="opening-progress"></progress>
<button type="button" data-cancel>Cancel</button>
</div>
<p class="said" role="status" aria-live="polite"></p>
<ul class="cards" aria-label="Opened images"></ul>
<ul class="faults" aria-label="Files that could not be opened"></ul>
<details class="samples"><summary>No image at hand? Open a sample</summary><ul>{offered}</ul></details>
</section>"""
